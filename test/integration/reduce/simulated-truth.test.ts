import { describe, expect, it } from "vitest";
import { asImage } from "../../../src/core/ndarray.ts";
import { Random } from "../../../src/core/random.ts";
import {
  combineProfiles,
  commonModeLevels,
  correct,
  darkAverage,
  droplets,
  mean,
  photonCounts,
  radialProfile,
  reduce,
} from "../../../src/reduce/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { chargeImage } from "../../support/charge-sharing.ts";
import { cases, itInFull } from "../../support/full.ts";
import { scriptedShots } from "../../support/scripted-shots.ts";
import { facility, simulatedShots } from "../../support/simulated-shots.ts";
import { of } from "../../unit/reduce/stack.ts";

const total = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

describe("radialProfile", () => {
  itInFull("finds the powder rings of a simulated octal where they are, over all its sensors", async () => {
    const [bl, run] = [2, 220_934];
    const ids = Array.from({ length: 8 }, (_, k) => `MPCCD-8B0-2-008-${k + 1}`);
    const infos = ids.map((id) => facility.detectorInfo(bl, run, id));
    const { hightagnumber } = facility.runInfo(bl, run);
    const tags = [...facility.tags(bl, run)]
      .filter((tag) => facility.truth.shot(bl, hightagnumber, tag).hasXrays)
      .slice(0, 6);
    const darks = Object.fromEntries(
      ids.map((id) => {
        const { pedestalAdu, hotPixels } = facility.truth.sensor(bl, run, id);
        for (const pixel of hotPixels) pedestalAdu[pixel] = NaN;
        return [id, pedestalAdu];
      }),
    );
    const { rings } = await reduce(simulatedShots(bl, run, ids, tags, darks), {
      rings: radialProfile({ sensors: infos, binUm: 50 }),
    });
    const { mean, radial } = combineProfiles(rings);
    // (211) is only in the corners.
    const wanted = facility.truth.ringRadiiUm(bl, run).slice(0, 5);
    expect(wanted.length).toBe(5);
    for (const ring of wanted) {
      // Centre of gravity above the level at both sides, within ±1 mm (rings are 200 µm rms wide).
      const near = [...mean]
        .map((value, k) => ({ value, r: radial[k] ?? NaN }))
        .filter(({ r }) => Math.abs(r - ring) < 1000);
      const level = ((near.at(0)?.value ?? NaN) + (near.at(-1)?.value ?? NaN)) / 2;
      const weight = near.reduce((n, { value }) => n + value - level, 0);
      expect(Math.abs(near.reduce((n, { value, r }) => n + (value - level) * r, 0) / weight - ring)).toBeLessThan(25);
      expect(Math.max(...near.map(({ value }) => value))).toBeGreaterThan(2 * level);
    }
  });
});

describe("droplets", () => {
  it("recover the truth of run 1360991 within its Poisson error, where thresholds do not", async () => {
    const id = "MPCCD-2N0-M02-001-1";
    const run = 1_360_991;
    const { hightagnumber } = facility.runInfo(3, run);
    const tags = [...facility.tags(3, run)]
      .filter((tag) => facility.truth.shot(3, hightagnumber, tag).hasXrays)
      .slice(100, 200);
    const truth = facility.truth.sensor(3, run, id);
    const dark = truth.pedestalAdu;
    for (const pixel of [...truth.hotPixels, ...truth.deadPixels]) {
      dark[pixel] = NaN;
      truth.expectedPhotons[pixel] = 0;
    }
    const perShot = total(truth.expectedPhotons);
    const expected = tags.map((tag) => (perShot * facility.truth.shot(3, hightagnumber, tag).pulseEnergyJ) / 0.5e-3);
    const perPhoton = truth.aduPerPhoton;
    const { greedy, simple, high } = await reduce(simulatedShots(3, run, [id], tags, { [id]: dark }), {
      greedy: droplets({ aduPerPhoton: perPhoton }),
      simple: photonCounts({ aduPerPhoton: perPhoton }),
      high: photonCounts({ aduPerPhoton: perPhoton, threshold: 0.8 }),
    });
    const sigmas = (found: Float64Array): number => (total(found) - total(expected)) / Math.sqrt(total(expected));
    expect(Math.abs(sigmas(of(greedy, id).perShot))).toBeLessThan(3);
    // Both see the very same photons, whose number by itself is off by 1 σ or so.
    expect(sigmas(of(greedy, id).perShot) - sigmas(of(simple, id).perShot)).toBeGreaterThan(2);
    expect(sigmas(of(high, id).perShot)).toBeLessThan(-50);
    // Each shot is Poisson distributed about its own expectation: χ² per shot is 1 ± √(2/100).
    const chi2 = total(expected.map((e, k) => ((of(greedy, id).perShot[k] ?? NaN) - e) ** 2 / e)) / tags.length;
    expect(Math.abs(chi2 - 1)).toBeLessThan(4 * Math.sqrt(2 / tags.length));
    // The single-photon peak of the spectrum lies at one photon.
    const { counts } = of(greedy, id).spectrum;
    expect(Math.abs(counts.indexOf(Math.max(...counts)) / 50 - 1)).toBeLessThan(0.05);
  });
});

