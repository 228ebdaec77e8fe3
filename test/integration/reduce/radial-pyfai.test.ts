import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import type { DetectorInfo } from "../../../src/core/detector.ts";
import { asImage } from "../../../src/core/ndarray.ts";
import { Random } from "../../../src/core/random.ts";
import { connect } from "../../../src/index.ts";
import {
  combineProfiles,
  correct,
  darkAverage,
  type RadialProfileOptions,
  radialProfile,
  reduce,
} from "../../../src/reduce/index.ts";
import { cases } from "../../support/full.ts";
import { itNeeding, itWithSharedData, pythonWith, sharedData } from "../../support/optional.ts";
import { of, shotOf } from "../../unit/reduce/stack.ts";

const python = pythonWith("pyFAI.integrator.azimuthal", "pyFAI.detectors", "numpy");
const numpy = pythonWith("numpy");
const [rows, columns] = [90, 110];

/** A detector of one sensor that is the picture itself, looked at from the source: pyFAI's orientation 2. */
const info: DetectorInfo = {
  id: "P",
  xsize: columns,
  ysize: rows,
  absGain: null,
  geometry: {
    posXUm: (-columns / 2) * 50,
    posYUm: (rows / 2) * 50,
    posZUm: 0,
    rotationDeg: 0,
    pixelSizeXUm: 50,
    pixelSizeYUm: 50,
    manipulatorShiftUm: 0,
  },
};
const geometry = { distanceMm: 6, normalUm: { x: 131, y: -247 }, rot1Deg: 3, rot2Deg: -5, rot3Deg: 10 };
const polarisation = { factor: 0.97, directionDeg: 20 };

const script = `
# pyFAI turns the polarisation the other way round: its cosine is of 2 (chi + axis_offset).
import sys, json, logging, numpy as np
logging.disable(logging.CRITICAL)
from pyFAI.detectors import Detector
from pyFAI.integrator.azimuthal import AzimuthalIntegrator
a = json.load(sys.stdin)
rows, columns = a["shape"]
image = np.array(a["image"], float).reshape(rows, columns)
mask = np.array(a["mask"]).reshape(rows, columns) == 0
det = Detector(pixel1=5e-5, pixel2=5e-5, max_shape=(rows, columns), orientation=2)
r = np.deg2rad(a["rot"])
ai = AzimuthalIntegrator(dist=6e-3, poni1=(-247 + rows / 2 * 50) * 1e-6, poni2=(131 + columns / 2 * 50) * 1e-6,
    rot1=r[0], rot2=r[1], rot3=r[2], wavelength=1.2398419843320025e-10, detector=det)
out = {}
for name, unit, top, split, corrected in a["cases"]:
    kw = dict(polarization_factor=None, correctSolidAngle=False)
    if corrected: kw = dict(flat=ai.polarization(factor=0.97, axis_offset=-np.deg2rad(20)), correctSolidAngle=True)
    q = ai.integrate1d(image, 40, radial_range=(0, top), unit=unit, method=(split, "csr", "cython"), mask=mask,
        error_model="poisson", **kw)
    out[name] = dict(mean=q.intensity.tolist(), error=q.sigma.tolist(), count=q.count.tolist(), radial=q.radial.tolist())
q = ai.integrate2d(image, 20, 12, radial_range=(0, 20), azimuth_range=(-180, 180), unit="2th_deg",
    method=("no", "histogram", "cython"), mask=mask, correctSolidAngle=False)
out["map"] = dict(mean=q.intensity.ravel().tolist(), count=q.count.ravel().tolist())
for name, kw in (("shared map", dict(correctSolidAngle=False)),
                 ("shared map corrected", dict(flat=ai.polarization(factor=0.97, axis_offset=-np.deg2rad(20)), correctSolidAngle=True))):
    q = ai.integrate2d(image, 20, 12, radial_range=(0, 20), azimuth_range=(-180, 180), unit="2th_deg",
        method=("full", "csr", "cython"), mask=mask, **kw)
    out[name] = dict(mean=q.intensity.ravel().tolist(), count=q.count.ravel().tolist())
json.dump(out, sys.stdout)
`;

