/**
 * Reductions as arrays of a real Slurm whose jobs are killed, requeued and canceled at random, whose checkpoints are damaged
 * and deleted, and which are submitted twice: do they end with the bytes of one process, and is every end explained?
 * `npm run check:shards -- [seed] [count]`. Exit code 1 when not. Needs Debian's slurm-wlm and munge.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Random } from "../src/core/random.ts";
import { type Finished, sacla } from "../test/support/cli.ts";
import { manyShotsRequest, writeManyShots } from "../test/support/many-shots.ts";
import { hasSlurm, PrivateSlurm } from "../test/support/slurm.ts";

/** What a check found. */
export interface ShardsReport {
  readonly reductions: number;
  /** What was done to them, how often. */
  readonly troubles: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
}

export interface ShardsCheck {
  readonly seed: number;
  /** Reductions. */
  readonly count: number;
  readonly shots: number;
  /** Into how many pieces a reduction may be cut. */
  readonly pieces: readonly number[];
  /** Troubles for each reduction. */
  readonly troubles: number;
  readonly log?: (line: string) => void;
}

/** A reduction that is being troubled. */
class Troubled {
  readonly #slurm: PrivateSlurm;
  readonly #random: Random;
  readonly #parts: string;
  #merges = 0;

  constructor(slurm: PrivateSlurm, random: Random, parts: string) {
    this.#slurm = slurm;
    this.#random = random;
    this.#parts = parts;
  }

  /** Does one thing to it; gives its name, undefined when there was nothing to do it to. */
  trouble(): string | undefined {
    const kinds = ["requeue", "kill", "cancel", "time limit", "cancel merge", "damage", "cut off", "delete"];
    const kind = kinds[Math.floor(this.#random.uniform() * kinds.length)] ?? "";
    return this.#do(kind) ? kind : undefined;
  }

  #do(kind: string): boolean {
    if (kind === "cancel merge") {
      const merge = this.#jobs("merge")[0];
      // More than two lost merges are an end of their own.
      return merge !== undefined && this.#merges++ < 2 && this.#told("scancel", merge);
    }
    if (kind === "damage" || kind === "cut off" || kind === "delete") return this.#spoil(kind);
    const task = this.#one(this.#jobs("shards", "R"));
    if (task === undefined) return false;
    if (kind === "requeue") return this.#told("scontrol", "requeue", task);
    if (kind === "cancel") return this.#told("scancel", task);
    return this.#told("scancel", "-b", "-s", kind === "kill" ? "KILL" : "USR2", task);
  }

  #spoil(kind: "damage" | "cut off" | "delete"): boolean {
    const file = this.#one(readdirSync(this.#parts).filter((name) => /^shard-\d+\.sacla$/.test(name)));
    if (file === undefined) return false;
    const path = join(this.#parts, file);
    try {
      if (kind === "delete") rmSync(path);
      else {
        const bytes = readFileSync(path);
        const at = Math.floor(this.#random.uniform() * bytes.length);
        if (kind === "damage") bytes[at] = (bytes[at] ?? 0) ^ 16;
        writeFileSync(path, kind === "damage" ? bytes : bytes.subarray(0, at));
      }
      return true;
    } catch {
      // Its job has just replaced it.
      return false;
    }
  }

  #jobs(what: string, state?: string): string[] {
    const wanted = state === undefined ? [] : ["-t", state];
    const lines = this.#slurm.run("squeue", "-h", "-r", ...wanted, "-n", `sacla-7-${what}`, "-o", "%i").split("\n");
    return lines.filter((line) => line !== "");
  }

  #told(program: string, ...args: string[]): boolean {
    try {
      this.#slurm.run(program, ...args);
      return true;
    } catch {
      // The job has ended meanwhile.
      return false;
    }
  }

  #one<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random.uniform() * list.length)];
  }
}

