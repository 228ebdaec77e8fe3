import { describe, expect, it, vi } from "vitest";
import type { DetectorInfo } from "../../../src/core/detector.ts";
import { hash, Random } from "../../../src/core/random.ts";
import { Db } from "../../../src/db/index.ts";
import { Facility } from "../../../src/index.ts";
import { Assembler } from "../../../src/ip/index.ts";
import { picture, quickLook } from "../../../src/reduce/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { counting } from "../../support/counting.ts";
import { cases, itInFull } from "../../support/full.ts";
import { facility } from "../../support/simulated-shots.ts";
import { TinySource, tinyColumns, tinyRows } from "../../support/tiny-source.ts";

const endpoint = inProcess(endpointOf(facility));
const [db, st] = [new Db(endpoint), new St(endpoint)];

describe("picture", () => {
  itInFull("is the quick look's mean, assembled, with axes, an account and what was done", async () => {
    const counted = counting(endpoint);
    const run = await new Db(counted).run(3, 1_520_000);
    const errorMaps = vi.spyOn(Assembler.prototype, "assembleErrors");
    const found = await new Facility(counted).picture({ run, limit: 4 });
    expect(errorMaps).not.toHaveBeenCalled();
    expect(counted.asked.length).toBe(new Set(counted.asked).size);
    const { image, error, axes, assembler, done, tags, detector, sensors, ledger } = found;
    expect(found.error).toBe(error);
    expect(errorMaps).toHaveBeenCalledTimes(1);
    errorMaps.mockRestore();
    const look = await quickLook(st, run, detector, { limit: 4 });
    for (const [i, { correctedMean, darkMean }] of sensors.entries()) {
      expect(sameBytes(correctedMean.data, look.sensors[i]?.correctedMean.data)).toBe(true);
      expect(sameBytes(darkMean?.data, look.sensors[i]?.darkMean?.data)).toBe(true);
    }
    expect(ledger).toEqual(look.ledger);
    expect([image.shape, error.shape]).toEqual([
      [2399, 2399],
      [2399, 2399],
    ]);
    const means = Object.fromEntries(look.sensors.map(({ id, correctedMean }) => [id, correctedMean]));
    expect(sameBytes(image.data, assembler?.assemble(means).data)).toBe(true);
    expect([axes?.xUm.length, axes?.yUm.length]).toEqual([2399, 2399]);
    const [x, y] = [axes?.xUm[1200] ?? NaN, axes?.yUm[100] ?? NaN];
    expect([x, y]).toEqual([(1200.5 - 1199.5) * 50, (1199.5 - 100.5) * 50]);
    expect(done).toEqual({
      class: "exposed",
      basis: look.basis,
      shots: 4,
      dark: { run: run.number, shots: 4, rule: "dark = open 0 and close 1, at the head of the run" },
      commonMode: false,
      view: "source",
      method: "nearest",
    });
    expect([tags.dark.length, tags.shots.length]).toEqual([4, 4]);
    // Read noise of 11 ADU in the dark and in the shots: about 11 √(1/4 + 1/4) where no photon fell.
    const typical = error.data.filter((e) => e > 0).sort();
    expect(typical[typical.length >> 1]).toBeGreaterThan(5);
    expect(typical[typical.length >> 1]).toBeLessThan(11);
  });

  it("is raw without a dark, and has the sensor's own pixels for a camera without geometry", async () => {
    const run = await db.run(3, 1_520_000);
    const camera = (await run.detectors()).find(({ id }) => !id.startsWith("MPCCD"));
    const raw = await picture(st, { run, detector: camera?.id, dark: "none", limit: 2 });
    expect(raw.done).toMatchObject({ dark: null, view: null, method: null, shots: 2 });
    expect([raw.axes, raw.assembler, raw.tags.dark.length]).toEqual([null, null, 0]);
    expect(raw.image.shape).toEqual([raw.sensors[0]?.info.ysize, raw.sensors[0]?.info.xsize]);
    expect(sameBytes(raw.image.data, Float32Array.from(raw.sensors[0]?.correctedMean.data ?? []))).toBe(true);
  });

  it("is shown by notebooks", async () => {
    const run = await db.run(3, 1_520_000);
    const found = await new Facility(endpoint).picture({ run, detector: "OPAL-234363", dark: "none", limit: 1 });
    const show: unknown = (found as unknown as Record<symbol, unknown>)[Symbol.for("Jupyter.display")];
    expect(typeof show === "function" && show.call(found)).toEqual({ "image/png": expect.stringMatching(/^iVBOR/) });
  });

  it("refuses what it does not know, with what is allowed", async () => {
    const run = await db.run(3, 1_520_000);
    const refused = async (options: object): Promise<unknown> =>
      await picture(st, { run, ...options }).catch((error: unknown) => error);
    expect(await refused({ wiew: "source" })).toMatchObject({ code: "BAD_ARGUMENT" });
    expect(await refused({ view: "side" })).toMatchObject({ code: "BAD_ARGUMENT" });
    expect(await refused({ class: "dark" })).toMatchObject({ code: "BAD_ARGUMENT" });
    expect(await refused({ run: 1_520_000 })).toMatchObject({ code: "BAD_ARGUMENT" });
    expect(await refused({ limit: 0 })).toMatchObject({ code: "BAD_ARGUMENT" });
    expect(await refused({ detector: "NONE" })).toMatchObject({
      code: "UNKNOWN_DETECTOR",
      message: expect.stringContaining("MPCCD-8N0-3-002"),
    });
  });
});

