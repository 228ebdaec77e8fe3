// Shots of a crystal spectrometer for ../emission-lines.ts: photons along curved lines of a small sensor.
import { Random } from "sacla/core";
import { createStack, type StackedShots, shotsFrom } from "sacla/reduce";

const [rows, columns, pedestalAdu, noiseAdu] = [96, 320, 110, 11];
export const sensor = "MPCCD-1N0-M06-002";
export const perPhotonAdu = 108.5;

/** 10 eV are 62.5 columns; lines are tilted and curved across the rows. */
const columnOf = (energyEv: number, row: number): number =>
  160 + (energyEv - 7050) / 0.16 + 0.012 * (row - 48) + 0.0004 * (row - 48) ** 2;

const random = new Random(1);
const blurred = (energyEv: number) => () => energyEv + 0.6 * random.normal();
const lorentzian = (energyEv: number, fwhmEv: number) => () =>
  energyEv + (fwhmEv / 2) * Math.tan(Math.PI * (random.uniform() - 0.5)) + 0.6 * random.normal();
const main = lorentzian(7056.2, 3.4);
const satellite = lorentzian(7044.1, 6);

/** Each entry is a shot: how many photons, and what draws the energy of one. */
function shots(all: readonly { photons: number; energyEv: () => number }[], firstTag: number): StackedShots {
  const stack = createStack([all.length, rows, columns], "float32");
  for (let i = 0; i < stack.data.length; i++) stack.data[i] = Math.round(pedestalAdu + noiseAdu * random.normal());
  for (const [k, { photons, energyEv }] of all.entries())
    for (let n = random.poisson(photons); n > 0; n--) {
      const row = Math.floor(rows * random.uniform());
      const column = Math.round(columnOf(energyEv(), row));
      if (column >= 0 && column < columns)
        stack.set(k, row, column, Math.round(stack.get(k, row, column) + perPhotonAdu));
    }
  return shotsFrom({ [sensor]: stack }, { tags: all.map((_, k) => firstTag + 2 * k) });
}

const calibrationEv = [7030, 7040, 7050, 7060, 7070];
export const calibration = calibrationEv.map((energyEv, k) => ({ energyEv, tags: [1000 + 2 * k] }));
export const darkShots = () =>
  shots(
    Array.from({ length: 10 }, () => ({ photons: 0, energyEv: main })),
    0,
  );
export const lightShots = () =>
  shots(
    [
      ...calibrationEv.map((energyEv) => ({ photons: 10_000, energyEv: blurred(energyEv) })),
      ...Array.from({ length: 10 }, (_, k) => ({ photons: 500, energyEv: k < 7 ? main : satellite })),
    ],
    1000,
  );
