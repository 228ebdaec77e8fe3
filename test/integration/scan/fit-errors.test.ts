import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { normalCdf } from "../../../src/core/special-functions.ts";
import { centroid, fitPeak, fitStep, VirtualDevices } from "../../../src/scan/index.ts";
import { rounds } from "../../support/full.ts";

const scans = rounds(300);

describe("fits", () => {
  it("of peaks state errors that cover the truth as often as they say", () => {
    const gaussian = (x: number): number => 3 + 50 * Math.exp((-4 * Math.LN2 * (x - 1.3) ** 2) / 0.4 ** 2);
    const xs = Array.from({ length: 41 }, (_, i) => i * 0.05);
    const devices = new VirtualDevices({ axes: {}, signals: { noise: ({ random }) => random.normal() }, seed: 5 });
    const noise = devices.shots({ count: 41 * scans, signals: ["noise"] }).values["noise"] ?? [];
    const pulls: number[] = [];
    for (let k = 0; k < scans; k++) {
      const ys = xs.map((x, i) => gaussian(x) + 2 * (noise[41 * k + i] ?? 0));
      const fit = fitPeak(xs, ys, { errors: xs.map(() => 2) });
      pulls.push((fit.centre - 1.3) / fit.centreError);
    }
    const rms = Math.sqrt(pulls.reduce((sum, pull) => sum + pull * pull, 0) / pulls.length);
    // Of n pulls: rms 1 within 4 standard errors of 1/√(2 n).
    expect(Math.abs(rms - 1)).toBeLessThan(4 / Math.sqrt(2 * scans));
  });

  it("give the centroid with its error, not pulled by the rest of the window", () => {
    const noise = new Random(3);
    const wide = Array.from({ length: 81 }, (_, i) => -10 + 0.25 * i);
    const pulls: number[] = [];
    for (let k = 0; k < scans; k++) {
      const y = wide.map((x) => 5 + 2 * Math.exp(-((x - 3) ** 2)) + 0.2 * noise.normal());
      const { centre, centreError } = centroid(wide, y, { errors: wide.map(() => 0.2) });
      pulls.push((centre - 3) / centreError);
    }
    const rms = Math.sqrt(pulls.reduce((sum, pull) => sum + pull * pull, 0) / pulls.length);
    expect(Math.abs(rms - 1)).toBeLessThan(4 / Math.sqrt(2 * scans));
  });

  it("of steps state errors that cover the truth as often as they say", () => {
    const random = new Random(7);
    const xs = Array.from({ length: 41 }, (_, i) => -2 + 0.1 * i);
    const truth = xs.map((x) => 1 + 2 * normalCdf((x - 0.1) / 0.2));
    const pulls: [number[], number[], number[]] = [[], [], []];
    for (let k = 0; k < scans; k++) {
      const fit = fitStep(
        xs,
        truth.map((y) => y + 0.1 * random.normal()),
        { errors: xs.map(() => 0.1) },
      );
      pulls[0].push((fit.centre - 0.1) / fit.centreError);
      pulls[1].push((fit.width - 0.2) / fit.widthError);
      pulls[2].push((fit.height - 2) / fit.heightError);
    }
    // Of n pulls: rms 1 within 4 standard errors of 1/√(2 n).
    for (const each of pulls)
      expect(Math.abs(Math.sqrt(each.reduce((sum, pull) => sum + pull * pull, 0) / scans) - 1)).toBeLessThan(
        4 / Math.sqrt(2 * scans),
      );
  });
});
