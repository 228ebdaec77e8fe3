import { exp } from "../core/portable-math.ts";
import type { Pump } from "./experiment.ts";
import { timingParameters } from "./parameters.ts";

/** Error function, |error| < 1.5e-7 (Abramowitz & Stegun 7.1.26). */
export function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const positive = 1 - poly * exp(-x * x);
  return x < 0 ? -positive : positive;
}

/**
 * Pump–probe delay of a shot, fs, positive when the X-rays come after the laser: stage + arrival.
 * With {@link edgePixel} it is the users' formula τ = 6.671 (motor − t0) + 2.6 (1000 − px).
 */
export function delayFs(pump: Pick<Pump, "t0Pulse">, delayPulse: number, arrivalFs: number): number {
  return timingParameters.fsPerPulse * (delayPulse - pump.t0Pulse) + arrivalFs;
}

/** Position of the edge on the timing monitor, pixel. Moving the timing-laser stage later moves it back. */
export function edgePixel(arrivalFs: number, timingPulse: number): number {
  const { zeroPixel, zeroPulse, fsPerPulse, fsPerPixel } = timingParameters;
  return zeroPixel - (arrivalFs + fsPerPulse * (timingPulse - zeroPulse)) / fsPerPixel;
}

/**
 * How much of an excitation there is at a delay, 0 to 1: a step with exponential recovery, blurred by a Gaussian of rms
 * σ, 1/2 · exp(σ²/2T² − τ/T) · (1 + erf((τ − σ²/T) / √2σ)).
 */
export function pumpResponse(pump: Pick<Pump, "riseFs" | "recoveryFs">, tauFs: number): number {
  const { riseFs: sigma, recoveryFs: decay } = pump;
  const rise = (1 + erf((tauFs - (sigma * sigma) / decay) / (Math.SQRT2 * sigma))) / 2;
  // Long before t0 the exponential overflows while the rise is 0.
  return rise < 1e-9 ? 0 : rise * exp((sigma * sigma) / (2 * decay * decay) - tauFs / decay);
}
