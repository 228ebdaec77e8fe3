// Shots of two split pulses for ../speckle.ts: few photons of speckle on a small sensor, and a sample that moves on.
import { Random } from "sacla/core";
import { createStack, type StackedShots, shotsFrom } from "sacla/reduce";

const [rows, columns, pedestalAdu, noiseAdu] = [128, 128, 110, 11];
export const sensor = "MPCCD-1N0-M06-002";
export const perPhotonAdu = 154;
export const delaySignal = "delay";
/** The field of the sample is another one after this time: g2 − 1 falls as exp(−2 τ / memoryPs). */
const memoryPs = 4;
const photonsPerPixel = 0.2;
const modes = 2;

const random = new Random(1);

/** Intensity of two pulses of equal energy, mean 1, in a pixel: each mode a complex field, partly the same in both. */
function intensity(same: number, isSingle: boolean): number {
  let sum = 0;
  for (let mode = 0; mode < modes; mode++) {
    const field = [random.normal(), random.normal()];
    const later = field.map((part) => same * part + Math.sqrt(1 - same * same) * random.normal());
    for (const part of isSingle ? [...field, ...field] : [...field, ...later]) sum += part * part;
  }
  return sum / (4 * modes);
}

function shots(delaysPs: readonly number[], firstTag: number, photons: number, isSingle = false): StackedShots {
  const stack = createStack([delaysPs.length, rows, columns], "float32");
  const pixels = rows * columns;
  for (let i = 0; i < stack.data.length; i++) {
    const same = Math.exp(-(delaysPs[Math.floor(i / pixels)] ?? 0) / memoryPs);
    const light = photons === 0 ? 0 : random.poisson(photons * intensity(same, isSingle));
    stack.data[i] = Math.round(pedestalAdu + noiseAdu * random.normal() + perPhotonAdu * light);
  }
  const tags = delaysPs.map((_, k) => firstTag + 2 * k);
  return shotsFrom({ [sensor]: stack }, { tags, signals: { [delaySignal]: delaysPs } });
}

const repeated = (delays: readonly number[], times: number): number[] =>
  delays.flatMap((delay) => Array.from({ length: times }, () => delay));

export const delaysPs = [0, 1, 2, 4, 8];
export const darkShots = () => shots(repeated([0], 20), 0, 0);
/** One branch closed. */
export const oneBranchShots = () => shots(repeated([0], 30), 1000, photonsPerPixel, true);
export const bothShots = () => shots(repeated(delaysPs, 30), 2000, photonsPerPixel);
