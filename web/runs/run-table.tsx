import { useState } from "react";
import { quantityWithError } from "../../src/core/quantities.ts";
import { runStatusWord } from "../../src/core/run-status.ts";
import { counted } from "../../src/core/show.ts";
import { plainTime } from "../../src/core/time-text.ts";
import type { Run } from "../../src/db/run.ts";
import { short } from "../live/picture-view.tsx";
import { ask, db, endpoint } from "../server/connection.ts";
import { inTurn } from "../server/in-turn.ts";
import { go, hashWith, usePlace } from "../server/location.ts";
import { useAsked, usePoll } from "../server/use-poll.ts";
import { TableHead } from "../shell/table-head.tsx";

const STEP = 20;
const EVERY_MS = 5000;
/** Images of a run of a large detector take a while. */
const LONGEST_MS = 300_000;

/** The last runs with their status, comment, detectors, and what has been computed of them. */
export function RunTable({ bl }: { bl: number }) {
  const [last, setLast] = useState(STEP);
  const numbers = usePoll(async (signal) => await ask("db.listRuns", { bl, last }, signal), EVERY_MS, `${bl} ${last}`);
  const shown = (numbers.value ?? []).toReversed();
  const withImages = usePlace().params.get("images") === "1";
  return (
    <div className="scroll">
      <label title="Reads up to 100 images of each run, one run after the other">
        <input
          type="checkbox"
          checked={withImages}
          onChange={(event) => go({ images: event.target.checked ? "1" : null })}
        />{" "}
        hit rate and pumped/unpumped, from the images
      </label>
      <table className="runs">
        <caption>
          {numbers.value === undefined
            ? (numbers.error ?? "asking for the runs…")
            : `The last ${counted(shown.length, "run")} of beamline ${bl}; times in JST`}
        </caption>
        <TableHead names={["run", "status", "start", "s", "tags", "comment", "detectors", "computed"]} />
        <tbody>
          {shown.map((number) => (
            <RunRow key={number} bl={bl} number={number} withImages={withImages} />
          ))}
        </tbody>
      </table>
      {shown.length < last ? null : (
        <button type="button" onClick={() => setLast(last + STEP)}>
          older runs
        </button>
      )}
    </div>
  );
}

function RunRow({ bl, number, withImages }: { bl: number; number: number; withImages: boolean }) {
  const [isFinal, setFinal] = useState(false);
  const run = usePoll<Run>(
    async (signal) => {
      const found = await db.run(bl, number);
      await found.detectors({ signal });
      if (found.status === 0) setFinal(true);
      return found;
    },
    isFinal ? 2 ** 30 : EVERY_MS,
    `${bl} ${number}`,
  );
  const detectors = useAsked(
    run.value === undefined ? null : async (signal) => (await run.value?.detectors({ signal })) ?? [],
    `detectors ${bl} ${number} ${isFinal}`,
  );
  const summary = useAsked(
    isFinal ? async (signal) => await ask("page.summary", { bl, run: number }, signal) : null,
    `summary ${bl} ${number}`,
  );
  const ofImages = useAsked(
    isFinal && withImages
      ? async (signal) =>
          await inTurn(signal, () =>
            endpoint.call("page.imageSummary", { bl, run: number }, { signal, timeoutMs: LONGEST_MS }),
          )
      : null,
    `images ${bl} ${number}`,
  );
  const info = run.value?.info;
  return (
    <tr>
      <th scope="row">
        <a href={hashWith({ run: String(number) })}>{number}</a>
      </th>
      {info === undefined || run.value === undefined ? (
        <td colSpan={6}>{run.error ?? "…"}</td>
      ) : (
        <>
          <td className={info.runstatus === 0 ? "" : "good"}>{runStatusWord(info.runstatus)}</td>
          <td>{plainTime(run.value.startTime)}</td>
          <td>{(info.stoptime - info.starttime).toFixed(0)}</td>
          <td>{info.total_tagnumber}</td>
          <td>{info.comment}</td>
          <td>{detectors.value?.map(({ id }) => id).join(", ") ?? detectors.error ?? "…"}</td>
        </>
      )}
      <td>
        {info === undefined || isFinal ? null : "when it has stopped"}
        {summary.error === undefined ? null : <span className="bad">{summary.error}</span>}
        {ofImages.error === undefined ? null : <span className="bad">{ofImages.error} </span>}
        {isFinal && withImages && ofImages.value === undefined && ofImages.error === undefined
          ? "reading images… "
          : null}
        {isFinal && summary.value === undefined && summary.error === undefined ? "…" : null}
        {[...(ofImages.value ?? []), ...(summary.value ?? [])].map(({ name, value, error, unit, note }) => (
          <span key={name} className="computed" title={note}>
            {name}{" "}
            <strong>
              {value === null
                ? "–"
                : error === null
                  ? `${short(value)} ${unit}`
                  : quantityWithError(value, error, unit)}
            </strong>
          </span>
        ))}
      </td>
    </tr>
  );
}
