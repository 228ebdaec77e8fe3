/**
 * What a reducer or a correction costs for each shot of an octal detector: 8 × 1024 × 512 unsigned 16-bit pixels in
 * memory, dark subtracted, on one core, against numpy and numba programs of the same definition.
 *
 * npm run bench:reduce-octal -- [repetitions] [shots] [works, separated by commas]
 */
import { openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import ndarray from "ndarray";
import type { DetectorInfo } from "sacla/core";
import {
  Cube,
  correct,
  covariance,
  createStack,
  darkMaps,
  droplets,
  hits,
  type ImageStack,
  mean,
  minMax,
  photonCounts,
  pixelHistogram,
  projections,
  type Reduced,
  type Reducer,
  radialProfile,
  reduce,
  roiSeries,
  roiSum,
  shotsFrom,
} from "sacla/reduce";
import {
  alternate,
  type Contestant,
  type Finished,
  inTemporaryFolder,
  load,
  machine,
  Program,
  pythonWith,
  type Row,
  table,
  timed,
} from "./reduce-harness.ts";
import { row } from "./rows.ts";

const repetitions = Number(process.argv[2] ?? 5);
const shots = Number(process.argv[3] ?? 16);
const only = process.argv[4]?.split(",");
const [rows, columns] = [1024, 512];
const pixels = rows * columns;
const ids = Array.from({ length: 8 }, (_, k) => `MPCCD-8N0-3-00${k + 1}`);
const adu = 154;
const monitor = "monitor";

/** Levels by port and pixel, read noise of some 11 ADU, 2 % of single photons. */
function makeImages(): { stacks: Readonly<Record<string, ImageStack<Uint16Array>>>; darks: Float64Array[] } {
  let state = 20_251_107;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) >>> 8;
  };
  const darks = ids.map(() => new Float64Array(pixels));
  const stacks = ids.map((_, s) => {
    const stack = createStack([shots, rows, columns]);
    const dark = darks[s] ?? new Float64Array();
    for (let i = 0; i < pixels; i++) dark[i] = 100 + (next() % 40) / 40;
    for (let i = 0; i < stack.data.length; i++) {
      const pick = next();
      const noise = (pick & 15) + ((pick >> 4) & 15) + ((pick >> 8) & 15) - 22;
      stack.data[i] = Math.floor(dark[i % pixels] ?? 0) + noise + (pick >>> 12 < 82 ? adu : 0);
    }
    return stack;
  });
  return { stacks: Object.fromEntries(stacks.map((stack, k) => [ids[k], stack])), darks };
}

const { stacks, darks } = makeImages();
const signal = Float64Array.from({ length: shots }, (_, k) => 1 + 0.1 * Math.sin(3 * k));
const dark = {
  mean: Object.fromEntries(ids.map((id, k) => [id, ndarray(darks[k] ?? new Float64Array(), [rows, columns])])),
};
const place = { posXUm: -columns * 25, posYUm: rows * 25, posZUm: 0, rotationDeg: 0, manipulatorShiftUm: 0 };
const sensors: DetectorInfo[] = ids.map((id) => ({
  id,
  xsize: columns,
  ysize: rows,
  absGain: null,
  geometry: { ...place, pixelSizeXUm: 50, pixelSizeYUm: 50 },
}));
const profile = {
  sensors,
  geometry: { distanceMm: 80, normalUm: { x: 0, y: 0 } },
  axis: { unit: "2th_deg", to: 20, bins: 400 },
  polarisation: null,
  solidAngle: false,
} as const;
const roi = { rows: [0, rows], columns: [128, 384] } as const;

type Values = ArrayLike<number> | undefined;
const total = (values: Values): number => Array.from(values ?? []).reduce((sum, value) => sum + value, 0);
const weighted = (values: Values): number => Array.from(values ?? []).reduce((sum, value, k) => sum + value * k, 0);

