import { badArgument } from "../core/guards.ts";
import { asTags } from "../core/tags.ts";
import { badText, linesOf, tagIn } from "./text-formats.ts";

/** What the timing monitor found at one shot; NaN where it found no edge. */
export interface TimingEdge {
  /** Edge by the derivative, pixel. */
  readonly derivativePx: number;
  /** Edge by fitting, pixel. */
  readonly fittingPx: number;
  /** The fourth column, in the unit of its name; NaN when the file has none. */
  readonly delay: number;
}

/** The columns of a timing-monitor CSV. All arrays have one entry per row. */
export interface TimingColumns {
  /** The first line, with its brackets. */
  readonly comment: string;
  readonly tags: Iterable<number>;
  readonly derivativePx: Float64Array;
  readonly fittingPx: Float64Array;
  /** The fourth column, where there is one, under its own name. */
  readonly delay?: { readonly name: string; readonly values: Float64Array } | undefined;
}

const header = ["tag_number", "timing_edge_derivative(pixel)", "timing_edge_fitting(pixel)"] as const;
const format = "timing-monitor CSV";

/**
 * Timing-monitor edges by tag. The scale from pixels to femtoseconds, sign included, is calibrated in every beam time,
 * so it is not applied here.
 *
 * @example
 * const edges = timingEdges(await readFile("tma.csv", "utf8"));
 * const fs = (edges.at(tag)?.fittingPx ?? NaN) * 2.44;
 */
export class TimingEdges implements TimingColumns {
  readonly comment: string;
  /** Tags that have a row, in the order of the rows; a run's list may hold more. */
  readonly tags: Uint32Array;
  readonly derivativePx: Float64Array;
  readonly fittingPx: Float64Array;
  readonly delay: { readonly name: string; readonly values: Float64Array } | undefined;
  readonly #rowOf: Map<number, number>;

  /** @throws BAD_ARGUMENT when the columns differ in length, or a tag stands twice */
  constructor({ comment, tags, derivativePx, fittingPx, delay }: TimingColumns) {
    this.comment = comment;
    this.tags = asTags(tags);
    this.derivativePx = derivativePx;
    this.fittingPx = fittingPx;
    this.delay = delay;
    this.#rowOf = new Map(Array.from(this.tags, (tag, i) => [tag, i]));
    for (const values of [derivativePx, fittingPx, delay?.values ?? fittingPx]) {
      if (values.length !== this.tags.length)
        throw badArgument("the length of a timing column", values.length, `${this.tags.length}, one per tag`);
    }
    if (this.#rowOf.size < this.tags.length) throw badArgument("tags", this.tags, "tags that stand once each");
  }

  /** What was found at a tag; undefined when the file has no row for it. */
  at(tag: number): TimingEdge | undefined {
    const i = this.#rowOf.get(tag);
    if (i === undefined) return undefined;
    return {
      derivativePx: this.derivativePx[i] ?? NaN,
      fittingPx: this.fittingPx[i] ?? NaN,
      delay: this.delay?.values[i] ?? NaN,
    };
  }
}

/**
 * Reads a timing-monitor CSV (OutputTMACsvFromUDB): a line that begins with `[`, a header
 * `tag_number,timing_edge_derivative(pixel),timing_edge_fitting(pixel)` with perhaps a fourth column, and rows.
 * @throws BAD_TEXT naming the line
 */
export function timingEdges(text: string): TimingEdges {
  const [comment = "", head = "", ...rows] = linesOf(text);
  if (!comment.startsWith("[")) throw badText(format, 1, comment, "a comment that begins with [");
  const names = head.split(",").map((name) => name.trim());
  if (names.length > 4 || header.some((name, i) => names[i] !== name))
    throw badText(format, 2, head, `${header.join(",")}, with at most one column more`);
  const tags = new Uint32Array(rows.length);
  const columns = names.slice(1).map(() => new Float64Array(rows.length));
  const seen = new Set<number>();
  rows.forEach((row, i) => {
    const [first = "", ...cells] = row.split(",");
    const tag = tagIn(first, format, i + 3, row);
    if (cells.length !== columns.length)
      throw badText(format, i + 3, row, `${names.length} values separated by commas`);
    if (seen.has(tag)) throw badText(format, i + 3, row, "a tag that has no row yet");
    seen.add(tag);
    tags[i] = tag;
    columns.forEach((column, k) => {
      column[i] = numberIn(cells[k] ?? "", i + 3, row);
    });
  });
  const [derivativePx = new Float64Array(0), fittingPx = new Float64Array(0), values] = columns;
  const [, , , name] = names;
  return new TimingEdges({
    comment,
    tags,
    derivativePx,
    fittingPx,
    delay: name === undefined || values === undefined ? undefined : { name, values },
  });
}

/**
 * Writes a timing-monitor CSV in the form {@link timingEdges} reads.
 * @throws BAD_ARGUMENT when the comment or a name would break the form, columns differ in length or a value is infinite
 */
export function formatTimingCsv(columns: TimingColumns): string {
  const { comment, tags, derivativePx, fittingPx, delay } = new TimingEdges(columns);
  if (!/^\[[^\r\n]*$/.test(comment)) throw badArgument("comment", comment, "one line that begins with [");
  if (delay !== undefined && !/^[^,\r\n]+$/.test(delay.name))
    throw badArgument("name of the fourth column", delay.name, "a name without comma or line break");
  const lines = [comment, [...header, ...(delay === undefined ? [] : [delay.name])].join(",")];
  tags.forEach((tag, i) => {
    const cells = [derivativePx[i], fittingPx[i], ...(delay === undefined ? [] : [delay.values[i]])];
    lines.push([tag, ...cells.map((value) => decimal(value ?? NaN, tag))].join(","));
  });
  return `${lines.join("\n")}\n`;
}

function numberIn(cell: string, lineNumber: number, row: string): number {
  const text = cell.trim();
  if (/^nan$/i.test(text)) return NaN;
  const value = text === "" ? NaN : Number(text);
  if (!Number.isFinite(value)) throw badText(format, lineNumber, row, "numbers or NaN");
  return value;
}

/** The facility's files keep a decimal on whole pixels. */
function decimal(value: number, tag: number): string {
  if (value === Infinity || value === -Infinity)
    throw badArgument(`the timing edge at tag ${tag}`, value, "a finite number, or NaN where there is none");
  return Number.isInteger(value) && Math.abs(value) < 1e15 ? value.toFixed(1) : String(value);
}
