import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Cube } from "../../../src/reduce/index.ts";
import {
  DocumentStream,
  Engine,
  Journal,
  plan,
  type Row,
  resumeScan,
  type ScanDocument,
  ScanTable,
  scan,
  scanList,
  scanPosition,
  shotsOfRow,
  TargetMap,
  virtualBeamline,
  withRun,
} from "../../../src/scan/index.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { bench } from "./fixtures.ts";

const folder = temporaryFolder();
const three = scan({
  axis: "delay",
  from: 0,
  to: 2,
  points: 3,
  shots: { count: 4, signals: ["i0"], conditions: [{ signalName: "beam", equals: 1 }] },
});

async function documentsOf(scanned = three): Promise<ScanDocument[]> {
  const documents: ScanDocument[] = [];
  const stream = new DocumentStream((document) => documents.push(document), {
    units: { delay: "ps" },
    metadata: { sample: "Si" },
  });
  await new Engine(virtualBeamline(bench), { callbacks: [stream] }).run(scanned);
  return documents;
}

describe("documents", () => {
  it("tell the scan in order", async () => {
    const documents = await documentsOf();
    expect(documents.map(([name]) => name)).toEqual(["start", "descriptor", "event", "event", "event", "stop"]);
    expect(documents[2]?.[1]["data"]).toMatchObject({ delay: 0, shots_used: 4, i0: expect.any(Number) });
    expect(documents[5]?.[1]).toMatchObject({
      exit_status: "success",
      num_events: { primary: 3 },
      run_start: documents[0]?.[1]["uid"],
    });
  });

  it("are the same after a resume, uids and all", async () => {
    const path = join(folder, "documents.journal");
    const run = async (resumes: boolean): Promise<ScanDocument[]> => {
      const documents: ScanDocument[] = [];
      const callbacks = [new DocumentStream((document) => documents.push(document))];
      if (resumes) await resumeScan(path, three, virtualBeamline(bench), { callbacks });
      else {
        const journal = Journal.create(path, three);
        const engine = new Engine(virtualBeamline(bench), {
          journal,
          callbacks: [...callbacks, { point: () => engine.stop() }],
        });
        await engine.run(three);
        journal.close();
      }
      return documents;
    };
    const [first, second] = [await run(false), await run(true)];
    const uids = (documents: readonly ScanDocument[]): unknown[] => documents.map(([name, { uid }]) => [name, uid]);
    expect(first.filter(([name]) => name === "event")).toHaveLength(1);
    expect(uids(second).slice(0, 3)).toEqual(uids(first).slice(0, 3));
    expect(second.filter(([name]) => name === "event")).toHaveLength(3);
    // Points of before keep their time.
    expect(second[2]?.[1]["time"]).toBe(first[2]?.[1]["time"]);
  });

  const python = pythonWith("event_model", "jsonschema");
  itNeeding(
    python !== undefined,
    "no Python with event-model and jsonschema",
    "are valid against the schemas of event-model",
    async () => {
      const path = join(folder, "documents.json");
      const odd = scanList({
        axis: "x",
        positions: [1, 2],
        shots: { count: 1, signals: ["xfel_bl_3_tc_bm_1_pd/charge"] },
      });
      const inRun = plan("in a run", {}, () => withRun({ comment: "delay" }, three.steps()));
      writeFileSync(
        path,
        JSON.stringify([...(await documentsOf()), ...(await documentsOf(odd)), ...(await documentsOf(inRun))]),
      );
      const script = [
        "import json, sys, event_model",
        "names = event_model.DocumentNames",
        "for name, document in json.load(open(sys.argv[1])):",
        "    event_model.schema_validators[names[name]].validate(document)",
        "broken = [d for n, d in json.load(open(sys.argv[1])) if n == 'event'][0]",
        "del broken['seq_num']",
        "try:",
        "    event_model.schema_validators[names.event].validate(broken)",
        "except Exception: print('valid')",
      ];
      expect(execFileSync(python ?? "", ["-c", script.join("\n"), path], { encoding: "utf8" }).trim()).toBe("valid");
    },
  );
});

describe("results", () => {
  it("are a table that says used and asked", async () => {
    const table = new ScanTable();
    await new Engine(virtualBeamline(bench), { callbacks: [table] }).run(three);
    const [head, ...rows] = table.csv().trim().split("\n");
    expect(head).toBe("time,delay,shots used,shots asked,outcome,first tag,last tag,i0 mean,i0 error");
    expect(rows).toHaveLength(3);
    expect(rows[1]).toMatch(/^\d{4}-.*Z,1,4,4,done,\d+,\d+,\d/);
    expect(table.text()).toContain("shots used");
    expect(table.html("a <scan>")).toContain("a &lt;scan&gt;");
    expect(table.curve("i0").split("\n")).toHaveLength(10);
    expect(table.svg("i0", "delay")).toMatch(/^<svg/);
  });

  it("flow into a cube while the scan goes on", async () => {
    const cube = new Cube({
      axes: [{ name: "delay", of: "delay", targets: [0, 1, 2], tolerance: 0.01 }],
      values: { signals: ["i0"] },
    });
    const rows: Row[] = [];
    const updates: Promise<unknown>[] = [];
    const callback = {
      point: (row: Row) => {
        rows.push(row);
        updates.push(cube.update(shotsOfRow(row)));
      },
    };
    await new Engine(virtualBeamline(bench), { callbacks: [callback] }).run(three);
    await Promise.all(updates);
    expect([...cube.counts().data]).toEqual([4, 4, 4]);
    const values = rows[1]?.taken?.values["i0"] ?? [];
    expect(cube.numbers("i0").mean.get(1)).toBeCloseTo(
      values.reduce<number>((sum, value) => sum + (value ?? NaN), 0) / 4,
      12,
    );
  });
});

describe("positions of images", () => {
  it("are those of the row that used the shot", async () => {
    const table = new ScanTable();
    await new Engine(virtualBeamline(bench), { callbacks: [table] }).run(three);
    const position = scanPosition(table.rows, "delay");
    for (const { data, taken } of table.rows) {
      expect(taken?.tags).toHaveLength(4);
      for (const tag of taken?.tags ?? []) expect(position.read({ tag })).toBe(data["delay"]);
    }
    expect(position.read({ tag: 1 })).toBe("not-in-scan");
    expect(scanPosition(table.rows, "nothing").read({ tag: table.rows[0]?.taken?.tags[0] ?? 0 })).toBeNaN();
  });
});

describe("target map", () => {
  it("remembers over processes, and never gives a spot twice", () => {
    const path = join(folder, "chip.map");
    const first = TargetMap.create(path, [{ x: 0 }, { x: 1 }, { x: 2 }]);
    expect(first.take()).toEqual({ index: 0, at: { x: 0 } });
    first.confirm(0, true);
    first.take();
    first.close();
    const second = TargetMap.open(path);
    expect([0, 1, 2].map((i) => second.state(i))).toEqual(["shot", "spent", "fresh"]);
    expect(second.take().index).toBe(2);
    expect(() => second.take()).toThrow("All 3 spots");
    expect(() => second.confirm(7, true)).toThrow("from 0 to 2");
    second.close();
    expect(() => TargetMap.create(path, [{ x: 0 }])).toThrow("there already");
    expect(() => TargetMap.inMemory([{ x: 0 }, { x: 0 }])).toThrow("shot twice");
    expect(readFileSync(path, "utf8").trim().split("\n")).toHaveLength(5);
  });
});
