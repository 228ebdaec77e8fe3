/**
 * Kills conversions at random moments and looks whether the resumed ones end as if nothing had happened:
 * `npm run chaos:convert -- [kills] [seed]`. Exit code 1 when one did not.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Random } from "../src/core/random.ts";
import { bundled } from "../test/support/bundled.ts";

const worker = await bundled(fileURLToPath(new URL("./chaos-convert-worker.ts", import.meta.url)));

/** What a chaos run found. */
export interface ChaosReport {
  readonly kills: number;
  /** Conversions brought to their end. */
  readonly ends: number;
  /** Ends that went on from what an earlier process had read. */
  readonly resumed: number;
  /** Kills by what was on the disk afterwards. */
  readonly moments: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
}

interface Ended {
  readonly code: number | null;
  readonly out: string;
  /** From the beginning, and from when all was read. */
  readonly milliseconds: number;
  readonly writingMs: number;
}

/** When to kill: so many milliseconds after the worker has said a word. */
interface Kill {
  readonly after: "ready" | "writing";
  readonly milliseconds: number;
}

/** Runs the worker, and kills it when told, if it is still there. */
async function run(file: string, shots: number, kill: Kill | null): Promise<Ended> {
  const child: ChildProcess = spawn(process.execPath, [worker, file, String(shots)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  const said = { ready: 0, writing: 0 };
  let timer: NodeJS.Timeout | undefined;
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    for (const word of ["ready", "writing"] as const) {
      if (!text.includes(word)) continue;
      said[word] = performance.now();
      if (kill?.after === word) timer = setTimeout(() => child.kill("SIGKILL"), kill.milliseconds);
    }
    out += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    out += text.slice(0, 2000);
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  clearTimeout(timer);
  return { code, out, milliseconds: performance.now() - said.ready, writingMs: performance.now() - said.writing };
}

/** Which files of a conversion are there, as one word. */
function stateOf(folder: string, name: string): string {
  const there = readdirSync(folder)
    .filter((file) => file.startsWith(name))
    .map((file) => file.slice(name.length) || "whole");
  return there.sort().join(" ") || "nothing";
}

/** Kills conversions of so many shots `kills` times at moments spread over their duration, and brings each to its end. */
export async function chaos(
  kills: number,
  seed: number,
  shots = 500,
  log: (line: string) => void = () => {},
): Promise<ChaosReport> {
  const folder = mkdtempSync(join(tmpdir(), "sacla-chaos-"));
  const random = new Random(seed);
  const faults: string[] = [];
  const moments: Record<string, number> = {};
  let [done, ends, resumed] = [0, 0, 0];
  try {
    const first = await run(join(folder, "reference.h5"), shots, null);
    if (first.code !== 0) throw new Error(`the reference conversion failed: ${first.out}`);
    // The second is the quicker one, and the one to compare: kills shall hit all of it.
    const { milliseconds, writingMs } = await run(join(folder, "again.h5"), shots, null);
    const reference = readFileSync(join(folder, "reference.h5"));
    if (!readFileSync(join(folder, "again.h5")).equals(reference)) faults.push("two uninterrupted conversions differ");
    log(`reference: ${reference.length} bytes in ${milliseconds.toFixed(0)} ms, ${writingMs.toFixed(0)} of it writing`);
    for (let n = 0; done < kills; n++) {
      const name = `c${n}.h5`;
      const inARow = 1 + Math.floor(random.uniform() * 3);
      for (let k = 0; k < inARow && done < kills; k++) {
        // Half of them while the file is assembled and renamed, which is a small part of the time.
        const kill: Kill =
          random.uniform() < 0.5
            ? { after: "ready", milliseconds: random.uniform() * milliseconds }
            : { after: "writing", milliseconds: random.uniform() * writingMs };
        const killed = await run(join(folder, name), shots, kill);
        if (killed.code === 0) break;
        done++;
        if (killed.code !== null) faults.push(`${name}: exit code ${killed.code} instead of a kill: ${killed.out}`);
        const state = stateOf(folder, name);
        moments[state] = (moments[state] ?? 0) + 1;
        // Killed on its way out: there is nothing left to resume, and the same command would find the file there.
        if (state === "whole") break;
        if (state.includes("whole") && !readFileSync(join(folder, name)).equals(reference))
          faults.push(`${name}: the target was there and not whole`);
      }
      if (!(stateOf(folder, name) === "whole")) {
        const last = await run(join(folder, name), shots, null);
        if (last.code !== 0) faults.push(`${name}: not resumed: ${last.out}`);
        if (/resumed [1-9]/.test(last.out)) resumed++;
      }
      ends++;
      const state = stateOf(folder, name);
      if (state !== "whole") faults.push(`${name}: left ${state}`);
      else if (!readFileSync(join(folder, name)).equals(reference)) faults.push(`${name}: differs from the reference`);
      rmSync(join(folder, name), { force: true });
      log(`${done} kills, ${ends} ends, ${faults.length} faults`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { kills: done, ends, resumed, moments, faults };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [kills = 200, seed = 1] = process.argv.slice(2).map(Number);
  const report = await chaos(kills, seed, 500, (line) => process.stderr.write(`\r${line}   `));
  console.log(`\n${JSON.stringify(report, null, 2)}`);
  process.exitCode = report.faults.length === 0 ? 0 : 1;
}
