/**
 * One scan of 200 points on fresh spots, for scripts/chaos-scan.ts to kill: `chaos-scan-worker.ts JOURNAL MAP`. The
 * devices are in the parent process and go on without this one.
 */
import { existsSync } from "node:fs";
import { type Apparatus, Engine, Journal, type Positions, type Row, resumeScan, type ShotsTaken, scan, TargetMap } from "../src/scan/index.ts";

const [journalPath = "", mapPath = ""] = process.argv.slice(2);
const POINTS = 200;

const plan = scan({ axis: "delay", from: 0, to: POINTS - 1, points: POINTS, shots: 2, freshSpots: { map: "chip", shutter: "main" } });

let calls = 0;
const waiting = new Map<number, (answer: unknown) => void>();
process.on("message", ({ id, answer }: { id: number; answer: unknown }) => {
  waiting.get(id)?.(answer);
  waiting.delete(id);
});

function call(name: string, ...args: readonly unknown[]): Promise<unknown> {
  const id = calls++;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    process.send?.({ id, name, args });
  });
}

const apparatus: Apparatus = {
  rateHz: 1000,
  now: () => performance.now(),
  sleep: async (ms) => {
    await call("sleep", ms);
  },
  limits: () => "unlimited",
  where: async (axes) => (await call("where", axes)) as Positions,
  move: async (to) => (await call("move", to)) as Positions,
  set: async (setting, value) => {
    await call("set", setting, value);
  },
  shutter: async (name, open) => {
    await call("shutter", name, open);
  },
  shots: async ({ count }) => (await call("shots", count)) as ShotsTaken,
  fly: async () => {
    throw new Error("nothing flies here");
  },
  safe: async () => {
    await call("safe");
  },
};

const rows: Row[] = [];
const options = { maps: { chip: TargetMap.open(mapPath) }, observers: [{ point: (row: Row) => rows.push(row) }] };
process.send?.({ say: "begun" });
if (existsSync(journalPath)) await resumeScan(journalPath, plan, apparatus, options);
else await new Engine(apparatus, { ...options, journal: Journal.create(journalPath, plan) }).run(plan);
process.send?.({ say: "done", rows: rows.map(({ data, taken }) => ({ delay: data["delay"], spot: data["spot"], tags: taken?.tags ?? [] })) }, () =>
  process.exit(0),
);