describe("photons", () => {
  it("gives the photons that the simulated sensor got, through the whole chain", async () => {
    const st = new St(inProcess(endpointOf(facility)));
    const run = { bl: 3, number: 1_360_991 };
    const id = "MPCCD-2N0-M02-001-1";
    const [bm1, spectrometer] = ["xfel_bl_3_tc_bm_1_pd/charge", "xfel_bl_3_tc_spec_1/energy"];
    const tags = facility.tags(run.bl, run.number);
    const dark = await darkAverage(st.shots({ run, detectors: [id], tags: tags.subarray(0, 40) }));
    const shots = st.shots({ run, detectors: [id], signals: [bm1, spectrometer], tags: tags.subarray(120, 150) });
    const { deadPixels, hotPixels, expectedPhotons } = facility.truth.sensor(run.bl, run.number, id);
    const bad = asImage(new Uint8Array(1024 * 512), 1024, 512);
    for (const i of [...deadPixels, ...hotPixels]) bad.data[i] = 1;
    const corrections = [
      correct.dark(dark),
      correct.mask({ [id]: bad }),
      correct.commonMode(),
      correct.photons({
        detectors: [await st.detectorInfo(run.bl, run.number, id)],
        spectrometer,
        configuredEv: 10_000,
      }),
      // 5e-9 C at the nominal pulse energy, for which the truth is given.
      correct.normalise({ equipId: bm1, limits: [2e-9, 1e-8], reference: 5e-9 }),
    ];
    const { average } = await reduce(shots, { average: mean() }, { corrections });
    let [found, truth, wrong] = [0, 0, 0];
    average[id]?.data.forEach((x, i) => {
      if (Number.isNaN(x) !== (bad.data[i] !== 0)) wrong++;
      if (Number.isNaN(x)) return;
      found += x;
      truth += expectedPhotons[i] ?? 0;
    });
    expect(wrong).toBe(0);
    // Without common mode it is 1.004.
    expect(found / truth).toBeGreaterThan(0.98);
    expect(found / truth).toBeLessThan(1.01);
  });
});

