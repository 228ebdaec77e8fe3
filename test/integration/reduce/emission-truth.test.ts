import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect } from "vitest";
import { connect } from "../../../src/index.ts";
import {
  aduPerPhoton,
  calibrateEmission,
  calibrationShots,
  createStack,
  darkAverage,
  type EmissionMaps,
  emissionMaps,
  emissionPixelAt,
  emissionSpectrum,
  fitEmissionLines,
  reduce,
  shotsFrom,
} from "../../../src/reduce/index.ts";
import { rounds } from "../../support/full.ts";
import { itNeeding, itWithSharedDataInFull, pythonWith, sharedData } from "../../support/optional.ts";

const python = pythonWith("numpy", "scipy.special");
const script = fileURLToPath(new URL("../../support/emission-shots.py", import.meta.url));

interface Made {
  readonly shape: readonly [number, number, number];
  readonly axis: string;
  readonly kinds: readonly string[];
  readonly energies: readonly (number | null)[];
  readonly aduPerPhoton: number;
  readonly lines: readonly [number, number];
  readonly photons: number;
  readonly calibrationRms: number;
  /** Least error of the first line's energy that the photons allow. */
  readonly boundEv: number;
  readonly places: readonly (readonly [energyEv: number, across: number, along: number])[];
}

/** Shots made by numpy. */
function make(seed: number, photons: number): { truth: Made; pixels: Float32Array } {
  const folder = mkdtempSync(join(tmpdir(), "sacla-emission-"));
  try {
    execFileSync(python ?? "", [script, String(seed), String(photons), folder]);
    const truth = JSON.parse(readFileSync(join(folder, "emission.json"), "utf8")) as Made;
    const bytes = readFileSync(join(folder, "emission.bin"));
    return { truth, pixels: new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function mapsOf({ truth, pixels }: ReturnType<typeof make>): Promise<EmissionMaps> {
  const [, rows, columns] = truth.shape;
  const shots = (are: (kind: string) => boolean) => {
    const tags = [...truth.kinds.keys()].filter((tag) => are(truth.kinds[tag] ?? ""));
    const stack = createStack([tags.length, rows, columns], "float32");
    const size = rows * columns;
    for (const [k, tag] of tags.entries()) stack.data.set(pixels.subarray(tag * size, (tag + 1) * size), k * size);
    return shotsFrom({ sensor: stack }, { tags });
  };
  const dark = await darkAverage(shots((kind) => kind === "dark"));
  const calibration = truth.energies.flatMap((energyEv, tag) => (energyEv === null ? [] : [{ energyEv, tags: [tag] }]));
  const reducers = { maps: emissionMaps({ aduPerPhoton: truth.aduPerPhoton, noiseAdu: dark, calibration }) };
  const { maps } = await reduce(
    shots((kind) => kind !== "dark"),
    reducers,
    { dark },
  );
  const { sensor } = maps;
  if (sensor === undefined) throw new Error("no maps");
  return sensor;
}

describe("emission lines of another program", () => {
  itNeeding(
    python !== undefined,
    "no Python with numpy and scipy",
    "of other seeds, curvatures, axes and energies lie where they were put, as often as their errors say",
    async () => {
      const count = rounds(50, 4);
      const offs: number[] = [];
      let [within, held] = [0, 0];
      for (let seed = 1; seed <= count; seed++) {
        const made = make(seed, 10_000);
        const { truth } = made;
        const maps = await mapsOf(made);
        const curve = calibrateEmission(maps.calibration);
        expect([seed, curve.axis]).toEqual([seed, truth.axis]);
        expect(Math.abs(curve.blurRmsEv / truth.calibrationRms - 1)).toBeLessThan(0.03);
        for (const [energyEv, across, along] of truth.places)
          expect(Math.abs(emissionPixelAt(curve, energyEv, across) - along)).toBeLessThan(0.3);
        const found = maps.sample.perShot.reduce((sum, n) => sum + n, 0);
        expect(Math.abs(found / truth.photons - 1)).toBeLessThan(0.03);
        const { lines } = fitEmissionLines(emissionSpectrum(maps.sample.photons, curve), curve, { lines: 2 });
        const [first, second] = truth.lines;
        const main = lines.find(({ energyEv }) => Math.abs(energyEv - first) < Math.abs(energyEv - second));
        const off = Math.abs((main?.energyEv ?? NaN) - first);
        offs.push(off / truth.boundEv);
        if (off < 0.1) within++;
        if (off < (main?.energyErrorEv ?? 0)) held++;
      }
      // 68 % less three times what chance does to it.
      expect(held / count).toBeGreaterThan(0.683 - 3 * Math.sqrt(0.22 / count));
      expect(within / count).toBeGreaterThanOrEqual(0.9);
      // As near as the photons allow: 1 but for chance.
      expect(Math.hypot(...offs) / Math.sqrt(count)).toBeLessThan(1.15 + 3 / Math.sqrt(2 * count));
    },
  );

  itWithSharedDataInFull(
    "are found within the bars at 10³ to 10⁵ photons, and their curve within 0.1 pixel",
    async () => {
      const truth = JSON.parse(readFileSync(join(sharedData, "305001.truth.json"), "utf8")) as {
        readonly tags: readonly number[];
        readonly lines_eV: readonly [number, number];
        readonly col0: number;
        readonly r0: number;
        readonly e0_eV: number;
        readonly disp_eV_per_col: number;
        readonly bend_col_per_eV2: number;
        readonly curve_col_per_row2: number;
        readonly tilt: number;
      };
      await using facility = await connect(join(sharedData, "305001.h5"));
      const run = await facility.run(3, 305_001);
      const [sensor = ""] = (await run.detectors()).map(({ id }) => id);
      const { absGain } = await run.detectorInfo(sensor);
      const shots = (tags: Iterable<number>) =>
        facility.shots({ run, detectors: [sensor], tags: Uint32Array.from(tags) });
      const dark = await darkAverage(shots(await run.darkTags()));
      const column = await run.column("bl_3/oh_2/photon_energy_in_eV");
      const calibration = calibrationShots(column, { fromEv: 7000, toEv: 7100 });
      expect(calibration.map(({ energyEv }) => energyEv)).toEqual([7025, 7035, 7045, 7055, 7065, 7075]);
      const options = { aduPerPhoton: aduPerPhoton(7050, absGain ?? NaN), noiseAdu: dark, calibration };
      const bars = [0.24, 0.08, 0.025];
      for (const [k, bar] of bars.entries()) {
        const tags = [...truth.tags.slice(3, 9), truth.tags[10 + k] ?? 0];
        const { maps, ledger } = await reduce(shots(tags), { maps: emissionMaps(options) }, { dark });
        expect(ledger.used).toBe(7);
        const found = maps[sensor];
        if (found === undefined) throw new Error("no maps");
        const curve = calibrateEmission(found.calibration);
        for (const energy of [7025, 7045, 7058, 7075])
          for (let row = 0; row < 128; row++) {
            const [e, r] = [energy - truth.e0_eV, row - truth.r0];
            const bent = truth.bend_col_per_eV2 * e * e + truth.curve_col_per_row2 * r * r + truth.tilt * r;
            const column = truth.col0 + e / truth.disp_eV_per_col + bent;
            expect(Math.abs(emissionPixelAt(curve, energy, row) - column)).toBeLessThan(0.1);
          }
        const { lines } = fitEmissionLines(emissionSpectrum(found.sample.photons, curve), curve);
        expect(Math.abs((lines[0]?.energyEv ?? NaN) - truth.lines_eV[0])).toBeLessThan(bar);
        expect(Math.abs((lines[1]?.energyEv ?? NaN) - truth.lines_eV[1])).toBeLessThan(
          3 * (lines[1]?.energyErrorEv ?? 0),
        );
      }
    },
  );
});
