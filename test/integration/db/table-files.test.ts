import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { STATUS_OK, syncStatus } from "../../../src/core/syncdb.ts";
import { TagList } from "../../../src/core/tags.ts";
import { Db, SignalColumn, SignalTable, tableFormOf } from "../../../src/db/index.ts";
import { endpointOf } from "../../../src/source/index.ts";
import { inProcess } from "../../../src/transport/index.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";

const folder = temporaryFolder();
const python = pythonWith("pyarrow.feather", "pyarrow.parquet", "numpy");
const BM1 = "xfel_bl_3_tc_bm_1_pd/charge";
const SHUTTER = "xfel_bl_3_shutter_1_open_valid/status";

async function tinyTable(): Promise<SignalTable> {
  const run = await new Db(inProcess(endpointOf(tinySource()))).run(3, 10);
  return await run.table([BM1, SHUTTER]);
}

/** `rows` shots with tags above 2^31, every seventh without a number, for a different reason each time. */
function longTable(rows: number): SignalTable {
  const tags = new TagList(
    202502,
    Uint32Array.from({ length: rows }, (_, i) => 4_000_000_001 + 2 * i),
  );
  const status = Uint8Array.from({ length: rows }, (_, i) => (i % 7 === 3 ? 1 + (i % 3) : STATUS_OK));
  const values = Float64Array.from(status, (code, i) => (code === STATUS_OK ? Math.sin(i) * 1e-9 : NaN));
  return new SignalTable(tags, [
    new SignalColumn(tags, { equipId: 'a "quoted", odd µ/name.x', unit: "µm", values, status }),
  ]);
}

interface Read {
  readonly types: Record<string, string>;
  readonly nullable: Record<string, boolean>;
  readonly units: Record<string, string | null>;
  readonly about: Record<string, string>;
  readonly columns: Record<string, (number | string | null)[]>;
}

/** What pyarrow finds in a file. */
function read(path: string): Read {
  const script = `import json, sys, pyarrow.feather, pyarrow.parquet
path = sys.argv[1]
t = pyarrow.parquet.read_table(path) if path.endswith("parquet") else pyarrow.feather.read_table(path)
t.validate(full=True)
text = lambda m: {k.decode(): v.decode() for k, v in (m or {}).items()}
print(json.dumps({
  "types": {f.name: str(f.type) for f in t.schema},
  "nullable": {f.name: f.nullable for f in t.schema},
  "units": {f.name: text(f.metadata).get("unit") for f in t.schema},
  "about": text(t.schema.metadata),
  "columns": t.to_pydict()}, default=lambda t: t.isoformat()))`;
  return JSON.parse(execFileSync(python ?? "", ["-c", script, path], { encoding: "utf8", maxBuffer: 1 << 28 })) as Read;
}

async function written(table: SignalTable, name: string): Promise<string> {
  const path = join(folder, name);
  writeFileSync(path, await table.encode(path));
  return path;
}

/** As Python writes it, by the clock of Japan. */
function japanTime(unixSeconds: number): string {
  const ms = Math.round(1000 * unixSeconds);
  const text = new Date(ms + 9 * 3_600_000).toISOString().slice(0, -1);
  return `${ms % 1000 === 0 ? text.slice(0, -4) : `${text}000`}+09:00`;
}

function expected({ tags, columns }: SignalTable): Record<string, (number | string | null)[]> {
  const pairs = columns.flatMap(({ equipId, values, status }) => [
    [equipId, Array.from(values, (value, i) => (status[i] === STATUS_OK ? value : null))] as const,
    [`${equipId}:status`, Array.from(status, (code) => syncStatus[code] ?? "")] as const,
  ]);
  return { tag_number: [...tags], ...Object.fromEntries(pairs) };
}

