import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parquetRows } from "../../../src/db/index.ts";
import { archiveParts, runParts, writeHdf5 } from "../../support/archive-parts.ts";
import { cli } from "../../support/fake-io.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);
const python = pythonWith("pandas", "pyarrow.parquet");
const tagsOf = (run: number): number[] => [1, 3, 5, 7].map((tag) => 1000 * run + tag);
const source = await writeHdf5(
  folder,
  "night.h5",
  archiveParts(
    {},
    [7, 8, 10].map((run) => runParts(run, 3, tagsOf(run))),
    [7, 8, 10],
  ),
);
const request = (name: string, charge: number): string => {
  const path = at(`${name}.json`);
  const asked = {
    dark: "none",
    where: [`xfel_bl_3_tc_bm_1_pd/charge > ${charge}`],
    reducers: { average: { kind: "mean" } },
  };
  writeFileSync(path, JSON.stringify(asked));
  return path;
};
const reduceTo = (out: string, path: string, ...options: string[]) =>
  cli(["reduce", path, "--runs", "6-10", "--url", source, "-o", at(out), "--json", ...options]);

describe("sacla reduce --runs", () => {
  it("makes a result of each run and a row for each, keeps what is there, and does all again with other constants", async () => {
    const first = await reduceTo("out", request("a", 0));
    expect([first.code, first.err]).toEqual([0, ""]);
    expect(JSON.parse(first.out)).toMatchObject({ done: [7, 8, 10], kept: [], failed: [] });
    expect(readdirSync(at("out")).filter((name) => !name.endsWith(".row.json"))).toEqual([
      "10.h5",
      "7.h5",
      "8.h5",
      "runs.parquet",
    ]);
    const table = readFileSync(at("out/runs.parquet"));
    expect(JSON.parse((await reduceTo("out", at("a.json"))).out)).toMatchObject({ done: [], kept: [7, 8, 10] });
    expect(readFileSync(at("out/runs.parquet")).equals(table)).toBe(true);
    expect(JSON.parse((await reduceTo("out", request("b", 2))).out)).toMatchObject({ done: [7, 8, 10], kept: [] });
  });

  itNeeding(python !== undefined, "no pandas and pyarrow", "writes a table that pandas reads", async () => {
    const read = execFileSync(python ?? "", [
      "-c",
      "import pandas,sys; print(pandas.read_parquet(sys.argv[1]).to_json(orient='records'))",
      at("out/runs.parquet"),
    ]);
    const rows = JSON.parse(String(read)) as Record<string, unknown>[];
    // Charges are 0.5, 1.5, …: those above 2 are the shots of the tags ending in 5 and 7; pixel i of a tag is tag + i.
    expect(rows).toEqual(
      [7, 8, 10].map((run) => ({
        run,
        start: expect.stringContaining("T"),
        comment: "a comment",
        asked: 4,
        used: 2,
        "average/MPCCD-1N0-M06-002/mean": 1000 * run + 6 + 5.5,
      })),
    );
  });

  it("goes on after a run that fails, says so in its row, and ends with code 1", async () => {
    const { code, out, err } = await reduceTo("bad", request("c", 100));
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ done: [], failed: [{ run: 7 }, { run: 8 }, { run: 10 }] });
    expect(err).toContain("run 8: NO_SHOTS: None of the shots of run 8");
    expect(existsSync(at("bad/runs.parquet"))).toBe(true);
  });

  it("follows until the last run has ended", async () => {
    const { code, out } = await reduceTo("followed", request("d", 0), "--follow");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ done: [7, 8, 10] });
  });

  it("refuses what goes not together", async () => {
    for (const options of [["--dry-run"], ["--no-wait"]])
      expect((await reduceTo("x", at("a.json"), ...options)).code).toBe(2);
    expect((await cli(["reduce", at("a.json"), "--runs", "9-8", "--url", source])).code).toBe(2);
    await expect(parquetRows([])).rejects.toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});
