import type { VirtualDevicesOptions } from "../../../src/scan/index.ts";

/** A stage, a crystal with its peak at 12.5, a shutter; intensities fluctuate by 5 %. */
export const bench: VirtualDevicesOptions = {
  axes: {
    delay: { limits: { from: -10, to: 500 }, speed: 100, acceleration: 500, overheadSeconds: 0.2 },
    theta: { limits: { from: 0, to: 30 }, speed: 2, backlash: 0.1 },
    x: { limits: "unlimited", speed: 5 },
    y: { limits: "unlimited", speed: 5 },
  },
  shutters: ["main"],
  settings: { att: 0 },
  signals: {
    i0: ({ random }) => 1 + 0.05 * random.normal(),
    bragg: ({ at, random }) => (10 * Math.exp((-4 * Math.LN2 * (at("theta") - 12.5) ** 2) / 0.8 ** 2) + 0.5) * (1 + 0.02 * random.normal()),
    beam: () => 1,
  },
  rateHz: 30,
};

/** Runs to the first thing of a kind, with `act`. */
export function onceAt<T>(n: number, act: (value: T) => void): (value: T) => void {
  let seen = 0;
  return (value) => {
    if (++seen === n) act(value);
  };
}
