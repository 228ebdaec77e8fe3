import type { Shot } from "../../core/shots.ts";
import type { Row } from "../engine/callback.ts";

/**
 * The good shots of a row as shots of `src/reduce`, without images: each has the signals that were kept and the row's
 * positions under their names. So a cube grows while the scan goes on.
 *
 * @example
 * const axis = { name: "delay", of: "delay", targets: positions, tolerance: 0.01 };
 * const cube = new Cube({ axes: [axis], values: { signals: [diode] } });
 * const callback = {
 *   point: (row: Row) => {
 *     updates.push(cube.update(shotsOfRow(row)));
 *   },
 * };
 */
export async function* shotsOfRow({ data, taken }: Row): AsyncGenerator<Shot, void, undefined> {
  if (taken === null) return;
  for (const [i, tag] of taken.tags.entries()) {
    const number = (signal: string): number => data[signal] ?? taken.values[signal]?.[i] ?? NaN;
    yield {
      tag,
      images: {},
      number,
      value: (signal) => {
        const value = number(signal);
        return Number.isNaN(value) ? { reason: "missing" } : { value, unit: "" };
      },
    };
  }
}

/**
 * The position at which a shot of the scan was taken, for the axis of a `Cube`. Images of a run can be read when it has
 * ended: the rows tell then where they belong. A shot that no row has used is `not-in-scan`.
 *
 * @example
 * const axis = { name: "delay", of: scanPosition(table.rows, "delay"), targets, tolerance: 0.01 };
 * const images = new Cube({ axes: [axis], values: { images: { average: mean() } } });
 * await images.update(facility.shots({ run, detectors, tags }));
 */
export function scanPosition(
  rows: readonly Row[],
  name: string,
): { readonly signals: readonly string[]; read(shot: Pick<Shot, "tag">): number | string } {
  const at = new Map<number, number>();
  for (const { data, taken } of rows) for (const tag of taken?.tags ?? []) at.set(tag, data[name] ?? NaN);
  return { signals: [], read: ({ tag }) => at.get(tag) ?? "not-in-scan" };
}
