import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import type { DetectorInfo } from "../../src/core/detector.ts";
import { Db } from "../../src/db/index.ts";
import { convert } from "../../src/hdf5/index.ts";
import { endpointOf } from "../../src/source/index.ts";
import { St } from "../../src/st/index.ts";
import { inProcess } from "../../src/transport/index.ts";
import { hasPrograms, itNeeding } from "../support/optional.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { TinySource } from "../support/tiny-source.ts";
import { octal } from "../unit/ip/octal.ts";

const folder = temporaryFolder();
const hasDials = hasPrograms("dials.import", "dials.find_spots", "dials.show");

const ROWS = 128;
const COLUMNS = 256;
const ENERGY_EV = 10_000;
const SPOTS_A_SHOT = 9;
const TAGS = [1000, 1002, 1004, 1006];
/** Photons of a spot, in a square of 5 × 5 pixels. */
const spot = [0, 1, 2, 1, 0, 1, 5, 9, 5, 1, 2, 9, 40, 9, 2, 1, 5, 9, 5, 1, 0, 1, 2, 1, 0];
const infos: readonly DetectorInfo[] = octal.map((info) => ({ ...info, ysize: ROWS, xsize: COLUMNS }));

/** Where the spots of a shot are: sensor, row and column of the middle pixel. */
function spotsOf(tag: number): (readonly [sensor: number, row: number, column: number])[] {
  return Array.from({ length: SPOTS_A_SHOT }, (_, i) => [i % 8, 20 + 9 * i, 30 + 20 * i + (tag % 10)]);
}

/** Spots over 0.2 photons a pixel, with the noise of an MPCCD, in ADU of each sensor's gain. */
class SpotSource extends TinySource {
  override photonEnergyKev(): number {
    return ENERGY_EV / 1000;
  }
  override detectorInfo(_bl: number, _run: number, detId: string): DetectorInfo {
    const info = infos.find(({ id }) => id === detId);
    if (info === undefined) throw new Error(detId);
    return info;
  }
  override readFrame(_bl: number, _run: number, detId: string, tag: number, out: Float32Array): boolean {
    const sensor = infos.findIndex(({ id }) => id === detId);
    let state = tag * 16 + sensor + 1;
    const random = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state + 0.5) / 2 ** 32;
    };
    const normal = (): number => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
    const photons = out.map(() => (random() < 0.2 ? 1 : 0) + 0.08 * normal());
    for (const [of, row, column] of spotsOf(tag)) {
      if (of !== sensor) continue;
      spot.forEach((n, k) => {
        const at = (row + Math.floor(k / 5) - 2) * COLUMNS + column + (k % 5) - 2;
        photons[at] = (photons[at] ?? 0) + n;
      });
    }
    const aduPerPhoton = ENERGY_EV / (3.65 * (infos[sensor]?.absGain ?? NaN));
    for (let i = 0; i < out.length; i++) out[i] = (photons[i] ?? 0) * aduPerPhoton;
    return true;
  }
}

describe("DIALS", () => {
  itNeeding(
    hasDials,
    "no DIALS",
    "imports an NXmx file and finds the spots that are there, with a gain of 1",
    async () => {
      const detectors = ["MPCCD-8-2-001", ...infos.map(({ id }) => id)];
      const source = new SpotSource({ 3: [{ run: 1, start: 1000, images: TAGS.length, detectors }] });
      const endpoint = inProcess(endpointOf(source));
      const facility = { db: new Db(endpoint), st: new St(endpoint) };
      const request = { bl: 3, run: 1, format: "nxmx", dark: "none", signals: [] } as const;
      await convert(facility, request, join(folder, "spots.h5"));
      const run = (...command: [string, ...string[]]): string =>
        execFileSync(command[0], command.slice(1), {
          cwd: folder,
          encoding: "utf8",
          stdio: ["ignore", "pipe", "pipe"],
        });
      expect(run("dials.import", "spots.h5")).toMatch(/num images: 4/);
      const found = run("dials.find_spots", "imported.expt", "nproc=1");
      expect(found).toContain(`Saved ${SPOTS_A_SHOT * TAGS.length} reflections`);
      const { detector } = JSON.parse(readFileSync(join(folder, "imported.expt"), "utf8")) as {
        detector: { panels: { gain: number; trusted_range: number[] }[] }[];
      };
      const [panel] = detector[0]?.panels ?? [];
      expect(panel?.gain).toBe(1);
      // −3000 e⁻ and 99 % of 65 535 ADU of the sensor with the lowest gain, in photons of 10 keV.
      expect(panel?.trusted_range).toEqual([-2 - 1, Math.floor((0.99 * 65_535 * 16.7263 * 3.65) / ENERGY_EV)]);
      expect(run("dials.show", "imported.expt")).toMatch(/Wavelength: 1\.2398/i);
    },
  );
});
