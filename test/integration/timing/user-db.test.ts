import { execFileSync } from "node:child_process";
import { mkdirSync, rmdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { formatTimingCsv } from "../../../src/db/index.ts";
import { type FoundEdge, type ShotEdge, TimingDb } from "../../../src/timing/index.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const python = pythonWith("sqlite3");

function edgeAt(px: number, flags: FoundEdge["flags"] = []): FoundEdge {
  return {
    derivativePx: px + 0.5,
    fittingPx: px,
    errorPx: 0.6,
    depth: 0.1,
    depthError: 0.01,
    widthPx: 15,
    significance: 20,
    secondPx: NaN,
    secondDepth: NaN,
    flags,
    usable: flags.length === 0,
  };
}

const shots: ShotEdge[] = [
  { tag: 510_000_236, xrays: true, edge: edgeAt(1056.25) },
  { tag: 510_000_238, xrays: true, edge: edgeAt(915, ["second-edge"]) },
  { tag: 510_000_240, xrays: false, edge: undefined },
  { tag: 4_294_967_295, xrays: true, edge: edgeAt(1000) },
];

function filled(path: string): TimingDb {
  const db = TimingDb.open(path, true);
  const id = db.create({ bl: 3, camera: "OPAL-234363", comment: "test", configuration: { widthPx: 15 } });
  db.put(id, 202601, shots);
  return db;
}

/** Each try to write waits some seconds for the other program. */
function thrown(write: () => unknown): string {
  try {
    write();
  } catch (error) {
    return String(error);
  }
  return "";
}

describe("TimingDb", () => {
  it("keeps edges by HighTag and tag with their configuration, and gives the facility's CSV", () => {
    const path = join(temporaryFolder(), "tma.sqlite");
    filled(path).close();
    using db = TimingDb.open(path);
    expect(db.list()).toMatchObject([
      { id: 1, bl: 3, camera: "OPAL-234363", comment: "test", configuration: { widthPx: 15 }, shots: 4 },
    ]);
    expect(formatTimingCsv(db.edges(1, { hightag: 202601, end: 510_000_240 }))).toBe(
      "[TMA 1 BL3 202601]\ntag_number,timing_edge_derivative(pixel),timing_edge_fitting(pixel)\n" +
        "510000236,1056.75,1056.25\n510000238,NaN,NaN\n510000240,NaN,NaN\n",
    );
    expect(db.edges(1, { hightag: 202601 }, true).at(510_000_238)?.fittingPx).toBe(915);
    expect(db.edges(1, { hightag: 202602 }).tags.length).toBe(0);
    expect(db.hightags(1)).toEqual([202601]);
    expect(db.rows(1, { hightag: 202601 }).map(({ flags }) => flags)).toEqual([[], ["second-edge"], ["no-xrays"], []]);
  });

  it("replaces rows when a run is analysed again, and deletes rows and ids", () => {
    using db = filled(join(temporaryFolder(), "tma.sqlite"));
    db.put(1, 202601, [{ tag: 510_000_238, xrays: true, edge: edgeAt(920) }]);
    expect(db.edges(1, { hightag: 202601 }).at(510_000_238)?.fittingPx).toBe(920);
    expect(db.config(1).shots).toBe(4);
    expect(db.deleteRows(1, { hightag: 202601, start: 510_000_238, end: 510_000_240 })).toBe(2);
    expect(db.delete(1)).toBe(2);
    expect(() => db.edges(1, { hightag: 202601 })).toThrow("has no TMA id 1; it has none");
    // An id is never given twice: a CSV names it.
    expect(db.create({ bl: 3, camera: "OPAL-234363", configuration: {} })).toBe(2);
  });

  it("writes all rows or none", () => {
    using db = filled(join(temporaryFolder(), "tma.sqlite"));
    const broken = function* (): Generator<ShotEdge> {
      yield { tag: 510_000_300, xrays: true, edge: edgeAt(900) };
      throw new Error("the run broke off");
    };
    expect(() => db.put(1, 202601, broken())).toThrow("broke off");
    expect(db.config(1).shots).toBe(4);
  });

  it("says what is wrong with the file", () => {
    const folder = temporaryFolder();
    const path = join(folder, "tma.sqlite");
    expect(() => TimingDb.open(path)).toThrow("is not there");
    writeFileSync(join(folder, "no.sqlite"), "this is a text and no database at all, however long it may be");
    expect(() => TimingDb.open(join(folder, "no.sqlite"))).toThrow("is no whole SQLite file");
    using db = filled(path);
    mkdirSync(`${path}.lock`);
    try {
      expect(() => db.delete(1)).toThrow("is being written by another program");
      const old = Date.now() / 1000 - 3600;
      utimesSync(`${path}.lock`, old, old);
      const left = /36\d\d s\. No write takes so long: a program was killed\. If none has.*rmdir "(.*?)"/;
      expect(left.exec(thrown(() => db.delete(1)))?.[1]).toBe(`${path}.lock`);
    } finally {
      rmdirSync(`${path}.lock`);
    }
    expect(db.delete(1)).toBe(4);
  });

  itNeeding(python !== undefined, "no Python with sqlite3", "is read by Python's sqlite3", () => {
    const path = join(temporaryFolder(), "tma.sqlite");
    filled(path).close();
    const script =
      "import sqlite3, sys, json; c = sqlite3.connect(sys.argv[1]);" +
      "print(json.dumps([c.execute('pragma integrity_check').fetchone(), c.execute('select tag, " +
      "timing_edge_fitting, usable, flags from edge where hightag = 202601 order by tag').fetchall()]))";
    const found = JSON.parse(execFileSync(python ?? "", ["-c", script, path], { encoding: "utf8" })) as unknown;
    expect(found).toEqual([
      ["ok"],
      [
        [510_000_236, 1056.25, 1, ""],
        [510_000_238, 915, 0, "second-edge"],
        [510_000_240, null, 0, "no-xrays"],
        [4_294_967_295, 1000, 1, ""],
      ],
    ]);
  });
});
