import { badArgument } from "../core/guards.ts";
import { integer, optional, resolveOptions } from "../core/options.ts";
import { spaced } from "../core/printable.ts";
import { extremes } from "./pixels.ts";

const wide = new RegExp(
  "[\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff00-\\uff60\\uffe0-\\uffe6]" +
    "|\\p{Extended_Pictographic}",
  "u",
);
const numeric = /^[+\-−]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/**
 * An aligned table for terminals. Columns that hold only numbers (and empty cells) are aligned right. Line breaks and
 * control characters in a cell, such as a run's comment, become a space. No header line is written when all its cells
 * are empty.
 *
 * @throws BAD_ARGUMENT when a row is longer than the header
 * @example
 * console.log(textTable(["run", "status"], [[206178, "stopped"]]));
 */
export function textTable(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const body = rows.map((row) => {
    if (row.length > header.length)
      throw badArgument("table row", row, `at most ${header.length} cells, as many as the header has`);
    return header.map((_, i) => spaced(String(row[i] ?? "")));
  });
  const head = header.map(spaced);
  const widths = head.map((text, i) => body.reduce((most, row) => Math.max(most, cells(row[i] ?? "")), cells(text)));
  const isRight = head.map(
    (_, i) => body.length > 0 && body.every((row) => row[i] === "" || row[i] === "NaN" || numeric.test(row[i] ?? "")),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((text, i) => {
        const space = " ".repeat((widths[i] ?? 0) - cells(text));
        return isRight[i] === true ? space + text : text + space;
      })
      .join("  ")
      .trimEnd();
  const lines = body.map(line);
  if (head.some((text) => text !== "")) lines.unshift(line(head), widths.map((width) => "─".repeat(width)).join("  "));
  return lines.join("\n");
}

/**
 * A table of {@link textTable} on a terminal so wide: columns beyond it are left out and counted, so that no number is
 * broken into two lines.
 */
export function fittedTable(table: string, width: number): { readonly text: string; readonly leftOut: number } {
  const lines = table.split("\n");
  const columns = (lines.find((line) => /^─+( {2}─+)*$/.test(line)) ?? "").split("  ");
  const ends = columns.map((_, i) => columns.slice(0, i + 1).join("  ").length);
  const kept = ends.filter((end) => end <= width).length;
  if (kept === 0 || kept === ends.length) return { text: table, leftOut: 0 };
  const end = ends[kept - 1] ?? 0;
  return { text: lines.map((line) => firstCells(line, end).trimEnd()).join("\n"), leftOut: ends.length - kept };
}

function firstCells(text: string, count: number): string {
  let [taken, n] = ["", 0];
  for (const character of text) {
    n += wide.test(character) ? 2 : 1;
    if (n > count) break;
    taken += character;
  }
  return taken;
}

/** Terminal cells a text takes: East Asian characters take two. */
function cells(text: string): number {
  let n = 0;
  for (const character of text) n += wide.test(character) ? 2 : 1;
  return n;
}

const bars = "▁▂▃▄▅▆▇█";

/** The values as one line of bars, lowest to highest; a space where there is no finite value. */
export function sparkline(values: ArrayLike<number>): string {
  const [low, high] = extremes(values) ?? [0, 1];
  return Array.from(values, (value) => {
    if (!Number.isFinite(value)) return " ";
    return bars.charAt(high > low ? Math.round(((value - low) / (high - low)) * (bars.length - 1)) : 3);
  }).join("");
}

export interface TerminalPlotOptions {
  /** Characters across, without the labels. @default 64 */
  readonly width?: number | undefined;
  /** Lines. @default 10 */
  readonly height?: number | undefined;
}

/** The bits of a braille character by row and column of its 4 × 2 dots (Unicode block U+2800). */
const brailleBits = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

/**
 * The values against their position as dots for a terminal, with the largest and smallest value at the left. Values
 * that are not finite are left out; without any it says "no data".
 *
 * @throws BAD_ARGUMENT when the size is not a whole number, 2 or more
 * @example
 * console.log(terminalPlot(bm1));
 */
export function terminalPlot(values: ArrayLike<number>, options: TerminalPlotOptions = {}): string {
  const { width, height } = resolveOptions("terminalPlot", options, {
    width: optional(integer(2, 1000), 64),
    height: optional(integer(2, 1000), 10),
  });
  const span = extremes(values);
  if (span === undefined) return "no data";
  const [low, high] = span;
  const dots = new Uint8Array(width * height);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? NaN;
    if (!Number.isFinite(value)) continue;
    const part = high > low ? (value - low) / (high - low) : 0.5;
    const x = Math.min(2 * width - 1, Math.floor((i / values.length) * 2 * width));
    const y = Math.round((1 - part) * (4 * height - 1));
    const at = Math.floor(y / 4) * width + Math.floor(x / 2);
    dots[at] = (dots[at] ?? 0) | (brailleBits[y % 4]?.[x % 2] ?? 0);
  }
  const [lowLabel, highLabel] = [String(Number(low.toPrecision(4))), String(Number(high.toPrecision(4)))];
  const room = Math.max(lowLabel.length, highLabel.length);
  return Array.from({ length: height }, (_, row) => {
    const label = row === 0 ? highLabel : row === height - 1 ? lowLabel : "";
    return (
      `${label.padStart(room)} ` +
      `┤${String.fromCharCode(...Array.from(dots.subarray(row * width, (row + 1) * width), (bits) => 0x2800 + bits))}`
    );
  }).join("\n");
}
