import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { calibrateTiming, relativeFs } from "../../../src/timing/index.ts";

const truth = { fsPerPixel: 2.6, quadratic: 6e-4, zeroPx: 1000 };

/** Up and down over 300 pulses, five shots at each of eleven positions, with a play of 20 pulses. */
function scan(random: Random, scale = truth, { edgeNoise = 1, jitterFs = 100 } = {}) {
  const steps = Array.from({ length: 11 }, (_, k) => 11_850 + 30 * k);
  return [
    ...steps.map((pulse) => ({ pulse, direction: 1 as const })),
    ...steps.toReversed().map((pulse) => ({ pulse, direction: -1 as const })),
  ]
    .flatMap((one) => Array.from({ length: 5 }, () => one))
    .map(({ pulse, direction }) => {
      const fs = -6.671 * (pulse - 12_000 - 10 * direction) + jitterFs * random.normal();
      const { fsPerPixel: a, quadratic: b } = scale;
      const px = scale.zeroPx + (Math.sqrt(a * a + 4 * b * fs) - Math.abs(a)) / (2 * b) / Math.sign(a);
      return { pulse, direction, edgePx: px + edgeNoise * random.normal() };
    });
}

const options = { fsPerPulse: 6.671, homePulse: 12_000, zeroPx: 1000 };

describe("calibrateTiming", () => {
  it("gives scale, quadratic term and backlash without bias, with errors that cover", () => {
    const random = new Random(3);
    const found = Array.from({ length: 400 }, () => calibrateTiming(scan(random), options));
    const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    const columns: [number[], number[], number, number][] = [
      [found.map((one) => one.fsPerPixel), found.map((one) => one.fsPerPixelError), 2.6, 0.006],
      [found.map((one) => one.quadratic), found.map((one) => one.quadraticError), 6e-4, 3e-5],
      [found.map((one) => one.backlashPulse), found.map((one) => one.backlashPulseError), 20, 0.5],
    ];
    for (const [values, errors, expected, tolerance] of columns) {
      // A straight fit of stage against pixel is 2 to 3 % (0.06) low in the scale.
      expect(Math.abs(mean(values) - expected)).toBeLessThan(tolerance);
      const inside = values.filter((value, i) => Math.abs(value - expected) < (errors[i] ?? 0)).length / values.length;
      expect(inside).toBeGreaterThan(0.62);
      expect(inside).toBeLessThan(0.75);
    }
    expect(mean(found.map((one) => one.jitterFs))).toBeCloseTo(100, -1);
  });

  it("has errors that hold the scale where the jitter is a quarter of the scan", () => {
    const random = new Random(8);
    const found = Array.from({ length: 300 }, () => calibrateTiming(scan(random, truth, { jitterFs: 250 }), options));
    const inside = found.filter(({ fsPerPixel, fsPerPixelError }) => Math.abs(fsPerPixel - 2.6) < fsPerPixelError);
    expect(inside.length / found.length).toBeGreaterThan(0.63);
    expect(inside.length / found.length).toBeLessThan(0.75);
  });

  it("takes the direction from the order of the positions, and a scale of either sign", () => {
    const random = new Random(4);
    const points = scan(random).map(({ pulse, edgePx }) => ({ pulse, edgePx }));
    const { backlashPulse, backlashPulseError, leftOut } = calibrateTiming(points, options);
    expect(Math.abs(backlashPulse - 20)).toBeLessThan(3 * backlashPulseError);
    // The five shots that stand at the turning point longer than elsewhere.
    expect(leftOut).toBe(5);
    const mirrored = scan(random).map((point) => ({ ...point, edgePx: 2000 - point.edgePx }));
    const { fsPerPixel, fsPerPixelError } = calibrateTiming(mirrored, options);
    expect(Math.abs(fsPerPixel + 2.6)).toBeLessThan(3 * fsPerPixelError);
  });

  it("knows no backlash of a scan that went one way, and finds its own zero", () => {
    const points = scan(new Random(5)).filter(({ direction }) => direction === 1);
    const found = calibrateTiming(points, { fsPerPulse: 6.671 });
    expect(found.backlashPulse).toBeNaN();
    expect(found.homePulse).toBe(12_000);
    expect(Math.abs(found.fsPerPixel - 2.6)).toBeLessThan(4 * found.fsPerPixelError);
    expect(relativeFs(found.zeroPx, found)).toBe(0);
  });

  it("refuses too few shots", () => {
    const points = scan(new Random(6));
    expect(() => calibrateTiming(points.slice(0, 10), options)).toThrow("10 shots with an edge at 2 positions");
    expect(() => calibrateTiming(points, { fsPerPulse: 0 })).toThrow("fsPerPulse");
  });
});