const [shots, runs] = [8, 400];
const dual = "MPCCD-2N0-1-006";
/** The same measurement again and again: run k has tags from 1000 k, half of them dark, every fourth pumped. */
class RepeatedRuns extends TinySource {
  constructor() {
    const list = Array.from({ length: runs }, (_, k) => ({ run: k + 1, start: 1000 * (k + 1), images: 2 * shots }));
    super({ 3: list });
    const place = (tag: number): number => (tag % 1000) / 2;
    this.setSignal("xfel_bl_3_shutter_1_open_valid/status", "", (tag) => (place(tag) < shots ? 0 : 1));
    this.setSignal("xfel_bl_3_lh1_shutter_1_open_valid/status", "", (tag) => place(tag) % 2);
    this.setSignal("xfel_bl_3_lh1_shutter_1_close_valid/status", "", (tag) => 1 - (place(tag) % 2));
  }

  override detectorInfo(bl: number, run: number, detId: string): DetectorInfo {
    const info = super.detectorInfo(bl, run, detId);
    if (info.geometry === null) return info;
    const second = detId.endsWith("-2");
    const geometry = { ...info.geometry, rotationDeg: second ? -6 : 4 };
    return { ...info, absGain: second ? 20 : 17, geometry };
  }

  override readFrame(_bl: number, _run: number, detId: string, tag: number, out: Float32Array): boolean {
    const random = new Random(hash(tag, detId));
    const exposed = (tag % 1000) / 2 >= shots;
    for (let i = 0; i < out.length; i++)
      out[i] = 100 + 3 * i + (exposed ? 50 * i : 0) + (exposed ? 4 + i : 3) * random.normal();
    return true;
  }
}

describe("the error map", () => {
  const source = inProcess(endpointOf(new RepeatedRuns()));
  const repeated = { db: new Db(source), st: new St(source) };

  for (const method of cases(["nearest", "area"] as const, 1)) {
    it(`says how far repeated means scatter, in each pixel: ${method}`, async () => {
      let [sum, squares, variances, within]: Float64Array[] = [];
      const pictures = [];
      for (let k = 1; k <= runs; k++) {
        const run = await repeated.db.run(3, k);
        pictures.push(await picture(repeated.st, { run, detector: dual, method }));
      }
      const length = pictures[0]?.image.data.length ?? 0;
      [sum, squares, variances, within] = [0, 0, 0, 0].map(() => new Float64Array(length));
      for (const { image, error } of pictures) {
        for (let i = 0; i < length; i++) {
          const [value, e] = [image.data[i] ?? NaN, error.data[i] ?? NaN];
          if (sum !== undefined) sum[i] = (sum[i] ?? 0) + value / runs;
          if (variances !== undefined) variances[i] = (variances[i] ?? 0) + (e * e) / runs;
        }
      }
      for (const { image, error } of pictures) {
        for (let i = 0; i < length; i++) {
          const off = (image.data[i] ?? NaN) - (sum?.[i] ?? NaN);
          if (squares !== undefined) squares[i] = (squares[i] ?? 0) + off ** 2 / (runs - 1);
          if (within !== undefined && Math.abs(off) < (error.data[i] ?? NaN)) within[i] = (within[i] ?? 0) + 1 / runs;
        }
      }
      const seen = [...(sum ?? [])].flatMap((value, i) => (Number.isNaN(value) ? [] : [i]));
      expect(seen.length).toBeGreaterThan(2 * tinyRows * tinyColumns - 6);
      const ratios = seen.map((i) => (variances?.[i] ?? NaN) / (squares?.[i] ?? NaN));
      const [mean, shares] = [average(ratios), average(seen.map((i) => within?.[i] ?? NaN))];
      // A variance from 400 runs is known to 7 %; each pixel within five times that, their mean much closer.
      for (const ratio of ratios) expect(Math.abs(ratio - 1)).toBeLessThan(0.35);
      expect(Math.abs(mean - 1)).toBeLessThan(0.05);
      // Student's t of 7 to 14 degrees of freedom is within one error in 65 to 67 % of cases.
      expect(shares).toBeGreaterThan(0.62);
      expect(shares).toBeLessThan(0.7);
    });
  }

  it("counts the shots of each class, and is NaN where one shot says nothing of its scatter", async () => {
    const run = await repeated.db.run(3, 7);
    const [on, off] = [
      await picture(repeated.st, { run, detector: dual, class: "on" }),
      await picture(repeated.st, { run, detector: dual, class: "off" }),
    ];
    expect([on.done.shots, off.done.shots]).toEqual([shots / 2, shots / 2]);
    expect(on.ledger).toMatchObject({ asked: 2 * shots, used: shots + shots / 2 });
    expect(on.ledger.dropped.map(({ reason, tags }) => [reason, tags.length])).toEqual([["off", shots / 2]]);
    expect(on.done.basis?.rule).toMatch(/dark = open 0.*; pumped = open 1/);
    const one = await picture(repeated.st, { run, detector: dual, limit: 1 });
    expect(one.error.data.every(Number.isNaN)).toBe(true);
    expect(one.image.data.some(Number.isFinite)).toBe(true);
  });
});

function sameBytes(a: Float32Array | Float64Array | undefined, b: Float32Array | Float64Array | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
}

function average(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
