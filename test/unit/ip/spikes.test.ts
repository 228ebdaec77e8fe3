import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { withoutSpikes } from "../../../src/ip/spikes.ts";
import { square } from "../../support/powder-rings.ts";

const info = square(500);
const { xsize, ysize } = info;
const at = (row: number, column: number) => row * xsize + column;

describe("withoutSpikes", () => {
  it("cuts hot and cold pixels, and leaves bright regions and single photons as they are", () => {
    const random = new Random(4);
    for (const [level, noise] of [
      [0.05, 0.02],
      [0.05, 0],
      [4, 0.02],
      [400, 5],
    ] as const) {
      const image = Float64Array.from({ length: xsize * ysize }, (_, i) => {
        const isRing = Math.abs(Math.hypot((i % xsize) - 100, Math.floor(i / xsize) - 100) - 60) < 2;
        return random.poisson(isRing ? 20 * level : level) + noise * random.normal();
      });
      const spiked = image.slice();
      const hot = [at(20, 20), at(160, 40), at(199, 0), at(100, 161)];
      for (const i of hot) spiked[i] = 100_000;
      spiked[at(50, 50)] = -100_000;
      const calm = withoutSpikes(spiked, null, info);
      for (const i of hot) expect(calm[i]).toBeLessThan(100 * (level + 0.1));
      expect(calm[at(50, 50)]).toBeGreaterThan(-20 * (level + 0.1));
      const changed = image.filter((value, i) => spiked[i] === value && calm[i] !== value);
      expect(changed.length).toBeLessThan(10);
    }
  });

  it("takes nothing from a masked pixel, one without a number, and a sensor of one value", () => {
    const image = Float64Array.from({ length: xsize * ysize }, (_, i) => i % 7);
    image[3] = Infinity;
    const mask = new Uint8Array(image.length).fill(1);
    mask[5] = 0;
    const calm = withoutSpikes(image, mask, info);
    expect([calm[2], calm[3], calm[5]]).toEqual([2, NaN, NaN]);
    expect(withoutSpikes(image.fill(0), null, info).every(Number.isNaN)).toBe(true);
  });
});
