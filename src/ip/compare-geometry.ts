import type { DetectorInfo } from "../core/detector.ts";
import { SaclaError, showList } from "../core/errors.ts";
import { geometryOf } from "./geometry.ts";
import { direction } from "./placement.ts";

/** How far one sensor lies from where it lay: its middle, and its turn. */
export interface SensorMove {
  readonly id: string;
  /** Name of the panel in the other geometry. */
  readonly panel: string;
  /** µm, in the frame of the detector API: to the right looking from the source, up, to the source. */
  readonly dxUm: number;
  readonly dyUm: number;
  readonly dzUm: number;
  /** Anticlockwise, in degrees. */
  readonly turnDeg: number;
}

/** How far the sensors of one geometry lie from those of another. */
export interface GeometryComparison {
  readonly sensors: readonly SensorMove[];
  /** The mean of {@link sensors}: how far the detector moved as a whole. */
  readonly mean: Omit<SensorMove, "id" | "panel">;
  /** Rms distance of the sensors' middles across the beam once the mean is taken off, in µm. */
  readonly restUm: number;
}

/**
 * How far each sensor moved from one geometry to another, as a refined CrystFEL geometry from the detector's own.
 * Panels belong to the sensors of their name; when no name fits, to the sensors in their order (`q1`, `q2` … of SACLA's
 * pipelines).
 *
 * @param before - sensors with the ids of the detector
 * @param after - sensors of {@link parseCrystfelGeom}
 * @throws BAD_ARGUMENT when neither names nor numbers fit
 * @throws BAD_GEOMETRY when a sensor has no geometry
 * @example
 * const { sensors } = compareGeometry(infos, parseCrystfelGeom(text).sensors);
 */
export function compareGeometry(before: readonly DetectorInfo[], after: readonly DetectorInfo[]): GeometryComparison {
  const pairs = pairsOf(before, after);
  const sensors = pairs.map(([old, now]): SensorMove => {
    if (old.xsize !== now.xsize || old.ysize !== now.ysize)
      throw new SaclaError(
        "BAD_ARGUMENT",
        `Panel ${now.id} has ${now.ysize} × ${now.xsize} pixels, sensor ${old.id} ${old.ysize} × ${old.xsize}: ` +
          "the file is of another detector, or binned.",
      );
    const [from, to] = [middleOf(old), middleOf(now)];
    const turn = geometryOf(now).rotationDeg - geometryOf(old).rotationDeg;
    return {
      id: old.id,
      panel: now.id,
      dxUm: to.x - from.x,
      dyUm: to.y - from.y,
      dzUm: to.z - from.z,
      turnDeg: turn - 360 * Math.round(turn / 360) + 0,
    };
  });
  const meanOf = (pick: (move: SensorMove) => number): number =>
    sensors.reduce((sum, move) => sum + pick(move), 0) / sensors.length;
  const mean = {
    dxUm: meanOf(({ dxUm }) => dxUm),
    dyUm: meanOf(({ dyUm }) => dyUm),
    dzUm: meanOf(({ dzUm }) => dzUm),
    turnDeg: meanOf(({ turnDeg }) => turnDeg),
  };
  const restUm = Math.sqrt(meanOf(({ dxUm, dyUm }) => (dxUm - mean.dxUm) ** 2 + (dyUm - mean.dyUm) ** 2));
  return { sensors, mean, restUm };
}

function pairsOf(
  before: readonly DetectorInfo[],
  after: readonly DetectorInfo[],
): readonly (readonly [old: DetectorInfo, now: DetectorInfo])[] {
  const named = before.flatMap((old) => {
    const now = after.find(({ id }) => id === old.id);
    return now === undefined ? [] : [[old, now] as const];
  });
  if (named.length > 0) return named;
  if (before.length > 0 && before.length === after.length)
    return before.map((old, i) => [old, after[i] ?? old] as const);
  const names = (infos: readonly DetectorInfo[]): string => showList(infos.map(({ id }) => id));
  throw new SaclaError(
    "BAD_ARGUMENT",
    `No panel has the name of a sensor, and there are ${after.length} panels (${names(after)}) ` +
      `for ${before.length} sensors (${names(before)}).`,
  );
}

function middleOf(info: DetectorInfo): { x: number; y: number; z: number } {
  const g = geometryOf(info);
  const { cos, sin } = direction(g.rotationDeg);
  const [along, down] = [(info.xsize / 2) * g.pixelSizeXUm, (info.ysize / 2) * g.pixelSizeYUm];
  return { x: g.posXUm + along * cos + down * sin, y: g.posYUm + along * sin - down * cos, z: g.posZUm };
}
