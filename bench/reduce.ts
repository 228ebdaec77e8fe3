/**
 * Dark-subtracted mean, variance and 601-bin histogram of unsigned 16-bit images in memory, on one core, against good
 * numpy, the talk's stacking code, native C and the time it takes to read the memory.
 *
 * npm run bench:reduce -- [repetitions] [images]
 */
import { execFileSync } from "node:child_process";
import { openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import ndarray from "ndarray";
import { createStack, histogram, type ImageStack, mean, reduce, shotsFrom, variance } from "sacla/reduce";
import {
  agree,
  alternate,
  type Contestant,
  columnsOf,
  type Finished,
  inTemporaryFolder,
  load,
  machine,
  Program,
  pythonWith,
  type Row,
  rowOf,
  table,
  timed,
  version,
} from "./reduce-harness.ts";

const repetitions = Number(process.argv[2] ?? 5);
const images = Number(process.argv[3] ?? 1000);
const [rows, columns] = [1024, 512];
const pixels = rows * columns;
/** The stacking code takes 8 bytes a value, and as much again for the variance. */
const few = Math.min(100, images);
const detId = "MPCCD-2N0-M02-001-1";

/** As an MPCCD sensor sees 2 % of single photons: pedestal by port and pixel, noise of 11 ADU, photons of 154. */
function fill(stack: ImageStack<Uint16Array>, dark: Float64Array): void {
  let state = 20_251_107;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
  const noise = Int16Array.from({ length: 65_536 }, () => {
    let sum = 0;
    for (let k = 0; k < 12; k++) sum += next() / 2 ** 24;
    return Math.round((sum - 6) * 11);
  });
  for (let i = 0; i < pixels; i++) dark[i] = 100 + 3 * Math.floor((i % columns) / 64) + (next() % 40) / 40;
  for (let i = 0; i < stack.data.length; i++) {
    const pick = next();
    stack.data[i] = Math.max(
      0,
      Math.floor(dark[i % pixels] ?? 0) + (noise[pick >>> 8] ?? 0) + ((pick & 0xff) < 5 ? 154 : 0),
    );
  }
}

class Sacla implements Contestant {
  readonly name = "sacla";
  readonly #stack: ImageStack<Uint16Array>;
  readonly #dark: Float64Array;

  constructor(stack: ImageStack<Uint16Array>, dark: Float64Array) {
    this.#stack = stack;
    this.#dark = dark;
  }

  async run(work: string): Promise<Finished> {
    const dark = { mean: { [detId]: ndarray(this.#dark, [rows, columns]) } };
    const stack = work.startsWith("ordinary") ? ordinary(this.#stack) : this.#stack;
    return await timed(async () => {
      const shots = shotsFrom({ [detId]: stack });
      if (work === "mean") {
        const { average } = await reduce(shots, { average: mean() }, { dark });
        return () => [total(average[detId]?.data)];
      }
      const { average, noise, adu } = await reduce(
        shots,
        { average: mean(), noise: variance(), adu: histogram() },
        { dark },
      );
      return () => [
        total(average[detId]?.data),
        total(noise[detId]?.variance.data),
        total(adu[detId]?.counts.map((count, i) => count * i)),
      ];
    });
  }

  close(): void {}
}

let copy: ImageStack<Uint16Array> | undefined;
/** The same images in an array of the user's own. */
function ordinary(stack: ImageStack<Uint16Array>): ImageStack<Uint16Array> {
  copy ??= ndarray(new Uint16Array(stack.data), [...stack.shape]);
  return copy;
}

function total(values: Float64Array | undefined): number {
  return values?.reduce((sum, value) => sum + value, 0) ?? NaN;
}

function buildNative(folder: string): string | undefined {
  const program = join(folder, "reduce");
  try {
    execFileSync("gcc", ["-O3", "-march=native", "-o", program, new URL("reduce.c", import.meta.url).pathname, "-lm"], {
      stdio: "inherit",
    });
    return program;
  } catch {
    console.log("no gcc: without the native reference and the memory bound");
    return undefined;
  }
}

await inTemporaryFolder(async (folder) => {
  const stack = createStack([images, rows, columns]);
  const dark = new Float64Array(pixels);
  fill(stack, dark);
  const [stackFile, darkFile] = [join(folder, "stack.u16"), join(folder, "dark.f64")];
  const file = openSync(stackFile, "w");
  for (let k = 0; k < images; k++) writeSync(file, stack.data, k * pixels * 2, pixels * 2);
  writeFileSync(darkFile, dark);

  const python = pythonWith("numpy");
  const numpy = await Program.start("numpy", python, [
    new URL("reduce.py", import.meta.url).pathname,
    stackFile,
    darkFile,
    ...[images, rows, columns, few].map(String),
  ]);
  const native = buildNative(folder);
  const c =
    native === undefined
      ? undefined
      : await Program.start("C", native, [stackFile, darkFile, String(images), String(pixels)]);
  const sacla = new Sacla(stack, dark);
  const row = (label: string, contestant: Contestant | undefined, work: string, times = 1): Row[] =>
    contestant === undefined ? [] : [{ label, contestant, work, times }];
  const scale = images / few;
  const before = load();
  const timings = await alternate(
    [
      ...row("mean: sacla", sacla, "mean"),
      ...row("mean: good numpy", numpy, "mean"),
      ...row("mean: the talk's code", numpy, "talk mean", scale),
      ...row("mean: native C", c, "mean"),
      ...row("all three: sacla", sacla, "everything"),
      ...row("all three: sacla, ordinary array", sacla, "ordinary everything"),
      ...row("all three: good numpy", numpy, "everything"),
      ...row("all three: the talk's code", numpy, "talk everything", scale),
      ...row("all three: native C", c, "everything"),
      ...row("reading the memory (C)", c, "bound"),
    ],
    repetitions,
  );
  numpy.close();
  c?.close();

  console.log(
    `${images} images of ${rows} × ${columns} u16 (${((images * pixels * 2) / 1e9).toFixed(2)} GB) in memory; mean; mean + variance + 601-bin histogram in one pass; dark subtracted`,
  );
  console.log(
    `${machine()}; ${version(python, ["-c", "import numpy; print('numpy', numpy.__version__)"])}; ${c === undefined ? "no gcc" : version("gcc", ["--version"])}`,
  );
  console.log(
    `medians of ${repetitions} alternating runs; the talk's code with ${few} images, times ${scale}; load before ${before}, after ${load()}\n`,
  );
  const base = (label: string): number => timings.get(`${label.split(":")[0]}: good numpy`)?.median ?? NaN;
  const lines = [...timings].map(([label, timing]) => [
    label,
    ...columnsOf(timing),
    (timing.median / base(label)).toFixed(2),
    ((images * pixels * 2) / timing.median / 1e6).toFixed(1),
  ]);
  console.log(table(["work", "ms", "min–max", "CPU ms", "÷ good numpy", "GB/s"], lines));

  const check = (label: string): readonly number[] => timings.get(label)?.check ?? [];
  console.log("");
  const three = timings.get("all three: sacla");
  rowOf("all three", three, "good numpy", timings.get("all three: good numpy"), 0.35);
  rowOf("all three", three, "native C", timings.get("all three: native C"), 1.3);
  rowOf("all three", three, "the talk's code", timings.get("all three: the talk's code"), 0.02);
  rowOf("mean", timings.get("mean: sacla"), "reading the memory", timings.get("reading the memory (C)"), 1.5);
  const all = [
    "all three: sacla, ordinary array",
    "all three: good numpy",
    ...(c === undefined ? [] : ["all three: native C"]),
  ];
  const same =
    all.every((label) => agree(check("all three: sacla"), check(label))) &&
    agree(check("mean: sacla"), check("mean: good numpy"));
  console.log(
    `answers ${same ? "agree" : `DIFFER: ${JSON.stringify([...timings].map(([label, timing]) => [label, timing.check]))}`}`,
  );
  if (!same) process.exitCode = 1;
});
