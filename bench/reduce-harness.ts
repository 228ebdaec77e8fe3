/** Alternating runs of several programs over the same data: what bench/reduce.ts and bench/archive.ts share. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir, totalmem } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { transform } from "esbuild";
import { noPeer, row } from "./rows.ts";

/** One program that can do a piece of work and say how long it took. */
export interface Contestant {
  readonly name: string;
  /** Does the work named: milliseconds, and numbers that must be the same for all. */
  run(work: string): Promise<Finished>;
  close(): void;
}

export interface Finished {
  readonly ms: number;
  /** Of the processor, all threads: what is left of a measurement on a busy machine. */
  readonly cpuMs: number;
  readonly check: readonly number[];
}

/** A program of its own that holds the data, reads the name of the work from stdin and answers `{ ms, check }`. */
export class Program implements Contestant {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  /** What it said when it was ready, when that was JSON. */
  greeting: unknown;
  #waiting: ((line: string) => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  private constructor(name: string, child: ChildProcess, lines: Interface) {
    this.name = name;
    this.#child = child;
    this.#lines = lines;
    lines.on("line", (line) => this.#waiting?.(line));
    child.once("exit", (code) => {
      this.#failed?.(new Error(`${name} ended with ${code}`));
    });
  }

  /** Waits until it has said that it is ready. */
  static async start(name: string, command: string, args: readonly string[]): Promise<Program> {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    const program = new Program(name, child, createInterface({ input: child.stdout }));
    const said = await program.#answer();
    program.greeting = said.startsWith("{") ? JSON.parse(said) : undefined;
    return program;
  }

  async run(work: string): Promise<Finished> {
    const answer = this.#answer();
    this.#child.stdin?.write(`${work}\n`);
    return JSON.parse(await answer) as Finished;
  }

  close(): void {
    this.#child.stdin?.end();
    this.#lines.close();
  }

  #answer(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting = resolve;
      this.#failed = reject;
    });
  }
}

/** The work of one row of a table. */
export interface Row {
  readonly label: string;
  readonly contestant: Contestant;
  readonly work: string;
  /** The work is a part of what the others do: the time is multiplied by this. @default 1 */
  readonly times?: number;
}

/** Milliseconds of `work` in this process. */
export async function timed(work: () => Promise<() => readonly number[]>): Promise<Finished> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const check = await work();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { ms, cpuMs: (user + system) / 1000, check: check() };
}

export interface Timing {
  readonly cpu: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly check: readonly number[];
}

/** Times the rows in turn, the order reversed every other time, after one turn that does not count. */
export async function alternate(rows: readonly Row[], repetitions: number): Promise<Map<string, Timing>> {
  const times = new Map<string, { ms: number; cpuMs: number }[]>(rows.map(({ label }) => [label, []]));
  const checks = new Map<string, readonly number[]>();
  for (let turn = -1; turn < repetitions; turn++) {
    for (const { label, contestant, work, times: factor = 1 } of turn % 2 === 0 ? rows : rows.toReversed()) {
      const { ms, cpuMs, check } = await contestant.run(work);
      checks.set(label, check);
      if (turn >= 0) times.get(label)?.push({ ms: ms * factor, cpuMs: cpuMs * factor });
    }
  }
  return new Map(
    [...times].map(([label, list]) => {
      const sorted = list.map(({ ms }) => ms).sort((a, b) => a - b);
      const cpu = list.map(({ cpuMs }) => cpuMs).sort((a, b) => a - b);
      const timing = {
        median: middle(sorted),
        min: sorted[0] ?? NaN,
        max: sorted.at(-1) ?? NaN,
        cpu: middle(cpu),
        check: checks.get(label) ?? [],
      };
      return [label, timing];
    }),
  );
}

function middle(sorted: readonly number[]): number {
  return sorted[sorted.length >> 1] ?? NaN;
}

export function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = head.map((title, k) => Math.max(title.length, ...lines.map((line) => line[k]?.length ?? 0)));
  const format = (line: readonly string[]): string =>
    `| ${widths.map((width, k) => (k === 0 ? (line[k] ?? "").padEnd(width) : (line[k] ?? "").padStart(width))).join(" | ")} |`;
  return [
    format(head),
    `|${widths.map((width, k) => (k === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`,
    ...lines.map(format),
  ].join("\n");
}

/** Median, spread and processor time for a table. */
export function columnsOf({ median, min, max, cpu }: Timing): string[] {
  return [median.toFixed(1), `${min.toFixed(1)}–${max.toFixed(1)}`, cpu.toFixed(1)];
}

/** A row of times beside those of a reference. */
export function rowOf(
  what: string,
  ours: Timing | undefined,
  name: string,
  theirs: Timing | undefined,
  goal: number,
): void {
  if (ours === undefined) throw new Error(`${what} was not measured`);
  const reference = { name, value: theirs?.median ?? null };
  row({ what, unit: "ms", sacla: ours.median, reference, goal, byProcessor: ours.cpu / (theirs?.cpu ?? NaN) });
}

/** Whether two lists of numbers agree to a part in 10^9. */
export function agree(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((x, i) => Math.abs(x - (b[i] ?? NaN)) <= 1e-9 * Math.max(1, Math.abs(x)));
}

export function machine(): string {
  return `${cpus().length} × ${cpus()[0]?.model}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, node ${process.version}`;
}

export function load(): string {
  return loadavg()
    .map((x) => x.toFixed(2))
    .join(" ");
}

/** A Python with all of `modules`: one of SACLA_TEST_PYTHON, else the system's; undefined when none has. */
export function findPython(modules: string): string | undefined {
  const given = (process.env["SACLA_TEST_PYTHON"] ?? "").split(delimiter).filter((path) => path !== "");
  return [...given, "/usr/bin/python3", "python3"].find(
    (python) => spawnSync(python, ["-c", `import ${modules}`], { stdio: "ignore" }).status === 0,
  );
}

/** The same, where a bench can do nothing without. */
export function pythonWith(modules: string): string {
  const found = findPython(modules);
  if (found !== undefined) return found;
  noPeer(`no Python with ${modules}`);
  throw new Error(`no Python with ${modules}: apt-get install python3-numpy python3-h5py, or set SACLA_TEST_PYTHON`);
}

export function version(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: "utf8" }).split("\n")[0] ?? "";
}

/** A folder that is gone when the work is done. */
export async function inTemporaryFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sacla-bench-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * A program of this folder as a user's: JavaScript, with no compiler in the process, beside the package so that its name
 * is known. To be removed in the end.
 */
export async function besidePackage(name: string): Promise<URL> {
  const program = new URL(`../dist/${name}.mjs`, import.meta.url);
  const source = readFileSync(new URL(`${name}.ts`, import.meta.url), "utf8");
  writeFileSync(program, (await transform(source, { loader: "ts", target: "node20" })).code);
  return program;
}