describe("commonMode", () => {
  const images = [
    [110, 0.02, 0.16],
    [154, 0.16, 0.14],
    [154, 0.02, 0.01],
    [154, 0.16, 0.01],
    [231, 0.16, 0.3],
    [77, 0.16, 0.1],
    [77, 0.16, 0.6],
    [77, 0.16, 1.5],
    [138.5, 0.02, 1.5],
    [231, 0.16, 1.5],
  ] as const;
  it.each(cases(images, 5))(
    "takes under 0.3 percent of the signal: photons of %f ADU, clouds of %f pixel, %f a pixel",
    async (adu, cloudPx, photons) => {
      const random = new Random(17);
      const frame = { rows: 512, columns: 512, aduPerPhoton: adu, cloudPx, noiseAdu: 0 };
      const shots = photons < 0.1 ? 6 : 3;
      const [light, dark] = [[] as number[], [] as number[]];
      for (let k = 0; k < shots; k++) {
        const noise = Float32Array.from({ length: 512 * 512 }, () => 3 + 11 * random.normal());
        const { pixels } = chargeImage(random, { ...frame, photonsPerPixel: photons });
        for (const [levels, lit] of [
          [light, pixels.map((x, i) => x + (noise[i] ?? 0))],
          [dark, noise],
        ] as const) {
          const { ledger } = await reduce(
            scriptedShots([{ tag: 100, pixels: lit }], 512, 512, "float32"),
            { average: mean() },
            { corrections: [correct.commonMode()] },
          );
          levels.push(...(commonModeLevels(ledger)["A"] ?? []).map(({ meanAdu }) => meanAdu));
        }
      }
      // The same noise with and without light: what is left of it is that of the choice of pixels.
      const taken = light.map((level, i) => level - (dark[i] ?? NaN));
      const average = taken.reduce((a, b) => a + b, 0) / taken.length;
      const error = Math.sqrt(taken.reduce((sum, x) => sum + (x - average) ** 2, 0)) / taken.length;
      expect(taken).toHaveLength(8 * shots);
      expect(Math.abs(average)).toBeLessThan(0.003 * photons * adu + 3 * error);
      // Taken as the mean of pixels without a lit neighbor: 0.75 % at 77 ADU; above 0.6 photons none was found.
      expect(error).toBeLessThan(0.03 + 0.004 * photons * adu);
    },
  );

  const lights = {
    "half of each port lit": (_row: number, column: number) => (column % 64 < 32 ? 1.2 : 0),
    "twice as much at one end": (row: number) => (2 * 0.6 * row) / 512,
    "spots on even light": (row: number, column: number) => 0.6 + (row % 64 < 2 && column % 64 < 2 ? 30 : 0),
  };
  /** Light of 138 ADU on a level of 4 ADU. */
  async function levelsUnder(photonsPerPixel: number | ((row: number, column: number) => number)) {
    const [random, [rows, columns]] = [new Random(19), [512, 256]];
    const frame = { rows, columns, aduPerPhoton: 138, cloudPx: 0.16, noiseAdu: 11, photonsPerPixel };
    const { pixels } = chargeImage(random, frame);
    const { ledger } = await reduce(
      scriptedShots([{ tag: 100, pixels: pixels.map((x) => x + 4) }], rows, columns, "float32"),
      { average: mean() },
      { corrections: [correct.commonMode({ ports: 4 })] },
    );
    return commonModeLevels(ledger)["A"] ?? [];
  }

  it.each(Object.entries(lights))("takes under 0.3 percent of the signal of %s", async (_kind, photonsPerPixel) => {
    const found = await levelsUnder(photonsPerPixel);
    const levels = found.map(({ meanAdu }) => meanAdu);
    const average = levels.reduce((a, b) => a + b, 0) / 4;
    for (const { meanAdu, errorAdu } of found) {
      expect(errorAdu).toBeLessThan(1);
      expect(Math.abs(meanAdu - 4)).toBeLessThan(3 * errorAdu);
    }
    const scatter = Math.sqrt(levels.reduce((sum, x) => sum + (x - average) ** 2, 0) / 3 / 4);
    // With one light for the whole port: 3.6, 1.5 and 0.6 ADU off.
    expect(Math.abs(average - 4)).toBeLessThan(0.003 * 0.6 * 138 + 2 * scatter);
    expect(scatter).toBeLessThan(0.2);
  });

  it("states an error of 1 percent of the light where rings are narrow", async () => {
    const found = await levelsUnder((row, column) => {
      const off = ((Math.hypot(row - 256, column - 128) % 50) - 25) / 3;
      return 0.1 * (1 + 59 * Math.exp(-(off ** 2) / 2));
    });
    expect(found).toHaveLength(4);
    for (const { meanAdu, errorAdu } of found) {
      expect(Math.abs(meanAdu - 4)).toBeLessThan(2 * errorAdu);
      // Some photon per pixel in the mean.
      expect(errorAdu / 138).toBeGreaterThan(0.008);
      expect(errorAdu / 138).toBeLessThan(0.015);
    }
  });

  it.each([
    ["even light", 0.1, 0.003],
    ["little light in rings", 0.03, 0.015],
  ])("says how much of %s may be lost", async (kind, photons, part) => {
    const found = await levelsUnder((row, column) => {
      const off = ((Math.hypot(row - 256, column - 128) % 50) - 25) / 3;
      return kind === "even light" ? photons : (photons / 9.8) * (1 + 59 * Math.exp(-(off ** 2) / 2));
    });
    for (const { biasAdu, errorAdu } of found) {
      expect(biasAdu / (138 * photons * part)).toBeGreaterThan(0.8);
      expect(biasAdu / (138 * photons * part)).toBeLessThan(1.2);
      expect(errorAdu).toBeGreaterThan(biasAdu);
    }
  });

  it("is not misled by bright spots, nor by light that is not even", async () => {
    const random = new Random(18);
    const [rows, columns] = [512, 512];
    const pixels = Float32Array.from({ length: rows * columns }, (_, i) => {
      const row = Math.floor(i / columns);
      return 5 + 11 * random.normal() + 154 * random.poisson(0.4 * (1 + Math.sin(row / 40)));
    });
    for (let spot = 0; spot < 40; spot++) {
      const at = Math.floor(random.uniform() * (rows - 2)) * columns + Math.floor(random.uniform() * (columns - 2));
      for (const step of [0, 1, columns, columns + 1]) pixels[at + step] = 20_000;
    }
    const { ledger } = await reduce(
      scriptedShots([{ tag: 100, pixels }], rows, columns, "float32"),
      { average: mean() },
      { corrections: [correct.commonMode()] },
    );
    const levels = commonModeLevels(ledger)["A"] ?? [];
    expect(levels).toHaveLength(8);
    for (const { meanAdu } of levels) expect(Math.abs(meanAdu - 5)).toBeLessThan(0.6);
    expect(Math.abs(levels.reduce((sum, { meanAdu }) => sum + meanAdu - 5, 0) / 8)).toBeLessThan(0.25);
  });
});