/** A reducer, and the number of its answer that the other programs give too. */
function work<T>(reducer: Reducer<T>, check: (answer: T) => number[], options: object = { dark }) {
  return async (): Promise<() => number[]> => {
    const { r } = (await reduce(
      shotsFrom(stacks, { signals: { [monitor]: signal } }),
      { r: reducer },
      options,
    )) as Reduced<{
      r: Reducer<T>;
    }>;
    return () => {
      const each = Object.values(r).map(check);
      return (each[0] ?? []).map((_, k) => total(each.map((numbers) => numbers[k] ?? NaN)));
    };
  };
}

const medians = (ports: readonly { mean: number; meanSpread: number; noise: number; noiseSpread: number }[]): number =>
  total(ports.map((p) => p.mean + p.noise + (p.meanSpread + p.noiseSpread) / 1.482_602_218_505_602));

async function cube(): Promise<() => number[]> {
  const bin = ({ tag }: { tag: number }): number => (tag * 7) % 50;
  const scan = new Cube({
    axes: [{ name: "delay", of: { signals: [], read: bin }, from: -0.5, to: 49.5, step: 1 }],
    values: { images: { average: mean() } },
    dark,
  });
  await scan.update(shotsFrom(stacks));
  return () => [
    total(
      Array.from({ length: 50 }, (_, k) => scan.images("all", k)).flatMap((images) =>
        Object.values(images?.average ?? {}).map((image) => total(image.data)),
      ),
    ),
  ];
}

interface Work {
  readonly name: string;
  readonly run: () => Promise<() => number[]>;
  /** Times of the best other program, at most. */
  readonly goal: number;
  /** Compared with the numbers of the others. @default true */
  readonly compared?: boolean;
}

const works: readonly Work[] = [
  { name: "photons", run: work(photonCounts({ aduPerPhoton: adu }), (r) => [total(r.photons.data)]), goal: 1.2 },
  { name: "lit", run: work(hits({ threshold: 77, minPixels: 1 }), (r) => [total(r.litPixels)]), goal: 0.3 },
  {
    name: "rings",
    run: work(radialProfile({ ...profile, perShot: { from: 0, to: 20 } }), (r) => [weighted(r.sum)]),
    goal: 1.2,
  },
  { name: "mean rings", run: work(radialProfile(profile), (r) => [weighted(r.sum)]), goal: 0.3 },
  {
    name: "covariance",
    run: work(covariance({ equipId: monitor }), (r) => [total(r.covariance.data)]),
    goal: 1.2,
  },
  { name: "cube", run: cube, goal: 1 },
  { name: "dark maps", run: work(darkMaps(), (r) => [medians(r.ports)], {}), goal: 1.2 },
  {
    name: "chain",
    run: work(mean(), (r) => [total(r.data)], { corrections: [correct.dark(dark)] }),
    goal: 1,
  },
  {
    name: "common mode",
    run: work(mean(), (r) => [total(r.data)], { dark, corrections: [correct.commonMode()] }),
    goal: 1.2,
    compared: false,
  },
  { name: "droplets", run: work(droplets({ aduPerPhoton: adu }), (r) => [total(r.perShot)]), goal: 1.2 },
  {
    name: "peaks",
    run: work(hits({ threshold: 77, minPeaks: 1 }), (r) => [total(r.litPixels), total(r.peaks ?? [])]),
    goal: 1.2,
  },
  {
    name: "histogram",
    run: work(pixelHistogram({ from: -100, to: 300, binWidth: 10 }), ({ counts }) => {
      let sum = 0;
      for (let i = 0; i < counts.data.length; i++) sum += (counts.data[i] ?? 0) * (i % 41);
      return [sum];
    }),
    goal: 1,
  },
  { name: "roi", run: work(roiSum(roi), (r) => [total(r.sums)]), goal: 1 },
  { name: "rois", run: work(roiSeries([roi]), (r) => [total(r.rois[0]?.sums)]), goal: 1 },
  { name: "projections", run: work(projections(), (r) => [weighted(r.alongX), weighted(r.alongY)]), goal: 1 },
  { name: "mean", run: work(mean(), (r) => [total(r.data)]), goal: 0.3 },
  { name: "least and greatest", run: work(minMax(), (r) => [total(r.min.data)], {}), goal: 1, compared: false },
];
/** Works of ours that have one name at the others. */
const same: Readonly<Record<string, string>> = { rois: "roi" };

