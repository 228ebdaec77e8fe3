import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { badPixelReasons } from "../../../src/ip/index.ts";
import { type DarkMaps, darkMaps, reduce, variance } from "../../../src/reduce/index.ts";
import { facility, simulatedShots } from "../../support/simulated-shots.ts";
import { frame, of, shotsOf } from "../../unit/reduce/stack.ts";

const { dead, cold, hot, noisy } = badPixelReasons;

/** Dark images of one sensor: ports of different level and noise. */
async function mapsOf(
  shots: number,
  change: (pixels: Float32Array, shot: number) => void,
  detId = "MPCCD-1N0-M06-002",
): Promise<DarkMaps> {
  const [rows, columns] = [64, 128];
  const random = new Random(9);
  const images = Array.from({ length: shots }, (_, tag) => {
    const pixels = new Float32Array(rows * columns);
    for (let i = 0; i < pixels.length; i++) {
      const port = Math.floor((i % columns) / 16);
      pixels[i] = Math.round(100 + 40 * port + (5 + port) * random.normal());
    }
    change(pixels, tag);
    return { tag, pixels };
  });
  return of((await reduce(shotsOf(images, frame(rows, columns, detId)), { maps: darkMaps() })).maps, detId);
}

describe("darkMaps", () => {
  it.each(["MPCCD-2N0-M02-001-1", "MPCCD-2N0-M02-001-2"])(
    "finds the hot and dead pixels of simulated %s, and hardly any other",
    async (id) => {
      const [bl, run] = [3, 1_360_990];
      const { maps } = await reduce(simulatedShots(bl, run, [id], facility.tags(bl, run).slice(0, 40)), {
        maps: darkMaps(),
      });
      const { mask, mean, noise, bad, ports, noiseJudged } = of(maps, id);
      const { hotPixels, deadPixels, pedestalAdu } = facility.truth.sensor(bl, run, id);
      const share = (pixels: Uint32Array, bit: number): number =>
        pixels.filter((i) => ((mask.data[i] ?? 0) & bit) !== 0).length / pixels.length;
      expect(share(hotPixels, hot)).toBeGreaterThanOrEqual(0.95);
      expect(share(deadPixels, dead)).toBeGreaterThanOrEqual(0.95);
      const truth = new Set([...hotPixels, ...deadPixels]);
      const wrong = mask.data.filter((reasons, i) => reasons !== 0 && !truth.has(i)).length;
      expect(wrong / mask.data.length).toBeLessThan(0.0005);
      expect([bad.dead, noiseJudged, ports.length]).toEqual([deadPixels.length, true, 8]);
      // 200 electrons at 17.8 per ADU, 1 ADU of row noise and rounding; ports step by 3 ADU.
      for (const [k, port] of ports.entries()) {
        expect(port.columns).toEqual([64 * k, 64 * (k + 1)]);
        expect(port.noise).toBeCloseTo(Math.hypot(200 / 17.8, 1, Math.sqrt(1 / 12)), 0);
        expect(Math.abs(port.mean - (ports[0]?.mean ?? NaN) - 3 * k)).toBeLessThan(0.5);
      }
      const good = mean.data.reduce(
        (worst, value, i) => (truth.has(i) ? worst : Math.max(worst, Math.abs(value - (pedestalAdu[i] ?? NaN)))),
        0,
      );
      expect(good).toBeLessThan(6 * (11.3 / Math.sqrt(40)) + 1);
      expect(noise.shape).toEqual([1024, 512]);
    },
  );

  it("judges a pixel by its own port, and gives every reason it has", async () => {
    const maps = await mapsOf(30, (pixels, shot) => {
      pixels[0] = 380; // as bright as the last port, hot in the first
      pixels[200] = 20; // cold
      pixels[300] = 180; // stuck at a level that is usual
      pixels[127] = 380 + (shot % 2 === 0 ? 200 : -200); // noisy about a usual level
      pixels[16] = 900 + (shot % 2 === 0 ? 300 : -300); // hot and noisy
      pixels[400] = shot === 3 ? NaN : 100;
    });
    const at = (i: number): number | undefined => maps.mask.data[i];
    expect([at(0), at(200), at(300), at(127), at(16), at(400)]).toEqual([
      hot | dead,
      cold | dead,
      dead,
      noisy,
      hot | noisy,
      dead,
    ]);
    expect(maps.bad).toEqual({ dead: 4, cold: 1, hot: 2, noisy: 2 });
  });

  it("calls a port dead that gives one value only", async () => {
    const maps = await mapsOf(12, (pixels) => {
      for (let i = 0; i < pixels.length; i++) if (i % 128 >= 112) pixels[i] = 65_535;
    });
    expect(maps.bad).toEqual({ dead: 64 * 16, cold: 0, hot: 0, noisy: 0 });
    expect(maps.ports[7]).toMatchObject({ columns: [112, 128], mean: 65_535, noise: 0 });
  });

  it("does not judge the noise of fewer than ten shots", async () => {
    const few = await mapsOf(9, (pixels) => pixels.set([300, 20], 0));
    expect([few.noiseJudged, few.mask.data[0], few.mask.data[1], few.bad.dead + few.bad.noisy]).toEqual([
      false,
      hot,
      cold,
      0,
    ]);
    expect((await mapsOf(10, () => {})).noiseJudged).toBe(true);
    const single = await mapsOf(1, () => {});
    expect([single.bad.dead, single.noise.data.every(Number.isNaN)]).toEqual([0, true]);
  });

  it("takes cameras that are not MPCCD as one port", async () => {
    const maps = await mapsOf(10, () => {}, "OPAL-234363");
    expect(maps.ports.map(({ columns }) => columns)).toEqual([[0, 128]]);
  });

  it("has the mean and noise of variance()", async () => {
    const images = [1, 5, 3].map((value, tag) => ({ tag, pixels: [value, 2 * value] }));
    const { maps, spread } = await reduce(shotsOf(images, frame(1, 2)), {
      maps: darkMaps(),
      spread: variance({ ddof: 1 }),
    });
    expect([...of(maps).mean.data]).toEqual([3, 6]);
    expect([...of(maps).noise.data]).toEqual([2, 4]);
    expect([...of(spread).variance.data]).toEqual([4, 16]);
  });
});