/** pyFAI's formulae in float64, which pyFAI itself does not use for the places of a detector of several sensors. */
const countScript = `
import sys, json, numpy as np
c, r = np.meshgrid(np.arange(512) + 0.5, np.arange(1024) + 0.5)
r1, r2 = np.deg2rad(0.4), np.deg2rad(-0.7)
c1, c2, s1, s2 = np.cos(r1), np.cos(r2), np.sin(r1), np.sin(r2)
out = []
for x0, y0, rotation in json.load(sys.stdin):
    a = np.deg2rad(rotation)
    p1 = y0 + c * 50 * np.sin(a) - r * 50 * np.cos(a) + 867
    p2 = x0 + c * 50 * np.cos(a) + r * 50 * np.sin(a) - 1234
    y = p1 * c2 + p2 * s1 * s2 - 80e3 * c1 * s2
    x = p2 * c1 + 80e3 * s1
    z = p1 * s2 - p2 * c2 * s1 + 80e3 * c1 * c2
    b = np.floor(np.degrees(np.arctan2(np.hypot(x, y), z)) / (43 * (1 + 2**-23) / 400)).astype(int)
    out.append(np.bincount(b[b < 400], minlength=400).tolist())
json.dump(out, sys.stdout)
`;

interface Expected {
  readonly mean: number[];
  readonly error: number[];
  readonly count: number[];
  readonly radial: number[];
}

const worst = (ours: Float64Array, theirs: readonly number[], count: readonly number[]): number =>
  Math.max(
    ...Array.from(ours, (value, k) =>
      (count[k] ?? 0) === 0 ? 0 : Math.abs(value - (theirs[k] ?? NaN)) / Math.abs(theirs[k] ?? NaN),
    ),
  );