class Sacla implements Contestant {
  readonly name = "sacla";
  async run(name: string): Promise<Finished> {
    const found = works.find((one) => one.name === name);
    if (found === undefined) throw new Error(name);
    return await timed(found.run);
  }
  close(): void {}
}

await inTemporaryFolder(async (folder) => {
  const files = ["images.u16", "dark.f64", "signal.f64"].map((name) => join(folder, name));
  const [imageFile = "", darkFile = "", signalFile = ""] = files;
  const file = openSync(imageFile, "w");
  for (const id of ids) writeSync(file, stacks[id]?.data ?? new Uint16Array());
  const darkHandle = openSync(darkFile, "w");
  for (const level of darks) writeSync(darkHandle, level);
  writeFileSync(signalFile, signal);
  const script = new URL("reduce-octal.py", import.meta.url).pathname;
  const sizes = [shots, ids.length, rows, columns].map(String);
  const python = await Program.start("python", pythonWith("numpy"), [script, ...files, ...sizes]);
  const { works: others } = python.greeting as { works: readonly string[] };
  const sacla = new Sacla();
  const chosen = works.filter(({ name }) => only === undefined || only.includes(name));
  const lines: string[][] = [];
  console.log(`${shots} shots of ${ids.length} × ${rows} × ${columns} u16 in memory, dark subtracted; ms a shot`);
  console.log(`${machine()}; medians of ${repetitions} paired runs, of processor time; load ${load()}\n`);
  for (const { name, goal, compared = true } of chosen) {
    const theirs = [same[name] ?? name, `numba ${same[name] ?? name}`].filter((other) => others.includes(other));
    const rowsOf: Row[] = [
      { label: name, contestant: sacla, work: name },
      ...theirs.map((other) => ({ label: `python ${other}`, contestant: python, work: other })),
    ];
    const timings = await alternate(rowsOf, repetitions);
    const own = timings.get(name);
    const each = theirs.map((other) => timings.get(`python ${other}`)?.cpu ?? NaN);
    const best = Math.min(...each);
    const ratio = (own?.cpu ?? NaN) / best;
    const winner = theirs[each.indexOf(best)]?.startsWith("numba ") === true ? "numba" : "numpy";
    const reference = { name: winner, value: theirs.length === 0 ? null : best / shots };
    row({ what: name, unit: "processor ms a shot", sacla: (own?.cpu ?? NaN) / shots, reference, goal });
    const of = (k: number, prefix: string): string =>
      theirs[k]?.startsWith(prefix) === true ? ((each[k] ?? NaN) / shots).toFixed(2) : "–";
    const numba = theirs.findIndex((other) => other.startsWith("numba "));
    const numpy = theirs.findIndex((other) => !other.startsWith("numba "));
    lines.push([
      name,
      ((own?.cpu ?? NaN) / shots).toFixed(2),
      of(numpy, ""),
      of(numba, "numba"),
      theirs.length === 0 ? "–" : ratio.toFixed(2),
      String(goal),
      theirs.length === 0 ? "–" : ratio <= goal ? "met" : "MISSED",
    ]);
    for (const other of compared ? theirs : []) {
      const check = timings.get(`python ${other}`)?.check ?? [];
      const off = check.map((value, k) => Math.abs((own?.check[k] ?? NaN) / value - 1));
      // float32 of the dark, of sums and of edges.
      if (off.every((part) => part < 2e-4)) continue;
      console.log(`${name} DIFFERS from ${other}: ${own?.check.join(", ")} is not ${check.join(", ")}`);
      process.exitCode = 1;
    }
  }
  python.close();
  console.log(table(["work", "sacla", "numpy", "numba", "÷ best", "goal", ""], lines));
  console.log(`load ${load()}`);
});
