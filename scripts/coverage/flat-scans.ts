import { isSaclaError } from "../../src/core/errors.ts";
import type { Random } from "../../src/core/random.ts";
import { centroid, countErrors, fitDecay, fitPeak, fitStep, pooledErrors } from "../../src/scan/index.ts";

const x = Array.from({ length: 21 }, (_, i) => i);

interface Points {
  readonly y: readonly number[];
  readonly options: { readonly errors?: readonly number[]; readonly errorFreedom?: number };
}

type Finder = (y: readonly number[], options: Points["options"]) => unknown;

/** What looks for something in a scan. */
export const finders = {
  peak: (y, options) => fitPeak(x, y, options),
  centroid: (y, options) => centroid(x, y, options),
  step: (y, options) => fitStep(x, y, options),
  "peak, line": (y, options) => fitPeak(x, y, { ...options, background: "line" }),
  "peak, robust": (y, options) => fitPeak(x, y, { ...options, robust: true }),
  lorentzian: (y, options) => fitPeak(x, y, { ...options, shape: "lorentzian" }),
  "pseudo-voigt": (y, options) => fitPeak(x, y, { ...options, shape: "pseudo-voigt" }),
  darwin: (y, options) => fitPeak(x, y, { ...options, shape: "darwin" }),
  "step, line": (y, options) => fitStep(x, y, { ...options, after: "line" }),
  "step, parabola": (y, options) => fitStep(x, y, { ...options, after: "parabola" }),
  decay: (y, options) => fitDecay(x, y, options),
  "decay, offset": (y, options) => fitDecay(x, y, { ...options, offset: true }),
} as const satisfies Readonly<Record<string, Finder>>;

/** The three that drive an axis. */
export const driving: readonly (keyof typeof finders)[] = ["peak", "centroid", "step"];

/** Means and errors of shots of 50 ± 5, as a scan gives them; `change` is added at each point. */
function scanned(random: Random, shots: number, change: (i: number) => number = () => 0): Points {
  const points = x.map((i) => {
    const values = Array.from({ length: shots }, () => 50 + change(i) + 5 * random.normal());
    const mean = values.reduce((sum, value) => sum + value, 0) / shots;
    const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    return { count: shots, mean, standardError: shots < 2 ? NaN : Math.sqrt(square / (shots - 1) / shots) };
  });
  const { errors, errorFreedom } = pooledErrors(points);
  return { y: points.map(({ mean }) => mean), options: errorFreedom > 0 ? { errors, errorFreedom } : {} };
}

/** Scans without any feature. */
export const flats = {
  flat: scanned,
  /** A monitor that drifts by 1 % from the first point to the last. */
  "drift of 1 %": (random, shots) => scanned(random, shots, (i) => (0.01 * 50 * i) / (x.length - 1)),
  /** One point of 60 standard errors, as when the beam came back. */
  "one outlier": (random, shots) => {
    const at = Math.floor(x.length * random.uniform());
    return scanned(random, shots, (i) => (i === at ? (60 * 5) / Math.sqrt(shots) : 0));
  },
  /** 0 to 3 counts a point. */
  "few counts": (random, shots) => {
    const counts = x.map(() => random.poisson(0.2 * Math.min(shots, 5)));
    return { y: counts, options: { errors: countErrors(counts) } };
  },
} as const satisfies Readonly<Record<string, (random: Random, shots: number) => Points>>;

/** How many of so many scans without any feature pass as one. */
export function flatScans(
  random: Random,
  shots: number,
  count: number,
  { kind = "flat", find = driving }: { kind?: keyof typeof flats; find?: readonly (keyof typeof finders)[] } = {},
): Readonly<Record<string, number>> {
  const passed = Object.fromEntries(find.map((name) => [name, 0]));
  for (let k = 0; k < count; k++) {
    const { y, options } = flats[kind](random, shots);
    for (const name of find) passed[name] = (passed[name] ?? 0) + passes(() => finders[name](y, options));
  }
  return passed;
}

function passes(find: () => unknown): 0 | 1 {
  try {
    find();
    return 1;
  } catch (error) {
    if (isSaclaError(error, "NO_PEAK") || isSaclaError(error, "NO_STEP")) return 0;
    throw error;
  }
}
