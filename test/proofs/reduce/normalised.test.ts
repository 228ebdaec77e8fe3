import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { Cube, monitorCheck, withPooledErrors } from "../../../src/reduce/index.ts";
import { scriptedShots } from "../../support/scripted-shots.ts";

describe("withPooledErrors", () => {
  it("holds the truth as often as it says with 3 shots a bin, where each bin's own scatter does not", async () => {
    const random = new Random(11);
    let [pooled, own] = [0, 0];
    const rounds = 60;
    for (let k = 0; k < rounds; k++) {
      const shots = Array.from({ length: 60 }, (_, tag) => {
        const i0 = 1 + 0.3 * random.normal();
        return { tag, signals: { x: tag % 20, pd: 2 * i0 + 0.1 * random.normal(), i0 } };
      });
      const cube = await new Cube({
        axes: [{ name: "x", of: "x", from: -0.5, to: 19.5, step: 1 }],
        values: { signals: ["pd"], normaliseBy: "i0" },
      }).update(scriptedShots(shots, 1, 1));
      const found = cube.normalised("pd");
      const better = withPooledErrors(found);
      expect(better.errorFreedom).toBe(40);
      for (let bin = 0; bin < 20; bin++) {
        const off = Math.abs((found.mean.data[bin] ?? NaN) - 2);
        if (off <= (found.standardError.data[bin] ?? NaN)) own++;
        if (off <= (better.standardError.data[bin] ?? NaN)) pooled++;
      }
    }
    expect(own / rounds / 20).toBeLessThan(0.62);
    expect(pooled / rounds / 20).toBeGreaterThan(0.63);
    expect(pooled / rounds / 20).toBeLessThan(0.73);
  });
});

describe("monitorCheck", () => {
  const random = new Random(13);
  function shots(pedestal: number, bend: number, noise = 0) {
    const i0 = Array.from({ length: 300 }, () => 1 + 0.25 * random.normal());
    const signal = i0.map((i) => 2 * i + bend * i * i + 0.02 * Math.abs(i) * random.normal());
    return [signal, i0.map((i) => i + pedestal + noise * random.normal())] as const;
  }

  it("has errors that hold the truth as often as they say, the noise of the monitor taken off", () => {
    for (const noise of [0, 0.05]) {
      const held = { pedestal: 0, curvature: 0 };
      for (let k = 0; k < 250; k++) {
        const found = monitorCheck(...shots(0.05, 0, noise), { monitorNoise: noise });
        if (Math.abs(found.pedestal - 0.05) <= found.pedestalError) held.pedestal++;
        if (Math.abs(found.curvature) <= found.curvatureError) held.curvature++;
      }
      for (const count of Object.values(held)) {
        expect(count / 250).toBeGreaterThan(0.58);
        expect(count / 250).toBeLessThan(0.78);
      }
    }
  });
});
