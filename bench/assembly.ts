/**
 * Octal calibrate + assemble, a shot at a time on one core: (uint16 − dark) × relative gain into a 2399 × 2399 float32
 * picture with the published geometry, beside numpy, OpenCV and scipy in the same session.
 * `npx tsx -C sacla-source bench/assembly.ts [repetitions]`; the references need SACLA_TEST_PYTHON, or a python3, with
 * numpy, scipy and cv2. Cases alternate, in reversed order every other repetition. On a machine that others use
 * too, read the CPU column.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Assembler, asImage, type Image } from "sacla";
import { AreaResampler } from "../src/ip/area.ts";
import { resolveAssembly } from "../src/ip/assembler-options.ts";
import { NearestResampler } from "../src/ip/nearest.ts";
import { Cells } from "../src/ip/overlap.ts";
import type { Resampler } from "../src/ip/resampler.ts";
import { octal } from "../test/unit/ip/octal.ts";
import { findPython } from "./reduce-harness.ts";
import { row } from "./rows.ts";

const repetitions = Math.max(5, Number(process.argv[2] ?? 7));
const side = 2399;
const length = 512 * 1024;
/** Different shots in turn: 134 MB, more than most caches. */
const shots = 16;
const shotsTimed = 24;

let state = 1;
const random = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const stacks = Array.from({ length: shots }, () =>
  Uint16Array.from({ length: 8 * length }, () => 100 + 400 * random() * random()),
);
const dark = Float32Array.from({ length: 8 * length }, () => 95 + 10 * random());
const perSensor = <T extends { subarray(begin: number, end: number): T }>(stack: T): T[] =>
  octal.map((_, i) => stack.subarray(i * length, (i + 1) * length));
const shots16 = stacks.map((stack) => perSensor(stack));
const shots32 = stacks.slice(0, 4).map((stack) => perSensor(Float32Array.from(stack)));
const darks = perSensor(dark);
const own = asImage(new Float32Array(side * side), side, side);

/**
 * Of one shot, in ms: what passed on the clock, and what the process was busy. They differ when others use the machine.
 */
interface Time {
  readonly ms: number;
  readonly cpu: number;
}

interface Case {
  readonly name: string;
  readonly time: () => Promise<Time> | Time;
  readonly times: Time[];
  readonly note: string;
}
const cases: Case[] = [];

function timed(work: (shot: number) => void): Time {
  work(0);
  const [started, busy] = [performance.now(), process.cpuUsage()];
  for (let i = 0; i < shotsTimed; i++) work(i);
  const { user, system } = process.cpuUsage(busy);
  return { ms: (performance.now() - started) / shotsTimed, cpu: (user + system) / 1000 / shotsTimed };
}

function addOurs(method: "nearest" | "area"): Image {
  const assembler = new Assembler(octal, { view: "source", method });
  const { output } = assembler;
  const add = (name: string, work: (shot: number) => void): void => {
    cases.push({ name: `sacla ${method}: ${name}`, time: () => timed(work), times: [], note: "" });
  };
  // Both types share their memory, so each case fills it before it is timed.
  for (const type of ["uint16", "float32"] as const) {
    const inputs = assembler.inputs(type);
    const time = (): Time => {
      for (const [i, input] of inputs.entries()) input.set(shots16[0]?.[i] ?? []);
      return timed(() => assembler.assemble(inputs, { dark: darks, out: output }));
    };
    cases.push({
      name: `sacla ${method}: ${type} in inputs → output`,
      time,
      times: [],
      note: "same shot again and again",
    });
  }
  add("uint16 elsewhere → output", (i) => assembler.assemble(shots16[i % shots] ?? [], { dark: darks, out: output }));
  add("float32 elsewhere → output", (i) => assembler.assemble(shots32[i % 4] ?? [], { dark: darks, out: output }));
  add("uint16 elsewhere → own out", (i) => assembler.assemble(shots16[i % shots] ?? [], { dark: darks, out: own }));
  const { canvas, placements, gains } = resolveAssembly(octal, { view: "source", method });
  const none = octal.map(() => null);
  const plain: Resampler =
    method === "nearest" ? new NearestResampler(canvas, placements, none) : new AreaResampler(canvas, placements, none);
  for (const [i, values] of darks.entries()) plain.setDark(i, values);
  const paint = (i: number): void =>
    plain.resample(
      (shots16[i % shots] ?? []).map((pixels, k) => ({ pixels, offset: 0, dark: true, gain: gains[k] ?? 1 })),
      NaN,
      own.data,
    );
  add("uint16, plain TypeScript", paint);
  const first = assembler.assemble(shots16[0] ?? [], { dark: darks });
  paint(0);
  console.log(
    `${method}: maps ${(assembler.mapBytes / 1e6).toFixed(2)} MB (plain ${(plain.bytes / 1e6).toFixed(1)} MB), largest difference from plain ${largestDifference(first, own)}`,
  );
  return first;
}

function largestDifference(a: Image, b: Image): number {
  let largest = 0;
  for (let i = 0; i < a.data.length; i++) {
    const [x, y] = [a.data[i] ?? NaN, b.data[i] ?? NaN];
    if (Number.isNaN(x) !== Number.isNaN(y)) return NaN;
    largest = Math.max(largest, Math.abs(x - y) || 0);
  }
  return largest;
}

