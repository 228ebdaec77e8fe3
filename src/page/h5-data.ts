import { SaclaError } from "../core/errors.ts";
import type { H5Browser } from "../hdf5/index.ts";
import type { CallParams, CallResult } from "../transport/methods.ts";

/** Of a table; more is scrolled to. */
const [TABLE_ROWS, TABLE_COLUMNS] = [200, 50];

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
  if (as === "curve") return await line(browser, file, path, shape, at, most);
  // A list is a table of one column.
  const [rows, columns] = [shape.at(shape.length < 2 ? 0 : -2) ?? 1, shape.length < 2 ? 1 : (shape.at(-1) ?? 1)];
  const inner = Math.min(2, shape.length);
  const lead = leading(shape, inner, at);
  const step = as === "table" ? 1 : Math.max(1, Math.ceil(Math.max(rows, columns) / most));
  const first = as === "table" ? Math.min(from, Math.max(0, rows - 1)) : 0;
  const counts: [number, number] =
    as === "table"
      ? [Math.min(TABLE_ROWS, rows - first), Math.min(TABLE_COLUMNS, columns)]
      : [Math.ceil(rows / step), Math.ceil(columns / step)];
  const ofPlane = (row: number, column: number): number[] => [row, column].slice(0, inner);
  const values = await browser.numbers(file, path, {
    offset: [...lead, ...ofPlane(first, 0)],
    count: [...lead.map(() => 1), ...ofPlane(...counts)],
    step: [...lead.map(() => 1), ...ofPlane(step, step)],
  });
  return { shape: counts, step, values, texts: [] };
}

async function line(
  browser: H5Browser,
  file: string,
  path: string,
  shape: readonly number[],
  at: readonly number[],
  most: number,
): Promise<CallResult<"page.h5Data">> {
  const lead = leading(shape, Math.min(1, shape.length), at);
  const length = shape.at(-1) ?? 1;
  const step = Math.max(1, Math.ceil(length / most));
  const count = Math.ceil(length / step);
  const last = <T>(value: T): T[] => (shape.length === 0 ? [] : [value]);
  const values = await browser.numbers(file, path, {
    offset: [...lead, ...last(0)],
    count: [...lead.map(() => 1), ...last(count)],
    step: [...lead.map(() => 1), ...last(step)],
  });
  return { shape: [1, count], step, values, texts: [] };
}

/** The index on the axes before the last `inner` ones. */
function leading(shape: readonly number[], inner: number, at: readonly number[]): number[] {
  return shape.slice(0, shape.length - inner).map((_, k) => at[k] ?? 0);
}