/** Troubles `count` reductions, and compares each with one process. */
export async function checkShards(slurm: PrivateSlurm, check: ShardsCheck): Promise<ShardsReport> {
  const { seed, count, pieces, log = () => {} } = check;
  const folder = mkdtempSync(join(tmpdir(), "sacla-shards-"));
  const random = new Random(seed);
  const troubles: Record<string, number> = {};
  const faults: string[] = [];
  try {
    const source = await writeManyShots(folder, check.shots);
    writeFileSync(join(folder, "request.json"), JSON.stringify(manyShotsRequest));
    const reduce = (out: string, ...options: string[]) =>
      sacla(folder, ["reduce", "7", "request.json", "--url", source, "-o", out, ...options], slurm.env);
    const one = await reduce("one.h5");
    if (one.code !== 0) throw new Error(`the reduction in one process failed: ${textOf(one)}`);
    const wanted = readFileSync(join(folder, "one.h5"));
    for (let n = 0; n < count; n++) {
      const out = `out-${n}.h5`;
      const shards = pieces[Math.floor(random.uniform() * pieces.length)] ?? 4;
      const options = ["--slurm", "--shards", String(shards), "--checkpoint", "0.05", "--keep"];
      const parts = join(folder, `${out}.parts`);
      const done = await troubled(slurm, random, parts, check.troubles, () => reduce(out, ...options));
      for (const kind of done.kinds) troubles[kind] = (troubles[kind] ?? 0) + 1;
      const name = `${out} (${shards} pieces, ${done.kinds.join(", ") || "no trouble"})`;
      for (const end of done.ends) if (end.code !== 0) faults.push(`${name}: exit code ${end.code}: ${textOf(end)}`);
      if (!existsSync(join(folder, out))) faults.push(`${name}: no result`);
      else if (!readFileSync(join(folder, out)).equals(wanted)) faults.push(`${name}: other bytes`);
      faults.push(...unexplained(parts, shards).map((fault) => `${name}: ${fault}`));
      log(`${n + 1} of ${count}: ${name}, ${faults.length} faults`);
      rmSync(join(folder, out), { force: true });
      rmSync(parts, { recursive: true, force: true });
    }
    return { reductions: count, troubles, faults };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function troubled(
  slurm: PrivateSlurm,
  random: Random,
  parts: string,
  most: number,
  start: () => Promise<Finished>,
): Promise<{ readonly kinds: readonly string[]; readonly ends: readonly Finished[] }> {
  const kinds: string[] = [];
  const runs = [start()];
  let isOver = false;
  const over = runs[0]?.finally(() => {
    isOver = true;
  });
  const work = new Troubled(slurm, random, parts);
  while (!isOver && kinds.length < most) {
    await sleep(100 + 900 * random.uniform());
    if (!existsSync(join(parts, "reduction.log")) || isOver) continue;
    if (runs.length === 1 && random.uniform() < 0.1) {
      runs.push(start());
      kinds.push("submitted twice");
      continue;
    }
    const kind = work.trouble();
    if (kind !== undefined) kinds.push(kind);
  }
  await over;
  return { kinds, ends: await Promise.all(runs) };
}

/** The end of what a command said. */
function textOf({ out, err }: Finished): string {
  return `${out}${err}`.slice(-3000);
}

/** Shards whose log does not end with a word. */
function unexplained(parts: string, shards: number): string[] {
  const words = ["whole", "stopped", "failed", "ended"];
  return Array.from({ length: shards }, (_, k) => `shard-${String(k).padStart(4, "0")}.log`).flatMap((name) => {
    const lines = readFileSync(join(parts, name), "utf8").trim().split("\n");
    const last = JSON.parse(lines.at(-1) ?? "{}") as { event?: string };
    return words.includes(last.event ?? "") ? [] : [`the last word of ${name} is ${last.event}`];
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!hasSlurm) throw new Error("Slurm is not here: apt-get install slurm-wlm munge");
  const [seed = 1, count = 50] = process.argv.slice(2).map(Number);
  await using slurm = await PrivateSlurm.start();
  const settings = { seed, count, shots: 1000, pieces: [1, 2, 4, 16], troubles: 6 };
  const report = await checkShards(slurm, { ...settings, log: (line) => process.stderr.write(`${line}\n`) });
  console.log(JSON.stringify(report, null, 2));
  process.exitCode = report.faults.length === 0 ? 0 : 1;
}
