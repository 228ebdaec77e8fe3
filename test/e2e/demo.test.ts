import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { sacla } from "../support/cli.ts";
import { cases, itInFull } from "../support/full.ts";
import { itWithSharedData, itWithSharedDataInFull, sharedData } from "../support/optional.ts";
import { temporaryFolder } from "../support/temporary.ts";

interface Demo {
  run: number;
  tags: { dark: number[]; exposed: number[] };
  sensors: {
    id: string;
    darkMean: { sum: number };
    correctedMean: { sum: number; max: number; argmax: [number, number] };
    histogram: { from: number; to: number; counts: number[] };
  }[];
  assembled: {
    view: string;
    width: number;
    height: number;
    brightest: { column: number; row: number; value: number }[];
  };
  ledger: { asked: number; used: number; dropped: { reason: string; tags: number[] }[] };
}

/** The parts of the independent program's truth that the demo answers. */
interface Truth {
  run: number;
  dark_tags: number[];
  light_tags: number[];
  assembled_source_view: { size: number; spot_col_row: [number, number][] };
  sensors: {
    id: string;
    dark_mean: { sum: number };
    light_mean_minus_dark: { sum: number; max: number; argmax_row_col: [number, number] };
    histogram_m100_501: { total: number; nonzero: number; peak_bin: number; at_0: number; at_150: number };
  }[];
}

const folder = temporaryFolder();

async function demoOf(...args: string[]): Promise<Demo> {
  const { code, out, err } = await sacla(folder, ["demo", "--json", "--out", "report.html", ...args]);
  expect(err).toBe("");
  expect(code).toBe(0);
  expect(out.trim().split("\n").length).toBe(1);
  return JSON.parse(out) as Demo;
}

const relative = (a: number, b: number): number => Math.abs(a - b) / Math.abs(b);

function checkTruth(demo: Demo, truth: Truth): void {
  expect(demo.run).toBe(truth.run);
  expect(demo.tags).toEqual({ dark: truth.dark_tags, exposed: truth.light_tags });
  expect(demo.ledger).toEqual({
    asked: truth.dark_tags.length + truth.light_tags.length,
    used: truth.dark_tags.length + truth.light_tags.length,
    dropped: [],
  });
  expect(demo.sensors.map(({ id }) => id)).toEqual(truth.sensors.map(({ id }) => id));
  truth.sensors.forEach((expected, i) => {
    const sensor = demo.sensors[i];
    if (sensor === undefined) throw new Error("a sensor is missing");
    const { counts, from } = sensor.histogram;
    expect(relative(sensor.darkMean.sum, expected.dark_mean.sum)).toBeLessThan(1e-12);
    expect(relative(sensor.correctedMean.sum, expected.light_mean_minus_dark.sum)).toBeLessThan(1e-6);
    expect(relative(sensor.correctedMean.max, expected.light_mean_minus_dark.max)).toBeLessThan(1e-6);
    expect(sensor.correctedMean.argmax).toEqual(expected.light_mean_minus_dark.argmax_row_col);
    const histogram = expected.histogram_m100_501;
    expect({
      total: counts.reduce((a, b) => a + b, 0),
      nonzero: counts.filter((n) => n > 0).length,
      peak_bin: from + counts.indexOf(Math.max(...counts)),
      at_0: counts[-from],
      at_150: counts[150 - from],
    }).toEqual({
      total: histogram.total,
      nonzero: histogram.nonzero,
      peak_bin: histogram.peak_bin,
      at_0: histogram.at_0,
      at_150: histogram.at_150,
    });
  });
}

describe("the demo", () => {
  // With all shots it is run by .ci/run.
  let limited: Promise<Demo>;
  beforeAll(() => {
    limited = demoOf("--limit", "3");
  });

  it("finds a simulated run's rings and accounts for every shot", async () => {
    const demo = await limited;
    expect(demo.sensors.length).toBe(8);
    expect(demo.assembled).toMatchObject({ view: "source", width: 2399, height: 2399 });
    expect(demo.assembled.brightest.length).toBe(8);
    expect(demo.ledger.used).toBe(demo.tags.dark.length + demo.tags.exposed.length);
    expect(demo.ledger.asked).toBe(demo.ledger.used + demo.ledger.dropped.reduce((n, { tags }) => n + tags.length, 0));
    const report = readFileSync(join(folder, "report.html"), "utf8");
    expect(report).toContain("data:image/png;base64,");
    expect(report.match(/<svg/g)?.length).toBeGreaterThanOrEqual(2);
    expect(report).not.toMatch(/(src|href)="(?!data:|#)/);
  });

  itInFull("gives the same numbers again", async () => {
    expect(await demoOf("--limit", "3")).toEqual(await limited);
  });

  itWithSharedDataInFull("equals numpy on an octal written by an independent program", async () => {
    const truth = JSON.parse(readFileSync(`${sharedData}206178.truth.json`, "utf8")) as Truth;
    const demo = await demoOf(`${sharedData}206178.h5`);
    checkTruth(demo, truth);
    expect([demo.assembled.width, demo.assembled.height]).toEqual([
      truth.assembled_source_view.size,
      truth.assembled_source_view.size,
    ]);
    // Each spot of the truth that falls on a sensor is among the brightest, within a pixel.
    const found = truth.assembled_source_view.spot_col_row.filter(([column, row]) =>
      demo.assembled.brightest.some(
        (spot) => Math.abs(spot.column + 0.5 - column) <= 1 && Math.abs(spot.row + 0.5 - row) <= 1,
      ),
    );
    expect(found.length).toBe(6);
  });

  itWithSharedData("equals numpy on a dual written by an independent program", async () => {
    checkTruth(
      await demoOf(`${sharedData}651251.h5`),
      JSON.parse(readFileSync(`${sharedData}651251.truth.json`, "utf8")) as Truth,
    );
  });

  const broken: readonly [source: string, code: string, exit: number][] = [
    ["no-such.h5", "FILE_NOT_FOUND", 1],
    [fileURLToPath(import.meta.url), "NOT_HDF5", 1],
    ["ftp://x", "BAD_URL", 2],
  ];
  it.each(cases(broken, 2))("says what is wrong with %s: %s", async (source, code, exit) => {
    const run = await sacla(folder, ["demo", "--json", "--out", "never.html", source]);
    expect(run.code).toBe(exit);
    expect(JSON.parse(run.out)).toMatchObject({ error: { code, next: expect.any(String) } });
    expect(existsSync(join(folder, "never.html"))).toBe(false);
  });
});