/** What the references read: the same shots, the lookup table of the nearest pixels and the exact overlaps. */
function writeInput(folder: string, nearest: Image, area: Image): void {
  const write = (name: string, data: Float32Array | Int32Array): void => writeFileSync(join(folder, name), data);
  const { canvas, placements, gains } = resolveAssembly(octal, { view: "source" });
  for (const [i, stack] of stacks.entries())
    writeFileSync(join(folder, "shots.u16"), stack, { flag: i === 0 ? "w" : "a" });
  write("dark.f32", dark);
  write("gain.f32", Float32Array.from(gains));
  // Numbers of pixels are exact in float32 up to 2^24.
  const numbers = octal.map((_, i) => Float32Array.from({ length }, (_, k) => i * length + k));
  write("lut.f32", new Assembler(octal, { view: "source", relativeGain: false, gapValue: -1 }).assemble(numbers).data);
  write("nearest.f32", nearest.data);
  write("area.f32", area.data);
  const starts = new Int32Array(side * side + 1);
  const [pixels, weights] = [new Int32Array(5 * 8 * length), new Float32Array(5 * 8 * length)];
  const cells = placements.map((placement) => new Cells(placement, canvas, null));
  let used = 0;
  for (let to = 0; to < side * side; to++) {
    for (const [i, sensor] of cells.entries()) {
      const n = sensor.under(Math.floor(to / side), to % side);
      for (let k = 0; k < n; k++, used++) {
        pixels[used] = i * length + sensor.base + (sensor.offsets[k] ?? 0);
        weights[used] = sensor.weights[k] ?? 0;
      }
    }
    starts[to + 1] = used;
  }
  write("starts.i32", starts);
  write("pixels.i32", pixels.subarray(0, used));
  write("weights.f32", weights.subarray(0, used));
}

/** Starts the references and adds their cases. Call the result to end them. */
async function addReferences(interpreter: string, folder: string): Promise<() => void> {
  const child = spawn(
    interpreter,
    [fileURLToPath(new URL("assembly.py", import.meta.url)), folder, String(side), String(shots)],
    {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1" },
    },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<Record<string, unknown>> => {
    const next = await lines.next();
    if (next.done === true) throw new Error("bench/assembly.py ended");
    return JSON.parse(next.value) as Record<string, unknown>;
  };
  const ask = (question: object): Promise<Record<string, unknown>> => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    return answer();
  };
  console.log("references:", JSON.stringify(await answer()));
  for (const [name, key, expected] of [
    ["numpy nearest: subtract, multiply, take", "numpy_take", "nearest.f32"],
    ["OpenCV nearest: remap of fixed-point maps", "opencv_nearest", "nearest.f32"],
    ["scipy nearest: map_coordinates", "scipy_nearest", "nearest.f32"],
    ["scipy area: sparse matrix of the exact overlaps", "scipy_sparse", "area.f32"],
    ["OpenCV linear: remap (interpolates, does not conserve)", "opencv_linear", null],
  ] as const) {
    const note =
      expected === null
        ? ""
        : `differs from ours by ${(await ask({ case: key, compare: expected }))["difference"]} at most`;
    const time = async (): Promise<Time> => {
      const { ms, cpu } = await ask({ case: key, shots: shotsTimed });
      return { ms: Number(ms), cpu: Number(cpu) };
    };
    cases.push({ name, time, times: [], note });
  }
  return () => child.stdin.end();
}

const folder = mkdtempSync(join(tmpdir(), "sacla-bench-"));
let end = (): void => {};
try {
  console.log(`node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(2)}`);
  console.log(
    `data: ${shots} octal shots of 8 × 1024 × 512 uint16 (4 as float32), dark float32, gap NaN; ${repetitions} alternating repetitions of ${shotsTimed} shots`,
  );
  const [nearest, area] = [addOurs("nearest"), addOurs("area")];
  const interpreter = findPython("numpy, scipy, cv2");
  if (interpreter === undefined)
    console.log("references: left out, as there is no Python with numpy, scipy and cv2 (set SACLA_TEST_PYTHON)");
  else {
    writeInput(folder, nearest, area);
    end = await addReferences(interpreter, folder);
  }
  // Once unmeasured: the compilers settle.
  for (const { time } of cases) await time();
  const load = loadavg()[0]?.toFixed(2);
  for (let i = 0; i < repetitions; i++)
    for (const one of i % 2 === 0 ? cases : cases.toReversed()) one.times.push(await one.time());
  console.log(`\nload ${load} before, ${loadavg()[0]?.toFixed(2)} after (1 is this program)\n`);
  console.log("| case | ms a shot, median | min–max | Hz | CPU ms | |\n|---|---|---|---|---|---|");
  const medians = new Map<string, { ms: number; cpu: number }>();
  for (const { name, times, note } of cases) {
    const ms = times.map((time) => time.ms).sort((a, b) => a - b);
    const cpu = times.map((time) => time.cpu).sort((a, b) => a - b);
    const median = ms[ms.length >> 1] ?? NaN;
    const range = `${ms[0]?.toFixed(2)}–${ms.at(-1)?.toFixed(2)}`;
    console.log(
      `| ${name} | ${median.toFixed(2)} | ${range} | ${(1000 / median).toFixed(0)} | ${cpu[cpu.length >> 1]?.toFixed(2)} | ${note} |`,
    );
    medians.set(name, { ms: median, cpu: cpu[cpu.length >> 1] ?? NaN });
  }
  console.log("");
  for (const [method, name] of [
    ["nearest", "OpenCV nearest: remap of fixed-point maps"],
    ["area", "scipy area: sparse matrix of the exact overlaps"],
  ] as const) {
    const [ours, theirs] = [medians.get(`sacla ${method}: uint16 elsewhere → output`), medians.get(name)];
    const reference = { name: name.split(":")[0] ?? "", value: theirs?.ms ?? null };
    const byProcessor = (ours?.cpu ?? NaN) / (theirs?.cpu ?? NaN);
    row({ what: `${method}, octal`, unit: "ms", sacla: ours?.ms ?? NaN, reference, goal: 1, byProcessor });
  }
} finally {
  end();
  rmSync(folder, { recursive: true, force: true });
}
