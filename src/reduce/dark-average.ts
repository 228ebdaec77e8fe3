import { SaclaError } from "../core/errors.ts";
import type { Ledger } from "../core/ledger.ts";
import type { PreciseImage } from "../core/ndarray.ts";
import type { ShotStream } from "../core/shots.ts";
import type { DarkMeans } from "./dark-means.ts";
import { type ReduceOptions, reduce } from "./reduce.ts";
import { mean, variance } from "./reducers/pixel-statistics.ts";

/** The average of dark shots, for each sensor: what {@link reduce} takes as `dark`. */
export interface Dark {
  /** Mean, ADU, shape [rows, columns]. */
  readonly mean: DarkMeans;
  /** Standard deviation over the dark shots (of the population), ADU, shape [rows, columns]. */
  readonly noise: Readonly<Record<string, PreciseImage>>;
  readonly ledger: Ledger;
}

/**
 * Averages dark shots.
 * @throws NO_DARK when no shot was left
 * @example
 * const dark = await darkAverage(facility.shots({ run, detectors, tags: await run.darkTags() }));
 */
export async function darkAverage(shots: ShotStream, options: Omit<ReduceOptions, "dark"> = {}): Promise<Dark> {
  const { statistics, ledger } = await reduce(shots, { statistics: variance() }, options);
  checkUsed(ledger);
  const each = (pick: (s: (typeof statistics)[string]) => PreciseImage): Record<string, PreciseImage> =>
    Object.fromEntries(Object.entries(statistics).map(([id, s]) => [id, pick(s)]));
  return { mean: each((s) => s.mean), noise: each((s) => squareRoot(s.variance)), ledger };
}

/** @internal The means alone, the same bits in less time and memory. @throws NO_DARK when no shot was left */
export async function darkMean(
  shots: ShotStream,
  options: Omit<ReduceOptions, "dark"> = {},
): Promise<Omit<Dark, "noise">> {
  const { average, ledger } = await reduce(shots, { average: mean() }, options);
  checkUsed(ledger);
  return { mean: average, ledger };
}

function checkUsed(ledger: Ledger): void {
  if (ledger.used > 0) return;
  throw new SaclaError(
    "NO_DARK",
    `None of the ${ledger.asked} dark shots could be used. Name other dark tags or a dark run.`,
    { details: { ledger } },
  );
}

function squareRoot(image: PreciseImage): PreciseImage {
  for (let i = 0; i < image.data.length; i++) image.data[i] = Math.sqrt(image.data[i] ?? NaN);
  return image;
}
