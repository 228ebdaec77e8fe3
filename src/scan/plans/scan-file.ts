import { SaclaError, show } from "../../core/errors.ts";
import type { Positions } from "../messages/messages.ts";

/**
 * RunControlGUI's custom scan file: a CSV whose first line names the axes (`bl3_st1_pm003,bl3_st1_pm005`), then a line
 * of whole pulses per point (public SACLA user scripts). Spaces and tabs beside the commas, a trailing comma and empty
 * lines are accepted.
 *
 * @param toUnits - from pulses of a control name to the axis and its units; without it they stay as they are
 * @param isInUnits - of which axes the numbers are positions in units, with decimals, and no pulses; without it of none
 * @throws BAD_TEXT naming the line
 * @example
 * scanPoints({ points: parseScanFile(await readFile("scan.csv", "utf8")), shots: 60 });
 */
export function parseScanFile(
  text: string,
  toUnits: (axis: string, pulses: number) => readonly [axis: string, position: number] = (axis, pulses) => [
    axis,
    pulses,
  ],
  isInUnits: (axis: string) => boolean = () => false,
): Positions[] {
  const lines = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.replace(/,?\s*$/, ""));
  const head = lines.findIndex((line) => line.trim() !== "");
  const axes = cellsOf(lines[head] ?? "");
  if (head < 0) throw new SaclaError("BAD_TEXT", "The scan file is empty; its first line must name the axes.");
  const odd = axes.find((axis) => !/^[A-Za-z_][\w-]*$/.test(axis));
  if (odd !== undefined) throw bad(head, `${show(odd)} is no name of an axis`);
  if (new Set(axes).size !== axes.length) throw bad(head, "an axis is named twice");
  const points: Positions[] = [];
  for (const [i, line] of lines.entries()) {
    if (i <= head || line.trim() === "") continue;
    const cells = cellsOf(line);
    if (cells.length !== axes.length) throw bad(i, `there are ${cells.length} numbers for ${axes.length} axes`);
    points.push(
      Object.fromEntries(
        axes.map((axis, k) => {
          const cell = cells[k] ?? "";
          if (isInUnits(axis)) {
            if (cell === "" || !Number.isFinite(Number(cell))) throw bad(i, `${show(cell)} is no number`);
          } else if (!/^[+-]?\d+$/.test(cell)) throw bad(i, `${show(cell)} is no whole number of pulses`);
          return toUnits(axis, Number(cell));
        }),
      ),
    );
  }
  if (points.length === 0) throw new SaclaError("BAD_TEXT", "The scan file has axes and no points.");
  return points;
}

function cellsOf(line: string): string[] {
  return line.split(",").map((cell) => cell.trim());
}

function bad(line: number, why: string): SaclaError {
  return new SaclaError("BAD_TEXT", `Line ${line + 1} of the scan file: ${why}.`, { details: { line: line + 1 } });
}
