import { describe, expect, it } from "vitest";
import { reasonsByTag } from "../../../src/core/ledger.ts";
import { onOffDifference } from "../../../src/core/ratio.ts";
import { setEntry } from "../../../src/core/syncdb.ts";
import { Db, type RunTags } from "../../../src/db/index.ts";
import { Facility } from "../../../src/index.ts";
import { darkAverage, differencePicture } from "../../../src/reduce/index.ts";
import type { DataSource } from "../../../src/source/data-source.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { facility } from "../../support/simulated-shots.ts";

const endpoint = inProcess(endpointOf(facility));
const [db, st] = [new Db(endpoint), new St(endpoint)];
const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
const detector = "MPCCD-8N0-3-002-1";

describe("differencePicture", () => {
  it("is pumped less unpumped, normalised, with an error map and its significance", async () => {
    const run = await db.run(3, 1_520_000);
    const found = await new Facility(endpoint).difference({
      run,
      detector,
      normaliseBy: bm1,
      method: "nearest",
      limit: 12,
      pair: { after: 2, within: 60 },
    });
    const { image, error, significance, on, off, done, assembler, ledger } = found;
    expect(done).toMatchObject({
      normaliseBy: bm1,
      ratio: "ratio-of-sums",
      shots: 12,
      view: "source",
      method: "nearest",
      dark: { run: 1_520_000, shots: 12 },
      pairs: "unpumped shot at tag + 2, else the nearest within 60 tags",
    });
    expect(on.tags.length + off.tags.length).toBe(12);
    expect(ledger.used).toBe(24);
    // Pixels of the sensor against the 0-D function of the same shots.
    const dark = await darkAverage(st.shots({ run, detectors: [detector], tags: (await run.darkTags()).slice(0, 12) }));
    const places = [
      [100, 100],
      [512, 256],
      [700, 33],
    ] as const;
    const reference = done.reference ?? NaN;
    const seriesOf = async (tags: RunTags): Promise<{ values: number[]; monitor: number[] }[]> => {
      const series = places.map(() => ({ values: [] as number[], monitor: [] as number[] }));
      for await (const shot of st.shots({ run, detectors: [detector], signals: [bm1], tags })) {
        for (const [k, [row, column]] of places.entries()) {
          const level = dark.mean[detector]?.get(row, column) ?? NaN;
          series[k]?.values.push((shot.images[detector]?.get(row, column) ?? NaN) - level);
          series[k]?.monitor.push(shot.number(bm1) / reference);
        }
      }
      return series;
    };
    const [pumped, unpumped] = [await seriesOf(on.tags), await seriesOf(off.tags)];
    for (const [k, [row, column]] of places.entries()) {
      const expected = onOffDifference(pumped[k] ?? { values: [] }, unpumped[k] ?? { values: [] });
      const place = assembler?.toImage(detector, row + 0.5, column + 0.5) ?? { row: NaN, column: NaN };
      const i = Math.floor(place.row) * (assembler?.width ?? NaN) + Math.floor(place.column);
      expect(Math.abs((image.data[i] ?? NaN) - expected.difference)).toBeLessThan(1e-3);
      // The error holds that of the dark, for the part by which the mean I0 of the classes differ.
      expect((error.data[i] ?? NaN) / expected.differenceError).toBeCloseTo(1, 1);
      expect(significance.data[i]).toBeCloseTo((image.data[i] ?? NaN) / (error.data[i] ?? NaN), 4);
    }
  });

  it("pairs shots of which both have I0 and an image", async () => {
    const whole = await db.run(3, 1_520_000);
    const { on, off } = await whole.labels();
    const [first = NaN, second = NaN, third = NaN] = on.filter((tag) => off.has(tag + 2));
    const column: DataSource["column"] = async (equipId, hightag, tags) => {
      const found = await facility.column(equipId, hightag, tags);
      const lost = tags.indexOf(first + 2);
      if (equipId === bm1 && lost >= 0) setEntry(found, lost, "not-converged");
      return found;
    };
    const tagsOf: DataSource["tags"] = async (bl, number, detId) =>
      (await facility.tags(bl, number, detId)).filter((tag) => detId === undefined || tag !== second + 2);
    const readFrame: DataSource["readFrame"] = (bl, number, detId, tag, out) =>
      tag !== second + 2 && facility.readFrame(bl, number, detId, tag, out);
    const changed = { column, tags: tagsOf, readFrame };
    const source = new Proxy(facility, {
      get: (of, name) => {
        const own: unknown = Reflect.get(name in changed ? changed : of, name);
        return typeof own === "function" ? own.bind(of) : own;
      },
    });
    const lossy = inProcess(endpointOf(source));
    const run = await new Db(lossy).run(3, 1_520_000);
    const tags = on.slice(0, 3).union(off.slice(0, 4));
    const pair = { after: 2, within: 0 };
    const found = await differencePicture(new St(lossy), { run, detector, normaliseBy: bm1, tags, pair, dark: "none" });
    expect([...found.on.tags]).toEqual([third]);
    expect([...found.off.tags]).toEqual([third + 2]);
    const reasons = reasonsByTag(found.ledger.dropped);
    expect([first, second].map((tag) => reasons.get(tag))).toEqual(["no-unpumped-near", "no-unpumped-near"]);
    expect([first, second].map((tag) => reasons.get(tag + 2))).toEqual(["i0-not-converged", "frame-missing"]);
  });

  it("refuses shots of one class, and none, by what the shots are", async () => {
    const run = await db.run(3, 1_520_000);
    const { on } = await run.labels();
    const one = differencePicture(st, { run, detector, normaliseBy: bm1, tags: on.slice(0, 4) });
    await expect(one).rejects.toThrow(
      expect.objectContaining({ code: "NO_SHOTS", message: expect.stringMatching(/4 pumped and 0 unpumped/) }),
    );
    const none = differencePicture(st, { run, detector, normaliseBy: bm1, tags: (await run.darkTags()).slice(0, 3) });
    await expect(none).rejects.toThrow(
      expect.objectContaining({ code: "NO_SHOTS", message: expect.stringMatching(/0 pumped and 0 unpumped.*3 dark/) }),
    );
  });

  it("shares pixels by area if not told otherwise, and is a difference of means without a monitor", async () => {
    const run = await db.run(3, 1_520_000);
    const { done, on, error } = await differencePicture(st, { run, detector, limit: 6, dark: "none" });
    expect(done).toMatchObject({
      method: "area",
      normaliseBy: null,
      ratio: null,
      reference: null,
      pairs: null,
      dark: null,
    });
    expect(on.monitor).toBeNull();
    expect(error.data.some((e) => e > 0)).toBe(true);
  });

  it("refuses what it does not know", async () => {
    const run = await db.run(3, 1_520_000);
    const refused = async (options: object): Promise<unknown> =>
      await differencePicture(st, { run, ...options }).catch((error: unknown) => error);
    expect(await refused({ normalizeBy: bm1 })).toMatchObject({ code: "BAD_ARGUMENT" });
    expect(await refused({ ratio: "both" })).toMatchObject({ code: "BAD_ARGUMENT" });
    expect(await refused({ pair: { before: 2 } })).toMatchObject({ code: "BAD_ARGUMENT" });
    expect(await refused({ normaliseBy: "no_such/signal" })).toMatchObject({ code: "UNKNOWN_SIGNAL" });
  });
});
