import type { SensorGeometry } from "../../core/detector.ts";
import type { H5File } from "../read/h5file.ts";

/** The place of a sensor; null when a part of it is no finite number, or a pixel has no size. */
export function placed(geometry: SensorGeometry): SensorGeometry | null {
  const { pixelSizeXUm, pixelSizeYUm } = geometry;
  return Object.values(geometry).every(Number.isFinite) && pixelSizeXUm > 0 && pixelSizeYUm > 0 ? geometry : null;
}

const lengths: Readonly<Record<string, number>> = { m: 1e6, mm: 1e3, um: 1 };

export function textOf(file: H5File, path: string, name: string): string | undefined {
  const found = file.attribute(path, name);
  return typeof found === "string" ? found : undefined;
}

function numbersOf(file: H5File, path: string, name: string): Float64Array | undefined {
  const found = file.attribute(path, name);
  return typeof found === "string" ? undefined : found;
}

/** Transformations that a chain of them has at most: more are a circle. */
const MOST_TRANSFORMATIONS = 20;

/** A translation that NeXus names, in µm; null for a rotation by more than nothing, and for what is not known. */
function translationUm(file: H5File, path: string): readonly number[] | null {
  const value = file.numberOrNone(path);
  const micrometres = (units: string | undefined): number => lengths[units ?? "m"] ?? NaN;
  if (textOf(file, path, "transformation_type") === "rotation") return value === 0 ? [0, 0, 0] : null;
  const vector = numbersOf(file, path, "vector") ?? [0, 0, 0];
  const length = Math.hypot(...vector) || 1;
  const along = ((value ?? 0) * micrometres(textOf(file, path, "units"))) / length;
  const offset = numbersOf(file, path, "offset") ?? [0, 0, 0];
  const offsetUm = micrometres(textOf(file, path, "offset_units") ?? textOf(file, path, "units"));
  return [0, 1, 2].map((k) => along * (vector[k] ?? 0) + (offset[k] ?? 0) * offsetUm);
}

/**
 * The place of a module across the beam, from its own translations and those it depends on; along the beam from its
 * own, because the rest is the camera length. Null where the chain turns the module, and for mirrored modules.
 */
export function moduleGeometry(file: H5File, at: string): SensorGeometry | null {
  const [fastPath, slowPath, modulePath] = ["fast_pixel_direction", "slow_pixel_direction", "module_offset"].map(
    (name) => `${at}/${name}`,
  ) as [string, string, string];
  const pixelUm = (path: string): number =>
    (file.numberOrNone(path) ?? NaN) * (lengths[textOf(file, path, "units") ?? "m"] ?? NaN);
  const fast = numbersOf(file, fastPath, "vector");
  const slow = numbersOf(file, slowPath, "vector");
  if (fast === undefined || (slow !== undefined && !isTurnedAsRows(fast, slow))) return null;
  const fastUnits = lengths[textOf(file, fastPath, "offset_units") ?? textOf(file, fastPath, "units") ?? "m"] ?? NaN;
  const own = [0, 1, 2].map((k) => (numbersOf(file, fastPath, "offset")?.[k] ?? 0) * fastUnits);
  const sums = [...own];
  let next = textOf(file, fastPath, "depends_on") ?? (file.kind(modulePath) === undefined ? "." : modulePath);
  for (let seen = 0; next !== "." && next !== ""; seen++) {
    const path: string = next.startsWith("/") ? next : `${at}/${next}`;
    const moved = seen < MOST_TRANSFORMATIONS && file.kind(path) === "dataset" ? translationUm(file, path) : null;
    if (moved === null) return null;
    const isOwn = path.startsWith(`${at}/`);
    for (const k of isOwn ? [0, 1, 2] : [0, 1]) sums[k] = (sums[k] ?? 0) + (moved[k] ?? 0);
    next = textOf(file, path, "depends_on") ?? ".";
  }
  const [x = NaN, y = NaN, z = NaN] = sums;
  return placed({
    posXUm: -x,
    posYUm: y,
    posZUm: -z + 0,
    rotationDeg: (Math.atan2(fast[1] ?? 0, -(fast[0] ?? 0)) * 180) / Math.PI,
    pixelSizeXUm: pixelUm(fastPath),
    pixelSizeYUm: pixelUm(slowPath),
    manipulatorShiftUm: 0,
  });
}

/** Whether the rows of a module follow its columns as those of a sensor do: a mirrored one is none. */
function isTurnedAsRows(fast: ArrayLike<number>, slow: ArrayLike<number>): boolean {
  const [fx = 0, fy = 0, sx = 0, sy = 0] = [fast[0], fast[1], slow[0], slow[1]];
  return fx * sy - fy * sx > 0.99 * Math.hypot(fx, fy) * Math.hypot(sx, sy);
}
