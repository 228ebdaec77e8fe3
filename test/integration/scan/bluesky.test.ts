import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  count,
  DocumentStream,
  Engine,
  flyScan,
  grid,
  Journal,
  type Plan,
  resumeScan,
  type ScanCallback,
  type ScanDocument,
  scan,
  scanPoints,
  scanRelative,
  TargetMap,
  virtualBeamline,
} from "../../../src/scan/index.ts";
import { blueskyModules, itNeeding, pythonWith } from "../../support/optional.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { bench } from "../../unit/scan/fixtures.ts";

const folder = temporaryFolder();
const readers = fileURLToPath(new URL("../../support/bluesky-readers.py", import.meta.url));
const units = { theta: "deg", bragg: "V", "a/b.c": "C" };
/** A signal that is there at every other shot only. */
let shot = 0;
const devices = { ...bench, signals: { ...bench.signals, hit: () => shot++ % 2 } };
const shots = { count: 3, signals: ["bragg", "i0"] };
const oneShot = {
  ...shots,
  count: 1,
  conditions: [{ signalName: "hit", equals: 1 }],
  budget: { shots: 1 },
} as const;
const theta = scan({ axis: "theta", from: 11, to: 14, points: 31, shots });
const axes = [
  { axis: "y", from: 0, to: 0.3, points: 4 },
  { axis: "x", from: 2, to: -1, points: 3 },
];

/** Documents of a scan; `at` acts when a point is done. */
async function documentsOf(
  plan: Plan,
  at: (engine: Engine, index: number) => void = () => {},
  journal?: Journal,
): Promise<ScanDocument[]> {
  const documents: ScanDocument[] = [];
  const map = Array.from({ length: 9 }, (_, i) => ({ x: i % 3, y: Math.floor(i / 3) }));
  const callbacks: ScanCallback[] = [
    new DocumentStream((document) => documents.push(document), { units }),
    { point: ({ index }) => at(engine, index) },
  ];
  const engine: Engine = new Engine(virtualBeamline(devices), {
    callbacks,
    maps: { chip: TargetMap.inMemory(map) },
    journal,
  });
  await engine.run(plan);
  return documents;
}

const startOf = async (plan: Plan): Promise<unknown> => (await documentsOf(plan))[0]?.[1];

describe("the start document", () => {
  it("has the axis, the number of points and the pattern of Bluesky's own plans", async () => {
    expect(await startOf(theta)).toMatchObject({
      scan_id: expect.any(Number),
      motors: ["theta"],
      num_points: 31,
      num_intervals: 30,
      plan_pattern: "inner_product",
      plan_args: { args: ["theta", 11, 14], num: 31 },
      hints: { dimensions: [[["theta"], "primary"]] },
    });
    expect(await startOf(count({ times: 4, shots }))).toMatchObject({
      num_points: 4,
      hints: { dimensions: [[["time"], "primary"]] },
    });
    expect(await startOf(scanRelative({ axis: "theta", from: 0, to: 1, points: 5, shots }))).toMatchObject({
      motors: ["theta"],
      num_points: 5,
    });
  });

  it("has shape and extents of a grid, extents of scattered points, one dimension of points on a line", async () => {
    expect(await startOf(grid({ axes, shots }))).toMatchObject({
      motors: ["y", "x"],
      num_points: 12,
      shape: [4, 3],
      extents: [
        [0, 0.3],
        [2, -1],
      ],
      snaking: [false, true],
      plan_pattern: "outer_product",
      hints: {
        gridding: "rectilinear",
        dimensions: [
          [["y"], "primary"],
          [["x"], "primary"],
        ],
      },
    });
    expect(await startOf(grid({ axes, shots, snake: false }))).toMatchObject({ snaking: [false, false] });
    const line = [0, 1, 3].map((x) => ({ x, y: x + 1 }));
    expect(await startOf(scanPoints({ points: line, shots }))).toMatchObject({
      plan_pattern: "inner_list_product",
      hints: { dimensions: [[["x", "y"], "primary"]] },
    });
    const scattered = await startOf(scanPoints({ points: [...line, { x: 2, y: 9 }], shots }));
    expect(scattered).toMatchObject({
      extents: [
        [0, 3],
        [1, 9],
      ],
      hints: {
        dimensions: [
          [["x"], "primary"],
          [["y"], "primary"],
        ],
      },
    });
    expect(scattered).not.toHaveProperty("shape");
  });

  it("is the same after a resume, also of a scan from where the axis was", async () => {
    const path = join(folder, "relative.journal");
    const plan = scanRelative({ axis: "theta", from: 2, to: 3, points: 5, shots });
    const journal = Journal.create(path, plan);
    const first = await documentsOf(plan, (engine) => engine.stop(), journal);
    journal.close();
    const documents: ScanDocument[] = [];
    const moved = {
      ...devices,
      axes: { ...bench.axes, theta: { limits: { from: 0, to: 30 }, speed: 2, start: 9 } },
    };
    await resumeScan(path, plan, virtualBeamline(moved), {
      callbacks: [new DocumentStream((document) => documents.push(document), { units })],
    });
    expect(documents.slice(0, 3)).toEqual(first.slice(0, 3));
  });

  it("does not come from a scan that is refused, and neither does a stop", async () => {
    const documents: ScanDocument[] = [];
    const engine = new Engine(virtualBeamline(devices), {
      callbacks: [new DocumentStream((document) => documents.push(document))],
    });
    await expect(engine.run(scan({ axis: "theta", from: 0, to: 99, points: 3, shots }))).rejects.toMatchObject({
      code: "LIMIT",
    });
    expect(documents).toEqual([]);
  });
});

