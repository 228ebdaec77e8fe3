/**
 * Small archives of every kind of storage with one bit of their metadata flipped: what sacla reads is what h5py reads,
 * or an error with a code; it neither hangs nor ends. Needs a Python with h5py (SACLA_TEST_PYTHON).
 *
 * npm run check:bit-flips -- [seed] [files | all] [kind]
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Random } from "../src/core/random.ts";
import { pythonWith } from "../test/support/optional.ts";
import { Answering } from "./bit-flips/answering.ts";
import { judge, type OracleAnswer, type ReaderAnswer } from "./bit-flips/judge.ts";

const seed = Number(process.argv[2] ?? 1);
const wanted = process.argv[3] ?? "2000";
const only = process.argv[4];
const python = pythonWith("numpy", "h5py");
if (python === undefined) throw new Error("needs a Python with numpy and h5py: set SACLA_TEST_PYTHON");
const oracle = fileURLToPath(new URL("bit-flips/oracle.py", import.meta.url));
const reader = fileURLToPath(new URL("bit-flips/reader.ts", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "sacla-bit-flips-"));
try {
  const made = execFileSync(python, [oracle, "make", folder], { encoding: "utf8", maxBuffer: 2 ** 26 });
  const places = Object.entries(JSON.parse(made) as Record<string, number[]>).filter(
    ([kind]) => only === undefined || kind === only,
  );
  const all = places.flatMap(([kind, bytes]) =>
    bytes.flatMap((byte) => Array.from({ length: 8 }, (_, bit) => `${kind} ${8 * byte + bit}`)),
  );
  const jobs = [...places.map(([kind]) => `${kind} -1`), ...(wanted === "all" ? all : sample(all, Number(wanted)))];
  const theirs = new Answering<OracleAnswer>(python, [oracle, "serve", folder], jobs);
  const ours = new Answering<ReaderAnswer>(
    process.execPath,
    ["--import", "tsx", "-C", "sacla-source", reader, folder],
    jobs,
  );
  const counts = new Map<string, number>();
  const failures: string[] = [];
  let most = 0;
  for (const job of jobs) {
    const [found, truth] = await Promise.all([ours.next(), theirs.next()]);
    if (typeof found === "object") most = Math.max(most, found.bytes ?? 0);
    const { outcomes, wrong } = judge(found, truth, job.endsWith(" -1"));
    for (const outcome of outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    for (const what of wrong) failures.push(`${job}: ${what}`);
  }
  await Promise.all([ours.close(), theirs.close()]);
  console.log(`${jobs.length - places.length} of ${all.length} flips of ${places.length} files, seed ${seed}`);
  for (const [outcome, count] of [...counts].sort(([a], [b]) => a.localeCompare(b)))
    console.log(`${String(count).padStart(8)}  ${outcome}`);
  console.log(`most memory of the reader: ${Math.round(most / 2 ** 20)} MiB`);
  for (const failure of failures.slice(0, 100)) console.log(`WRONG ${failure}`);
  console.log(`${failures.length} wrong`);
  if (failures.length > 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Some of the entries, each at most once. */
function sample(entries: readonly string[], count: number): string[] {
  const draw = new Random(seed);
  const left = [...entries];
  return Array.from({ length: Math.min(count, left.length) }, () => {
    const at = Math.floor(draw.uniform() * left.length);
    const [taken = ""] = left.splice(at, 1, ...left.splice(-1, at === left.length - 1 ? 0 : 1));
    return taken;
  });
}
