/**
 * Plain messages per second of the engine beside Bluesky's RunEngine, milliseconds per point of a durable journal, and
 * the time to check and estimate 100 plans of 1 000 points: `npm run bench:scan`. Bluesky is run when
 * SACLA_BENCH_PYTHON (else python3) has it; else its published 35 000/s stand beside ours.
 */
import { spawnSync } from "node:child_process";
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

function bluesky(): string {
  const python = process.env["SACLA_BENCH_PYTHON"] ?? "python3";
  const { status, stdout } = spawnSync(python, [fileURLToPath(new URL("./scan.py", import.meta.url))], {
    encoding: "utf8",
  });
  return status === 0
    ? `${Math.round(Number(stdout))} messages/s (bluesky, same machine, same run)`
    : "35000 messages/s (bluesky, as published; not installed here)";
}

try {
  const rate = await messagesPerSecond();
  console.log(`engine: ${Math.round(rate)} plain messages/s; beside it ${bluesky()}`);
  const points = await bothPerPoint(
    scan({ axis: "delay", from: 0, to: POINTS - 1, points: POINTS, shots: 1, shutter: "main" }),
    join(folder, "a.journal"),
  );
  console.log(`durable journal: ${points.durable.toFixed(2)} ms per point (without: ${points.plain.toFixed(3)} ms)`);
  const chip = TargetMap.create(
    join(folder, "chip.map"),
    Array.from({ length: POINTS }, (_, i) => ({ delay: i })),
  );
  const spots = await bothPerPoint(
    count({ times: POINTS, shots: 1, freshSpots: { map: "chip", shutter: "main" } }),
    join(folder, "b.journal"),
    { chip },
  );
  console.log(
    `durable journal and target map: ${spots.durable.toFixed(2)} ms per point (without: ${spots.plain.toFixed(3)} ms)`,
  );
  chip.close();
  console.log(`100 plans of 1000 points checked and estimated in ${(await estimates()).toFixed(2)} s`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
