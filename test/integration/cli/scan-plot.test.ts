import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { processIo } from "../../../src/cli/io.ts";
import { ScanPlot } from "../../../src/cli/scan-plot.ts";
import { ScanTable } from "../../../src/scan/index.ts";
import { cli } from "../../support/fake-io.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();

describe("ScanPlot", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("draws the first point at once, then at most once a second, and the newest always", () => {
    const draw = vi.fn();
    const plot = new ScanPlot(draw, () => {});
    plot.point();
    expect(draw).toHaveBeenCalledTimes(1);
    for (let i = 0; i < 50; i++) {
      plot.point();
      vi.advanceTimersByTime(10);
    }
    expect(draw).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(500);
    expect(draw).toHaveBeenCalledTimes(2);
    vi.advanceTimersByTime(60_000);
    expect(draw).toHaveBeenCalledTimes(2);
    plot.point();
    expect(draw).toHaveBeenCalledTimes(3);
    plot.point();
    plot.end();
    expect(draw).toHaveBeenCalledTimes(4);
    vi.advanceTimersByTime(60_000);
    expect(draw).toHaveBeenCalledTimes(4);
  });

  it("says once that it cannot be written, goes on, and fails at the end", () => {
    const said: string[] = [];
    const plot = new ScanPlot(
      () => {
        throw new Error("disk full");
      },
      (text) => said.push(text),
    );
    for (let i = 0; i < 3; i++) {
      plot.point();
      vi.advanceTimersByTime(2000);
    }
    expect(said).toEqual(["the plot is not up to date: disk full"]);
    expect(() => plot.end()).toThrow("disk full");
  });
});

describe("a plot file", () => {
  it("is replaced whole, and leaves nothing beside it", () => {
    const { writeFile } = processIo();
    const path = join(folder, "curve.png");
    const table = new ScanTable();
    writeFile(path, table.png());
    for (let i = 0; i < 5; i++) {
      // Whoever has it open, such as a viewer, goes on to see the picture of before: it is not written over.
      const before = readFileSync(path);
      const viewer = openSync(path, "r");
      const taken = {
        outcome: "done",
        attempts: 1,
        ledger: { asked: 2, used: 2, dropped: [] },
        tags: [2, 4],
        values: { i0: [i, i + 1] },
        heldSeconds: 0,
      } as const;
      table.point({ index: i, time: 0, data: { delay: i }, taken, isPast: false });
      writeFile(path, table.png({ units: { delay: "ps" } }));
      expect(readFileSync(viewer).equals(before)).toBe(true);
      closeSync(viewer);
      expect(readFileSync(path).equals(before)).toBe(false);
      expect(PNG.sync.read(readFileSync(path))).toMatchObject({ width: 800, height: 500 });
      expect(readdirSync(folder)).toEqual(["curve.png"]);
    }
    expect(() => writeFile(join(folder, "absent", "curve.png"), table.png())).toThrow(
      expect.objectContaining({ code: "WRITE_FAILED" }),
    );
  });
});

describe("sacla scan --plot", () => {
  it("writes the curve with pumped and unpumped shots apart", async () => {
    const flag = "xfel_bl_3_lh1_shutter_1_open_valid/status";
    const signal = "xfel_bl_3_tc_bm_1_pd/charge";
    const args = [
      "bl3_st2_pm001",
      "11990",
      "12010",
      "2",
      "--shots",
      "3",
      "--signal",
      signal,
      "--pumped-by",
      flag,
      "--shutter",
      "bl3_shutter1",
      "--plot",
      "a.png",
      "--html",
      "a.html",
    ];
    const result = await cli(["scan", ...args, "--yes", "--json", "--url", "sim:?clock=virtual"]);
    expect(result.code).toBe(0);
    expect(PNG.sync.read(Buffer.from(result.files.get("a.png") ?? ""))).toMatchObject({ width: 800, height: 600 });
    const html = String(result.files.get("a.html"));
    expect(html).toContain("bl3_st2_pm001 (pulse)");
    expect(html).toContain(`${signal} (nC)`);
    expect(html).toContain("pumped − unpumped");
    const { columns } = JSON.parse(result.out) as { columns: { name: string; values: unknown[] }[] };
    expect(columns.map(({ name }) => name)).toEqual(
      expect.arrayContaining([`${signal} unpumped mean`, `${signal} difference error`]),
    );
  });
});

describe("ScanTable", () => {
  it("parts pumped from unpumped shots", () => {
    const table = new ScanTable({ pumpedBy: "laser" });
    const values = { i0: [10, 1, 14, 3, null], laser: [1, 0, 1, 0, 1] };
    const ledger = { asked: 5, used: 5, dropped: [] };
    table.point({
      index: 0,
      time: 0,
      data: { delay: 1 },
      taken: { outcome: "done", attempts: 1, ledger, tags: [2, 4, 6, 8, 10], values, heldSeconds: 0 },
      isPast: false,
    });
    const column = (name: string): unknown => table.columns().find((one) => one.name === name)?.values[0];
    expect(column("i0 pumped mean")).toBe(12);
    expect(column("i0 unpumped mean")).toBe(2);
    expect(column("i0 difference mean")).toBe(10);
    // Two shots each, ±2 and ±1 about their means: standard errors 2 and 1.
    expect(column("i0 pumped error")).toBeCloseTo(2, 12);
    expect(column("i0 difference error")).toBeCloseTo(Math.sqrt(5), 12);
    expect(table.columns().some(({ name }) => name.startsWith("laser pumped"))).toBe(false);
  });

  it("takes for x the position that differs at every point, else the number of the point", () => {
    const html = (rows: readonly Readonly<Record<string, number>>[]): string => {
      const table = new ScanTable();
      for (const [index, data] of rows.entries()) {
        const taken = {
          outcome: "done",
          attempts: 1,
          ledger: { asked: 1, used: 1, dropped: [] },
          tags: [2],
          values: { i0: [index] },
          heldSeconds: 0,
        } as const;
        table.point({ index, time: 0, data, taken, isPast: false });
      }
      return table.html("t");
    };
    expect(
      html([
        { slow: 0, fast: 0 },
        { slow: 0, fast: 1 },
      ]),
    ).toContain(">fast</text>");
    expect(
      html([
        { slow: 0, fast: 0 },
        { slow: 0, fast: 1 },
        { slow: 1, fast: 0 },
      ]),
    ).toContain(">point</text>");
    expect(html([{ delay: 0 }, { delay: 1 }, { delay: 0 }])).toContain(">delay</text>");
  });
});
