/**
 * Radial profiles and maps of each shot, pixel limits and photons by threshold, of unsigned 16-bit images in memory, on
 * one core, against numpy and pyFAI.
 *
 * npm run bench:reduce-pixels -- [repetitions] [images]
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import ndarray from "ndarray";
import type { DetectorInfo } from "sacla/core";
import { correct, createStack, mean, photonCounts, radialProfile, reduce, shotsFrom } from "sacla/reduce";
import {
  alternate,
  type Contestant,
  columnsOf,
  type Finished,
  inTemporaryFolder,
  load,
  machine,
  Program,
  pythonWith,
  rowOf,
  table,
  timed,
} from "./reduce-harness.ts";

const repetitions = Number(process.argv[2] ?? 5);
const images = Number(process.argv[3] ?? 64);
const [rows, columns] = [1024, 512];
const pixels = rows * columns;
const detId = "MPCCD-2N0-M02-001-1";
const place = { posXUm: -columns * 25, posYUm: rows * 25, posZUm: 0, rotationDeg: 0, manipulatorShiftUm: 0 };
const info: DetectorInfo = {
  id: detId,
  xsize: columns,
  ysize: rows,
  absGain: null,
  geometry: { ...place, pixelSizeXUm: 50, pixelSizeYUm: 50 },
};

const stack = createStack([images, rows, columns]);
const dark = new Float64Array(pixels);
let state = 20_251_107;
const next = (): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state >>> 8;
};
for (let i = 0; i < pixels; i++) dark[i] = 100 + (next() % 40) / 40;
// Read noise, and 2 % of single photons of 154 ADU.
for (let i = 0; i < stack.data.length; i++)
  stack.data[i] = Math.floor(dark[i % pixels] ?? 0) + (next() % 40) - 20 + ((next() & 0xff) < 5 ? 154 : 0);

const base = {
  sensors: [info],
  geometry: { distanceMm: 80, normalUm: { x: 0, y: 0 } },
  axis: { unit: "2th_deg", to: 20, bins: 400 },
  polarisation: null,
  solidAngle: false,
} as const;
const rings = radialProfile(base);
const maps = radialProfile({ ...base, azimuth: { sectors: 36 } });
const photons = photonCounts({ aduPerPhoton: 154 });
const limits = [correct.between(77, 1e4, 0)];
const weighted = (values: ArrayLike<number> | undefined): number =>
  Array.from(values ?? []).reduce((sum, value, k) => sum + value * k, 0);
const total = (values: ArrayLike<number> | undefined): number =>
  Array.from(values ?? []).reduce((sum, value) => sum + value, 0);

class Sacla implements Contestant {
  readonly name = "sacla";
  async run(work: string): Promise<Finished> {
    const shots = shotsFrom({ [detId]: stack });
    const options = { dark: { mean: { [detId]: ndarray(dark, [rows, columns]) } } };
    return await timed(async () => {
      if (work === "between") {
        const { r } = await reduce(shots, { r: mean() }, { ...options, corrections: limits });
        return () => [total(r[detId]?.data) * images];
      }
      if (work === "photons") {
        const { r } = await reduce(shots, { r: photons }, options);
        return () => [total(r[detId]?.photons.data)];
      }
      const { r } = await reduce(shots, { r: work === "sectors" ? maps : rings }, options);
      return () => [weighted(r[detId]?.sum)];
    });
  }
  close(): void {}
}

await inTemporaryFolder(async (folder) => {
  const [stackFile, darkFile] = [join(folder, "stack.u16"), join(folder, "dark.f64")];
  writeFileSync(stackFile, stack.data);
  writeFileSync(darkFile, dark);
  const script = new URL("reduce-pixels.py", import.meta.url).pathname;
  const sizes = [images, rows, columns].map(String);
  const python = await Program.start("numpy", pythonWith("numpy, pyFAI"), [script, stackFile, darkFile, ...sizes]);
  const sacla = new Sacla();
  const works = ["profile", "sectors", "between", "photons"];
  const timings = await alternate(
    [
      ...works.flatMap((work) => [
        { label: `${work}: sacla`, contestant: sacla, work },
        { label: `${work}: numpy`, contestant: python, work },
      ]),
      { label: "profile: pyFAI", contestant: python, work: "pyFAI profile" },
    ],
    repetitions,
  );
  python.close();
  console.log(
    `${images} images of ${rows} × ${columns} u16 in memory, each shot by itself; dark subtracted; 400 rings`,
  );
  console.log(`${machine()}; medians of ${repetitions} alternating runs; load ${load()}\n`);
  const base = (label: string) => timings.get(`${label.split(":")[0]}: numpy`);
  const lines = [...timings].map(([label, timing]) => [
    label,
    ...columnsOf(timing),
    (timing.cpu / images).toFixed(2),
    (timing.cpu / (base(label)?.cpu ?? NaN)).toFixed(2),
  ]);
  console.log(table(["work", "ms", "min–max", "CPU ms", "CPU ms an image", "CPU ÷ numpy"], lines));
  console.log("");
  for (const work of works) rowOf(work, timings.get(`${work}: sacla`), "numpy", timings.get(`${work}: numpy`), 1.2);
  rowOf("profile", timings.get("profile: sacla"), "pyFAI", timings.get("profile: pyFAI"), 0.1);
  for (const [label, { check }] of timings) {
    const off = Math.abs((check[0] ?? NaN) / (base(label)?.check[0] ?? NaN) - 1);
    // float32 of the dark, and of places in pyFAI.
    if (off < 1e-5) continue;
    console.log(`${label} DIFFERS by ${off}`);
    process.exitCode = 1;
  }
});
