/**
 * Scans on a bad day, one for each seed, and looks whether each one ends with all its points, or with a reason that has
 * a code and everything measured kept: `npm run check:hostile-scans -- [seed] [count]`. A scan is the command line
 * `sacla scan` on the simulated facility in the scenario `hostile`, in rehearsal time. Exit code 1 when anything was
 * wrong.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Io } from "../src/cli/io.ts";
import { runCli } from "../src/cli/program.ts";
import { errorCatalogue } from "../src/core/errors.ts";
import { Journal } from "../src/scan/index.ts";

const MONITOR = "xfel_bl_3_tc_bm_1_pd/charge";
const POINTS = 10;
const SHOTS = 10;
/** Noise of the monitor without beam is some 1e-11 C, and the weakest pulses of a bad day are far above this. */
const SURELY_BEAM = 1e-10;

/** What came of the scans. */
export interface HostileReport {
  readonly scans: number;
  /** Scans that ended with all points. */
  readonly done: number;
  /** The others by the code they ended with. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
}

interface Printed {
  readonly outcome?: string;
  readonly points?: number;
  readonly error?: { readonly code: string; readonly message: string; readonly details: { readonly points?: number } };
}

/** @param folder - for the journals */
export async function checkHostileScans(seed: number, count: number, folder: string): Promise<HostileReport> {
  const reasons: Record<string, number> = {};
  const faults: string[] = [];
  let done = 0;
  for (let n = seed; n < seed + count; n++) {
    const path = join(folder, `${n}.journal`);
    const { code, out, err } = await scanOnce(n, path);
    const { outcome, points, error } = printedIn(out);
    const wrong = (why: string): unknown => faults.push(`seed ${n}: ${why}\n${err}${out}`);
    if (outcome === "done") {
      done++;
      if (code !== 0 || points !== POINTS) wrong(`done with exit code ${code} and ${points} points`);
    } else if (error === undefined) wrong("neither points nor a reason");
    else {
      reasons[error.code] = (reasons[error.code] ?? 0) + 1;
      if (!Object.hasOwn(errorCatalogue, error.code) || error.code === "INTERNAL") wrong(`ended with ${error.code}`);
      if (code === 0 || error.message === "") wrong("failed without exit code or message");
    }
    const kept = keptIn(path, wrong);
    const told = points ?? error?.details.points ?? 0;
    if (kept !== told) wrong(`${told} points told, ${kept} in the journal`);
  }
  return { scans: count, done, reasons, faults };
}

async function scanOnce(seed: number, journal: string): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const io: Io = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    isTerminal: false,
    env: {},
    signal: new AbortController().signal,
    writeFile: () => {},
  };
  const url = `sim:?clock=virtual&scenario=hostile&seed=${seed}`;
  const range = ["bl3_st2_pm001", "11950", "12050", String(POINTS)];
  const shots = ["--shots", String(SHOTS), "--signal", MONITOR, "--shutter", "bl3_shutter1"];
  const code = await runCli(["scan", ...range, ...shots, "--yes", "--json", "--journal", journal, "--url", url], io);
  return { code, out, err };
}

function printedIn(out: string): Printed {
  try {
    return JSON.parse(out) as Printed;
  } catch {
    return {};
  }
}

/** Points of the journal; none of their shots may be without beam, and none of its numbers may lack. */
function keptIn(path: string, wrong: (why: string) => unknown): number {
  const journal = Journal.open(path);
  journal.close();
  for (const { got } of journal.past.values()) {
    if (got?.kind !== "shots") continue;
    const { tags, values, outcome } = got.taken;
    if (outcome === "done" && tags.length !== SHOTS) wrong(`a point of ${tags.length} shots`);
    const dark = (values[MONITOR] ?? []).filter((value) => value === null || value < SURELY_BEAM);
    if (dark.length > 0) wrong(`shots without beam were counted as good: ${dark.join(", ")}`);
  }
  return journal.points;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [seed = "1", count = "100"] = process.argv.slice(2);
  const folder = mkdtempSync(join(tmpdir(), "sacla-hostile-"));
  try {
    const { scans, done, reasons, faults } = await checkHostileScans(Number(seed), Number(count), folder);
    const ended = Object.entries(reasons).map(([code, times]) => `, ${times} ${code}`);
    console.log(`${scans} scans: ${done} with all points${ended.join("")}; ${faults.length} faults`);
    for (const fault of faults) console.error(fault);
    process.exitCode = faults.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
