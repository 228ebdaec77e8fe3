import { SaclaError } from "../core/errors.ts";
import type { H5Browser } from "../hdf5/index.ts";
import type { CallParams, CallResult } from "../transport/methods.ts";

/** Most rows and columns of a table in one answer. */
const TABLE_ROWS = 200;
const TABLE_COLUMNS = 50;

/** A part of a dataset as the page shows it: not more than a screen has room for. */
export async function h5Data(
  browser: H5Browser,
  { file, path, at, as, from, most }: CallParams<"page.h5Data">,
): Promise<CallResult<"page.h5Data">> {
  if (as === "texts") {
    const texts = await browser.texts(file, path);
    return { shape: [texts.length, 1], step: 1, values: new Float64Array(0), texts: [...texts] };
  }
  const { shape } = await browser.look(file, path);
  if (shape === null) throw new SaclaError("BAD_ARGUMENT", `${path} has no numbers.`);
  const inner = Math.min(as === "curve" ? 1 : 2, shape.length);
  const lead = shape.slice(0, shape.length - inner).map((_, k) => at[k] ?? 0);
  const lengths = shape.slice(shape.length - inner);
  const step = as === "table" ? 1 : Math.max(1, Math.ceil(Math.max(1, ...lengths) / most));
  const [rows = 1] = lengths;
  const first = as === "table" ? Math.min(from, Math.max(0, rows - 1)) : 0;
  const firsts = [first, 0].slice(0, inner);
  const counts = lengths.map((length, k) =>
    as === "table"
      ? Math.min(k === 0 ? TABLE_ROWS : TABLE_COLUMNS, length - (firsts[k] ?? 0))
      : Math.ceil(length / step),
  );
  const values = await browser.numbers(file, path, {
    offset: [...lead, ...firsts],
    count: [...lead.map(() => 1), ...counts],
    step: [...lead.map(() => 1), ...lengths.map(() => step)],
  });
  // A list is a table of one column; a curve is one row.
  const [count = 1, columns = 1] = counts;
  return { shape: as === "curve" ? [1, count] : [count, columns], step, values, texts: [] };
}