describe("descriptor and events", () => {
  it("hint at the signals alone, with units and precision, and are NaN where nothing is known", async () => {
    const documents = await documentsOf(grid({ axes, shots: oneShot, giveUp: "go-on" }));
    const [, descriptor] = documents[1] ?? [];
    expect(descriptor).toMatchObject({
      hints: { x: { fields: ["x"] }, y: { fields: ["y"] }, scan: { fields: ["bragg", "i0"] } },
      data_keys: {
        x: { precision: 1, object_name: "x" },
        y: { precision: 1 },
        bragg: { units: "V", precision: expect.any(Number) },
        bragg_error: { units: "V" },
      },
    });
    const events = documents.filter(([name]) => name === "event").map(([, { data }]) => data as { bragg: number });
    expect(events).toHaveLength(12);
    expect(events.some(({ bragg }) => Number.isNaN(bragg))).toBe(true);
    expect(documents.filter(([name]) => name === "descriptor")).toHaveLength(1);
  });
});

interface Reading {
  readonly best_effort: {
    readonly text: string;
    readonly failed: readonly string[];
    readonly against: readonly string[];
    readonly pictures: readonly unknown[];
    readonly spots: readonly number[];
    readonly peaks: Readonly<Record<string, readonly number[]>>;
    readonly centres: Readonly<Record<string, number>>;
  };
  readonly table: string;
  readonly spec?: string;
  readonly tiled: { readonly rows: number; readonly stop: string; readonly columns: readonly string[] };
}

const python = pythonWith(...blueskyModules);
itNeeding(
  python !== undefined,
  "no Python with bluesky, tiled[all], suitcase-specfile and matplotlib; set SACLA_TEST_PYTHON",
  "Bluesky's BestEffortCallback, LiveTable, suitcase.specfile and TiledWriter take scans of every kind",
  async () => {
    const freshSpots = { map: "chip", shutter: "main" };
    const scans = {
      peak: await documentsOf(theta),
      "down, one by one": await documentsOf(scan({ axis: "theta", from: 14, to: 11, points: 7, shots })),
      gaps: await documentsOf(grid({ axes, shots: oneShot, giveUp: "go-on" })),
      spots: await documentsOf(count({ times: 5, shots: oneShot, giveUp: "go-on", freshSpots })),
      fly: await documentsOf(flyScan({ axis: "delay", from: 0, to: 10, shots: 20, signals: ["i0"] })),
      aborted: await documentsOf(theta, (engine, index) => {
        if (index === 5) engine.abort();
      }),
    };
    const answer = execFileSync(python ?? "", [readers], {
      input: JSON.stringify(scans),
      encoding: "utf8",
      stdio: ["pipe", "pipe", "ignore"],
    });
    const found = JSON.parse(answer) as Record<keyof typeof scans, Reading>;
    const points = { peak: 31, "down, one by one": 7, gaps: 12, spots: 5, fly: 20, aborted: 6 };
    for (const [name, { best_effort: best, table, tiled }] of Object.entries(found)) {
      expect([name, best.failed]).toEqual([name, []]);
      expect([name, tiled.rows]).toEqual([name, points[name as keyof typeof points]]);
      expect(table.trim().split("\n").length).toBeGreaterThan(tiled.rows);
    }
    const { peak, gaps, spots, fly, aborted } = found;
    expect(peak.best_effort.against).toEqual(["theta"]);
    expect(peak.best_effort.text).toMatch(/seq_num \|\s+time \|\s+theta \|\s+bragg \|\s+i0 \|/);
    expect(peak.best_effort.centres["bragg"]).toBeCloseTo(12.5, 1);
    expect(peak.spec).toMatch(/^#S \d+ ascan theta 11 14 31/m);
    expect(gaps.best_effort.pictures).toEqual([[[4, 3]], [[4, 3]]]);
    expect(spots.best_effort.spots).toContain(5);
    expect(fly.best_effort.against).toEqual(["delay"]);
    expect(aborted.tiled.stop).toBe("abort");
  },
);
