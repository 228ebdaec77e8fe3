import { useMemo } from "react";
import type { CallParams, CallResult } from "../../src/transport/methods.ts";
import { short } from "../live/picture-view.tsx";
import { Curve, H5Picture } from "../plots/later.tsx";
import { ask } from "../server/connection.ts";
import { go, usePlace } from "../server/location.ts";
import { useAsked } from "../server/use-poll.ts";
import { Pending } from "../shell/failure.tsx";

type As = CallParams<"page.h5Data">["as"];
type Data = CallResult<"page.h5Data">;

const MOST_POINTS = 2000;
const MOST_PIXELS = 600;
/** As many rows as src/page/h5-data.ts answers with. */
const TABLE_ROWS = 200;

/** The values of a dataset as a curve, a table or a picture; of more axes, those before have an index each. */
export function H5Dataset({
  file,
  path,
  shape,
  holds,
}: {
  readonly file: string;
  readonly path: string;
  readonly shape: readonly number[];
  readonly holds: "numbers" | "texts";
}) {
  const { params } = usePlace();
  const ways: readonly As[] =
    holds === "texts" ? ["texts"] : shape.length > 1 ? ["picture", "curve", "table"] : ["curve", "table"];
  const wanted = params.get("as") as As;
  // One number is a table, and so is what has few columns.
  const isSmall = shape.length === 0 || shape[0] === 1 || (shape.length > 1 && (shape.at(-1) ?? 0) < 4);
  const as = ways.includes(wanted) ? wanted : isSmall && holds === "numbers" ? "table" : (ways[0] ?? "table");
  const inner = as === "curve" ? 1 : as === "texts" ? shape.length : 2;
  const lead = shape.slice(0, Math.max(0, shape.length - inner));
  const given = (params.get("at") ?? "").split("-").map(Number);
  const at = lead.map((length, k) => Math.min(length - 1, Math.max(0, Math.trunc(given[k] ?? 0) || 0)));
  const from = Math.max(0, Number(params.get("from") ?? 0) || 0);
  const most = as === "picture" ? MOST_PIXELS : MOST_POINTS;
  const key = JSON.stringify([file, path, as, at, from]);
  const data = useAsked(async (signal) => await ask("page.h5Data", { file, path, at, as, from, most }, signal), key);
  const rows = shape.at(shape.length < 2 ? 0 : -2) ?? 1;
  return (
    <>
      <div className="row">
        {ways.length < 2 ? null : (
          <label>
            as{" "}
            <select value={as} onChange={(event) => go({ as: event.target.value, from: null })}>
              {ways.map((way) => (
                <option key={way}>{way}</option>
              ))}
            </select>
          </label>
        )}
        {lead.map((length, k) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: an axis is its number
          <label key={k}>
            axis {k}{" "}
            <input
              type="number"
              min={0}
              max={length - 1}
              value={at[k]}
              onChange={(event) => go({ at: at.map((old, i) => (i === k ? event.target.value : old)).join("-") })}
            />{" "}
            of {length}
          </label>
        ))}
        {as === "table" && rows > TABLE_ROWS ? (
          <>
            <button
              type="button"
              disabled={from === 0}
              onClick={() => go({ from: String(Math.max(0, from - TABLE_ROWS)) })}
            >
              rows before
            </button>
            <button
              type="button"
              disabled={from + TABLE_ROWS >= rows}
              onClick={() => go({ from: String(from + TABLE_ROWS) })}
            >
              rows after
            </button>
          </>
        ) : null}
      </div>
      {data.value === undefined ? (
        <Pending error={data.error} text="reading…" />
      ) : (
        <Values as={as} data={data.value} from={from} title={path} />
      )}
    </>
  );
}

function Values({
  as,
  data,
  from,
  title,
}: {
  readonly as: As;
  readonly data: Data;
  readonly from: number;
  readonly title: string;
}) {
  const { values, step, texts } = data;
  const x = useMemo(() => values.map((_, i) => i * step), [values, step]);
  const note = step > 1 ? <p>Every {step}th value is shown.</p> : null;
  if (as === "texts")
    return (
      <ol start={0} data-texts>
        {texts.map((line, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a list that does not change
          <li key={i}>{line}</li>
        ))}
      </ol>
    );
  if (as === "curve")
    return (
      <>
        {note}
        <Curve title={title} x={x} y={values} xLabel="index" yLabel="value" isPoints={values.length < 50} />
      </>
    );
  if (as === "picture")
    return (
      <>
        {note}
        <H5Picture data={data} textOf={short} />
      </>
    );
  return <Table data={data} from={from} />;
}

function Table({ data: { shape, values }, from }: { readonly data: Data; readonly from: number }) {
  const [rows, columns] = shape;
  return (
    <div className="scroll">
      <table data-values>
        <thead>
          <tr>
            <th scope="col">row</th>
            {Array.from({ length: columns }, (_, column) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a column is its number
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {Array.from({ length: rows }, (_, row) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a row is its number
            <tr key={row}>
              <th scope="row">{from + row}</th>
              {Array.from(values.subarray(row * columns, (row + 1) * columns), (value, column) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: a column is its number
                <td key={column}>{short(value)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
