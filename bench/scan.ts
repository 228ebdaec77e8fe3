/**
 * Plain messages per second of the engine beside Bluesky's RunEngine, milliseconds per point of a durable journal, and
 * the time to check and estimate 100 plans of 1 000 points: `npm run bench:scan`. Bluesky is run when
 * a Python of SACLA_TEST_PYTHON, or the system's, has it.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  checkPlan,
  count,
  dryRun,
  Engine,
  Journal,
  note,
  type Plan,
  plan,
  scan,
  TargetMap,
  virtualBeamline,
} from "../src/scan/index.ts";
import { findPython } from "./reduce-harness.ts";
import { row } from "./rows.ts";

const MESSAGES = 1_000_000;
const POINTS = 500;
const devices = {
  axes: { delay: { limits: { from: -10, to: 2000 }, speed: 100, acceleration: 500, overheadSeconds: 0.2 } },
};
const seconds = (since: number): number => (performance.now() - since) / 1000;
const folder = mkdtempSync(join(tmpdir(), "sacla-bench-"));

async function messagesPerSecond(): Promise<number> {
  const plain = plan("plain", {}, function* () {
    for (let i = 0; i < MESSAGES; i++) yield* note("");
  });
  const rates: number[] = [];
  for (let round = 0; round < 3; round++) {
    const started = performance.now();
    await new Engine(virtualBeamline(devices), { check: false }).run(plain);
    rates.push(MESSAGES / seconds(started));
  }
  return Math.max(...rates);
}

async function bothPerPoint(what: Plan, path: string, maps = {}): Promise<{ plain: number; durable: number }> {
  const spots = Array.from({ length: POINTS }, (_, i) => ({ delay: i }));
  const rehearsal = "chip" in maps ? { chip: TargetMap.inMemory(spots) } : {};
  const first = performance.now();
  await new Engine(virtualBeamline(devices), { maps: rehearsal, check: false }).run(what);
  const plain = (1000 * seconds(first)) / POINTS;
  const journal = Journal.create(path, what);
  const second = performance.now();
  await new Engine(virtualBeamline(devices), { journal, maps, check: false }).run(what);
  const durable = (1000 * seconds(second)) / POINTS;
  journal.close();
  return { plain, durable };
}

async function estimates(): Promise<number> {
  const plans = Array.from({ length: 100 }, (_, i) =>
    scan({ axis: "delay", from: i, to: i + 999, points: 1000, shots: 1, shutter: "main" }),
  );
  const beamline = virtualBeamline(devices);
  const started = performance.now();
  for (const each of plans) {
    await checkPlan(each, beamline, {});
    if (dryRun(each, { devices }).points.to !== 1000) throw new Error("the dry run did not take all points");
  }
  return seconds(started);
}

/** Messages a second, or null where it is not installed. */
function bluesky(): number | null {
  const python = findPython("bluesky");
  if (python === undefined) return null;
  return Number(execFileSync(python, [fileURLToPath(new URL("./scan.py", import.meta.url))], { encoding: "utf8" }));
}

try {
  const rate = await messagesPerSecond();
  const reference = { name: "Bluesky", value: bluesky() };
  row({ what: "plain messages", unit: "/s", sacla: rate, reference, goal: 1, atLeast: true });
  const points = await bothPerPoint(
    scan({ axis: "delay", from: 0, to: POINTS - 1, points: POINTS, shots: 1, shutter: "main" }),
    join(folder, "a.journal"),
  );
  const without = { name: "without", value: points.plain };
  row({ what: "a point with a durable journal", unit: "ms", sacla: points.durable, reference: without });
  const chip = TargetMap.create(
    join(folder, "chip.map"),
    Array.from({ length: POINTS }, (_, i) => ({ delay: i })),
  );
  const spots = await bothPerPoint(
    count({ times: POINTS, shots: 1, freshSpots: { map: "chip", shutter: "main" } }),
    join(folder, "b.journal"),
    { chip },
  );
  const bare = { name: "without", value: spots.plain };
  row({ what: "a point with a durable journal and target map", unit: "ms", sacla: spots.durable, reference: bare });
  chip.close();
  row({ what: "100 plans of 1000 points checked and estimated", unit: "s", sacla: await estimates() });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