describe("radialProfile beside pyFAI", () => {
  itNeeding(
    python !== undefined,
    "no Python with pyFAI",
    "agrees in every bin, with tilt, mask and all units",
    async () => {
      const random = new Random(5);
      const pixels = Float32Array.from({ length: rows * columns }, () => 50 + Math.floor(100 * random.uniform()));
      const mask = Uint8Array.from(pixels, () => (random.uniform() < 0.1 ? 0 : 1));
      const cases = [
        ["plain 2th", "2th_deg", 20, "no", false],
        ["plain q", "q_A^-1", 2, "no", false],
        ["plain q nm", "q_nm^-1", 20, "no", false],
        ["plain mm", "r_mm", 2, "no", false],
        ["corrected", "2th_deg", 20, "no", true],
        ["split", "2th_deg", 20, "full", false],
        ["split corrected", "q_A^-1", 2, "full", true],
      ] as const;
      const rot = [geometry.rot1Deg, geometry.rot2Deg, geometry.rot3Deg];
      const input = JSON.stringify({ shape: [rows, columns], image: [...pixels], mask: [...mask], rot, cases });
      const expected = JSON.parse(
        execFileSync(python ?? "", ["-c", script], {
          input,
          encoding: "utf8",
          stdio: ["pipe", "pipe", "ignore"],
          maxBuffer: 1e8,
        }),
      ) as Record<string, Expected>;
      const profile = async (options: Partial<RadialProfileOptions>) => {
        const base = { sensors: [info], geometry, photonEnergyEv: 10_000, masks: [mask] };
        const one = (async function* () {
          yield shotOf(1, { P: asImage(pixels, rows, columns) });
        })();
        return of((await reduce(one, { r: radialProfile({ ...base, ...options }) })).r, "P");
      };
      for (const [name, unit, to, split, isCorrected] of cases) {
        const theirs = expected[name];
        if (theirs === undefined) throw new Error(name);
        const ours = await profile({
          axis: { unit, to, bins: 40 },
          split: split === "full" ? "area" : "no",
          ...(isCorrected ? { polarisation } : { polarisation: null, solidAngle: false }),
        });
        const limit = split === "full" ? 1e-4 : isCorrected ? 1e-5 : 1e-6;
        expect([name, worst(ours.mean, theirs.mean, theirs.count) < limit]).toEqual([name, true]);
        expect([name, worst(ours.count, theirs.count, theirs.count) < 1e-4]).toEqual([name, true]);
        expect([name, worst(ours.error, theirs.error, theirs.count) < 1e-4]).toEqual([name, true]);
        expect([name, worst(ours.radial, theirs.radial, theirs.count) < 1e-6]).toEqual([name, true]);
      }
      const map = { axis: { unit: "2th_deg", to: 20, bins: 20 }, polarisation: null, solidAngle: false } as const;
      const whole = await profile({ ...map, azimuth: { sectors: 12 } });
      expect(worst(whole.mean, expected["map"]?.mean ?? [], expected["map"]?.count ?? [])).toBeLessThan(1e-6);
      expect([...whole.count]).toEqual(expected["map"]?.count);
      // pyFAI puts a pixel that lies across ±180° whole at one side: there only both sides together are alike. Where a
      // slanted side of a pixel meets a corner of bins, its areas are approximate.
      for (const [name, options] of [
        ["shared map", map],
        ["shared map corrected", { ...map, polarisation, solidAngle: true }],
      ] as const) {
        const mine = await profile({ ...options, split: "area", azimuth: { sectors: 12 } });
        const theirs = expected[name];
        if (theirs === undefined) throw new Error(name);
        const both = ({ mean, count }: { mean: ArrayLike<number>; count: ArrayLike<number> }) =>
          Array.from({ length: 11 * 20 }, (_, k) => {
            const [n, m] = [count[k] ?? NaN, count[k + 220] ?? NaN];
            const own = mean[k] ?? NaN;
            return k >= 20 ? [own, n] : [(own * n + (mean[k + 220] ?? NaN) * m) / (n + m), n + m];
          });
        const [ours, others] = [both(mine), both(theirs)];
        const off = (what: 0 | 1) =>
          Math.max(
            ...others.map((of, k) =>
              (of[1] ?? 0) < 10 ? 0 : Math.abs((ours[k]?.[what] ?? NaN) / (of[what] ?? NaN) - 1),
            ),
          );
        expect(others.filter(([, n = 0]) => n >= 10).length).toBeGreaterThan(120);
        expect([name, off(0) < 0.005, off(1) < 0.012]).toEqual([name, true, true]);
      }
      // Shares by sector are together those of the ring, also of pixels cut by the end of the axis.
      const shared = await profile({ ...map, split: "area", azimuth: { sectors: 12 } });
      const ring = await profile({ ...map, split: "area" });
      for (let bin = 0; bin < 20; bin++) {
        let count = 0;
        for (let sector = 0; sector < 12; sector++) count += shared.count[sector * 20 + bin] ?? NaN;
        expect(count).toBeCloseTo(ring.count[bin] ?? NaN, 3);
      }
    },
  );

  itNeeding(
    numpy !== undefined,
    "no Python with numpy",
    "has the pixels of numpy in float64 in every bin",
    async () => {
      const sensors = [-89.9062, 89.9631, 0.02].map((rotationDeg, k): DetectorInfo => {
        const place = { posXUm: 817 - 900 * k, posYUm: 51_711 - 26_767 * k, posZUm: 0, manipulatorShiftUm: 0 };
        const geometry = { ...place, rotationDeg, pixelSizeXUm: 50, pixelSizeYUm: 50 };
        return { id: `S${k}`, xsize: 512, ysize: 1024, absGain: null, geometry };
      });
      const input = JSON.stringify(sensors.map(({ geometry: g }) => [g?.posXUm, g?.posYUm, g?.rotationDeg]));
      const expected = JSON.parse(
        execFileSync(numpy ?? "", ["-c", countScript], { input, encoding: "utf8" }),
      ) as readonly number[][];
      const image = asImage(new Float32Array(1024 * 512).fill(1), 1024, 512);
      const one = (async function* () {
        yield shotOf(1, { S0: image, S1: image, S2: image });
      })();
      const tilted = { distanceMm: 80, normalUm: { x: 1234, y: -867 }, rot1Deg: 0.4, rot2Deg: -0.7 };
      const axis = { unit: "2th_deg", to: 43, bins: 400 } as const;
      const { r } = await reduce(one, { r: radialProfile({ sensors, geometry: tilted, axis }) });
      for (const [k, counts] of expected.entries()) expect([...of(r, `S${k}`).count]).toEqual(counts);
    },
  );

  itWithSharedData("agrees on powder rings with a tilt, without and with corrections and sharing", async () => {
    const truth = JSON.parse(readFileSync(join(sharedData, "302001.truth.json"), "utf8")) as {
      normal_incidence_um: [number, number];
      light_tags: number[];
      dark_tags: [number];
      energy_eV: number;
      pyFAI: { profiles: Record<string, { intensity: number[]; count?: number[] }> };
    };
    await using facility = await connect(join(sharedData, "302001.h5"));
    const run = await facility.run(3, 302_001);
    const detectors = Array.from({ length: 8 }, (_, k) => `MPCCD-8B0-2-009-${k + 1}`);
    const sensors = await Promise.all(detectors.map((id) => run.detectorInfo(id)));
    const shots = (tags: number[]) => facility.shots({ run, detectors, tags });
    const dark = await darkAverage(shots(truth.dark_tags));
    const [x, y] = truth.normal_incidence_um;
    const base = {
      sensors,
      geometry: { distanceMm: 80, normalUm: { x, y }, rot1Deg: 0.4, rot2Deg: -0.7 },
      axis: { unit: "2th_deg", to: 43, bins: 400 },
    } as const;
    const plain = { ...base, polarisation: null, solidAngle: false } as const;
    const profiles = [
      ["no split/uncorrected", plain],
      ["no split/polarisation and solid angle", base],
      ["full split/uncorrected", { ...plain, split: "area" }],
      ["full split/polarisation and solid angle", { ...base, split: "area" }],
    ] as const;
    const { ledger: _, ...found } = await reduce(
      shots(truth.light_tags),
      Object.fromEntries(cases(profiles, 3).map(([name, options]) => [name, radialProfile(options)])),
      { dark, corrections: [correct.photons({ detectors: sensors, configuredEv: truth.energy_eV })] },
    );
    for (const [name, profile] of Object.entries(found)) {
      const { mean, count } = combineProfiles(profile);
      const theirs = truth.pyFAI.profiles[`measured/${name}`]?.intensity ?? [];
      // They are of the sum of both images.
      const off = Array.from(mean, (value, k) => Math.abs((2 * value) / (theirs[k] ?? NaN) - 1));
      const sorted = off.sort((a, b) => a - b);
      // pyFAI has these corners as float32 metres, 2θ within 4.2e-8 rad: of 4.2 million pixels some 35 are as near to an
      // edge as that, and lie in the neighbouring bin.
      if (name === "no split/uncorrected") {
        const counts = truth.pyFAI.profiles["expected/no split/uncorrected"]?.count ?? [];
        const moved = counts.reduce((sum, n, k) => sum + Math.abs(n - (count[k] ?? NaN) / 2), 0) / 2;
        expect(moved).toBeLessThan(50);
      }
      expect([name, (sorted[360] ?? 1) < 2e-5, (sorted[399] ?? 1) < (name.startsWith("no") ? 5e-4 : 1e-4)]).toEqual([
        name,
        true,
        true,
      ]);
    }
  });
});
