import { hash, Random } from "../core/random.ts";
import { mpccdParameters } from "./parameters.ts";

/**
 * What a sensor gives without light, and its bad pixels. A property of the sensor: the same for every seed of the
 * facility.
 */
export interface DarkPattern {
  /** Mean of each pixel without drift, ADU; row-major. */
  readonly pedestal: Float32Array;
  /** Pixels whose leakage adds `hotAdu`. */
  readonly hot: Uint32Array;
  readonly hotAdu: Float32Array;
  /** Pixels that stay at their pedestal whatever happens. */
  readonly dead: Uint32Array;
}

/**
 * @param pedestal - the memory of the pedestal
 * @param draw - fills it, by numbers of this stream
 */
export function makeDarkPattern(sensorId: string, pedestal: Float32Array, draw: (random: Random) => void): DarkPattern {
  const random = new Random(hash("dark pattern", sensorId));
  draw(random);
  const { hotShare, deadShare, hotMinimumAdu, hotMaximumAdu } = mpccdParameters;
  const bad = new Set<number>();
  const hotCount = Math.round(hotShare * pedestal.length);
  const badCount = hotCount + Math.round(deadShare * pedestal.length);
  while (bad.size < badCount) bad.add(Math.floor(random.uniform() * pedestal.length));
  const all = [...bad];
  const hot = Uint32Array.from(all.slice(0, hotCount));
  const hotAdu = Float32Array.from(hot, () => hotMinimumAdu + (hotMaximumAdu - hotMinimumAdu) * random.uniform());
  return { pedestal, hot, hotAdu, dead: Uint32Array.from(all.slice(hotCount)) };
}