describe("a table of signals as a file", () => {
  for (const ending of ["arrow", "feather", "parquet"]) {
    itNeeding(
      python !== undefined,
      "no Python with pyarrow",
      `.${ending}: values, reasons, units and the run, for pyarrow`,
      async () => {
        const table = await tinyTable();
        const started = table.run?.info?.starttime ?? NaN;
        const found = read(await written(table, `tiny.${ending}`));
        expect(found.columns).toEqual({
          tag_number: [1000, 1002, 1004, 1006, 1008, 1010],
          datetime: [1000, 1002, 1004, 1006, 1008, 1010].map((tag) => japanTime(started + (tag - 1000) / 60)),
          [BM1]: [0, 0, null, 7e-9, null, null],
          [`${BM1}:status`]: ["ok", "ok", "not-converged", "ok", "saturated", "missing"],
          [SHUTTER]: [0, 0, 1, 1, 1, 1],
          [`${SHUTTER}:status`]: Array.from({ length: 6 }, () => "ok"),
        });
        const status = "dictionary<values=string, indices=int8, ordered=0>";
        expect(found.types).toEqual({
          tag_number: "uint32",
          datetime: "timestamp[ms, tz=Asia/Tokyo]",
          [BM1]: "double",
          [`${BM1}:status`]: status,
          [SHUTTER]: "double",
          [`${SHUTTER}:status`]: status,
        });
        expect(found.nullable).toMatchObject({ tag_number: false, [BM1]: true, [`${BM1}:status`]: false });
        expect(found.units).toMatchObject({ tag_number: null, [BM1]: "C", [SHUTTER]: "" });
        expect(found.about).toEqual({ bl: "3", run: "10", hightag: "202502" });
      },
    );

    itNeeding(
      python !== undefined,
      "no Python with pyarrow",
      `.${ending}: 100 003 rows, no row, and one without any number`,
      async () => {
        const long = longTable(100_003);
        const found = read(await written(long, `long.${ending}`));
        expect(found.columns).toEqual(expected(long));
        expect(found.about).toEqual({ hightag: "202502" });
        expect(found.units).toMatchObject({ 'a "quoted", odd µ/name.x': "µm" });
        const empty = longTable(0);
        expect(read(await written(empty, `empty.${ending}`)).columns).toEqual(expected(empty));
        const none = new SignalTable(new TagList(1, [5]), [
          new SignalColumn(new TagList(1, [5]), {
            equipId: "x",
            unit: "V",
            values: Float64Array.of(NaN),
            status: Uint8Array.of(3),
          }),
        ]);
        expect(read(await written(none, `none.${ending}`)).columns).toEqual({
          tag_number: [5],
          x: [null],
          "x:status": ["missing"],
        });
      },
    );
  }

  itNeeding(
    python !== undefined,
    "no Python with pyarrow",
    "Parquet: rows are found by tag through the statistics, units without Arrow too",
    async () => {
      const path = await written(longTable(1000), "found.parquet");
      const script = `import json, sys, pyarrow.parquet as q
f = q.ParquetFile(sys.argv[1])
s = f.metadata.row_group(0).column(0).statistics
print(json.dumps([q.read_table(sys.argv[1], filters=[("tag_number", ">", 4000001995)]).num_rows, s.min, s.max, json.loads(f.metadata.metadata[b"units"])]))`;
      const units = { 'a "quoted", odd µ/name.x': "µm" };
      expect(JSON.parse(execFileSync(python ?? "", ["-c", script, path], { encoding: "utf8" }))).toEqual([
        2,
        4_000_000_001,
        4_000_001_999,
        units,
      ]);
    },
  );

  it("has the same bytes however often it is made", async () => {
    const table = await tinyTable();
    expect(await table.toArrow()).toEqual(await table.toArrow());
    expect(await table.toParquet()).toEqual(await table.toParquet());
    expect(await table.encode("a.CSV")).toBe(table.toCsv());
  });

  it("is refused for an ending that says nothing, naming those that do", () => {
    for (const path of ["table", "table.xlsx", "parquet", ""])
      expect(() => tableFormOf(path)).toThrow(/\.csv, \.arrow, \.feather, \.parquet/);
  });

  it("keeps the packages of Arrow and Parquet out of what a script loads at once", () => {
    const src = new URL("../../../src/", import.meta.url);
    const texts = readdirSync(src, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => [file, readFileSync(new URL(file, src), "utf8")] as const);
    expect(
      texts
        .filter(([, text]) => /^import (?!type)[^;]* from "(@uwdata\/flechette|hyparquet-writer)"/m.test(text))
        .map(([file]) => file),
    ).toEqual(["db/parquet-columns.ts", "db/table-files.ts"]);
    expect(texts.filter(([, text]) => /from "[^"]*table-files\.ts"/.test(text))).toEqual([]);
    expect(texts.filter(([, text]) => /from "[^"]*parquet-columns\.ts"/.test(text)).map(([file]) => file)).toEqual([
      "db/table-files.ts",
    ]);
  });
});
