import { isSaclaError } from "../../src/core/errors.ts";
import type { Random } from "../../src/core/random.ts";
import { centroid, fitPeak, fitStep, pooledErrors } from "../../src/scan/index.ts";

const x = Array.from({ length: 21 }, (_, i) => i);

/** How many of so many scans without any feature (50 ± 5 a shot, 21 points) pass as a peak, a centroid, a step. */
export function flatScans(random: Random, shots: number, count: number): Readonly<Record<string, number>> {
  const passed = { peak: 0, centroid: 0, step: 0 };
  for (let k = 0; k < count; k++) {
    const points = x.map(() => {
      const values = Array.from({ length: shots }, () => 50 + 5 * random.normal());
      const mean = values.reduce((sum, value) => sum + value, 0) / shots;
      const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
      return { count: shots, mean, standardError: shots < 2 ? NaN : Math.sqrt(square / (shots - 1) / shots) };
    });
    const y = points.map(({ mean }) => mean);
    const { errors, errorFreedom } = pooledErrors(points);
    const options = errorFreedom > 0 ? { errors, errorFreedom } : {};
    passed.peak += passes(() => fitPeak(x, y, options));
    passed.centroid += passes(() => centroid(x, y, options));
    passed.step += passes(() => fitStep(x, y, options));
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
