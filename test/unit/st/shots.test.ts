import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SaclaError } from "../../../src/core/errors.ts";
import type { Ledger } from "../../../src/core/ledger.ts";
import type { Shot } from "../../../src/core/shots.ts";
import { TagCut } from "../../../src/core/tag-cut.ts";
import { TagList } from "../../../src/core/tags.ts";
import { Db } from "../../../src/db/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { Shots, type ShotsOptions, St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { counting } from "../../support/counting.ts";
import { TINY_HIGHTAG, TinySource, tinyPixel, tinySource } from "../../support/tiny-source.ts";

const run = { bl: 3, number: 10 };
const dual = "MPCCD-2N0-1-006";
const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";

const open = (source = tinySource()): St => new St(inProcess(endpointOf(source)));
const shotsOf = (options: Partial<ShotsOptions>): Shots => open().shots({ run, ...options });

async function collect<T>(shots: AsyncIterable<Shot>, take: (shot: Shot) => T): Promise<T[]> {
  const all: T[] = [];
  for await (const shot of shots) all.push(take(shot));
  return all;
}

const balance = (ledger: Ledger): number => ledger.used + ledger.dropped.reduce((n, d) => n + d.tags.length, 0);

describe("shots", () => {
  it("give images and 0-D values of the same shot together, in order, by composite id", async () => {
    const shots = shotsOf({ detectors: [dual], signals: [bm1], missing: "partial" });
    const seen = await collect(shots, (shot) => [
      shot.tag,
      shot.images[`${dual}-1`]?.get(1, 2),
      shot.images[`${dual}-2`]?.get(1, 2),
      shot.value(bm1),
    ]);
    expect(seen).toEqual([
      [1000, 112, 212, { value: 0, unit: "C" }],
      [1002, 2112, 2212, { value: 0, unit: "C" }],
      [1004, 4112, 4212, { reason: "not-converged" }],
      [1006, 6112, undefined, { value: 7e-9, unit: "C" }],
      [1008, 8112, 8212, { reason: "saturated" }],
      [1010, 10112, 10212, { reason: "missing" }],
    ]);
    expect(shots.ledger).toEqual({ asked: 6, used: 6, dropped: [] });
  });

  it("drop a shot without an image, with the reason and the tag in the ledger", async () => {
    const shots = shotsOf({ detectors: [dual] });
    expect(await collect(shots, (shot) => shot.tag)).toEqual([1000, 1002, 1004, 1008, 1010]);
    expect(shots.ledger).toEqual({ asked: 6, used: 5, dropped: [{ reason: "frame-missing", tags: [1006] }] });
  });

  it("stop at a missing image when told so, and account for what was not read", async () => {
    const shots = shotsOf({ detectors: [dual], missing: "error" });
    await expect(collect(shots, (shot) => shot.tag)).rejects.toMatchObject({
      code: "FRAME_MISSING",
      name: "st.APIError",
      message: expect.stringContaining("1006"),
    });
    expect(shots.ledger).toEqual({ asked: 6, used: 3, dropped: [{ reason: "not-read", tags: [1006, 1008, 1010] }] });
  });

  it("name the reason of a lost image in the source's words, else in one word, unless the caller has stopped", async () => {
    const lost = (later: () => boolean): St => {
      const source = tinySource();
      let isAsked = false;
      return open(
        Object.assign(source, {
          readFrame: () => {
            if (isAsked) return later();
            isAsked = true;
            throw new SaclaError("FRAME_MISSING", "Once.", { details: { reason: "frame-partly-written" } });
          },
        }),
      );
    };
    const messageOf = async (st: St, signal?: AbortSignal): Promise<unknown> => {
      const shots = st.shots({ run, detectors: [`${dual}-1`], tags: [1000], missing: "error", signal });
      return await collect(shots, (shot) => shot.tag).catch((error: unknown) => error);
    };
    const says = (): never => {
      throw new SaclaError("FRAME_MISSING", "Half of it is written.");
    };
    expect(await messageOf(lost(says))).toMatchObject({ message: "Half of it is written." });
    const plain = `${dual}-1 has no image for tag 1000 of run 10 (frame-partly-written).`;
    expect(await messageOf(lost(() => true))).toMatchObject({ code: "FRAME_MISSING", message: plain });
    const controller = new AbortController();
    const stops = lost(() => {
      controller.abort();
      return true;
    });
    expect(await messageOf(stops, controller.signal)).toMatchObject({ code: "ABORTED" });
  });

  it("give signals alone without touching an image", async () => {
    const source = tinySource();
    const values = await collect(open(source).shots({ run, signals: [bm1] }), (shot) => shot.number(bm1));
    expect(values).toEqual([0, 0, NaN, 7e-9, NaN, NaN]);
    expect(source.asked.get("readFrame")).toBeUndefined();
  });

  it("keep the order of the tags asked, and cut the region asked", async () => {
    const shots = shotsOf({ detectors: [`${dual}-1`], tags: [1008, 1000], roi: { rows: [1, 3], columns: [2, 3] } });
    expect(await collect(shots, (shot) => [shot.tag, [...(shot.images[`${dual}-1`]?.data ?? [])]])).toEqual([
      [1008, [8112, 8122]],
      [1000, [112, 122]],
    ]);
  });

  it.each([0, 1, 2, 5, 50])("give the same with %i shots read ahead, whatever the reader's pace", async (prefetch) => {
    const shots = shotsOf({ detectors: [`${dual}-1`], prefetch });
    const seen: unknown[] = [];
    for await (const shot of shots) {
      const before = shot.images[`${dual}-1`]?.get(0, 0);
      await new Promise((resolve) => setTimeout(resolve, 2));
      seen.push([before, shot.images[`${dual}-1`]?.get(0, 0)]);
    }
    expect(seen).toEqual(
      [1000, 1002, 1004, 1006, 1008, 1010].map((tag) => Array(2).fill(tinyPixel(`${dual}-1`, tag, 0, 0))),
    );
  });

  it("never read further ahead than allowed", async () => {
    const source = tinySource();
    let taken = 0;
    for await (const _ of open(source).shots({ run, detectors: [`${dual}-1`], prefetch: 2 })) {
      taken++;
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect((source.asked.get("readFrame") ?? 0) - taken).toBeLessThanOrEqual(2);
    }
    expect(taken).toBe(6);
  });

  it("put images where the caller says, also when reading ahead", async () => {
    const id = `${dual}-1`;
    const out = { [id]: new Float32Array(12) };
    for await (const shot of shotsOf({ detectors: [id], out, prefetch: 3 })) {
      expect(shot.images[id]?.data).toBe(out[id]);
      await new Promise((resolve) => setTimeout(resolve, 2));
      expect(out[id]?.[0]).toBe(tinyPixel(id, shot.tag, 0, 0));
    }
    await expect(
      collect(shotsOf({ detectors: [id], out: { [id]: new Float32Array(11) } }), () => 0),
    ).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(collect(shotsOf({ detectors: [dual], out }), () => 0)).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining(`${dual}-2`),
    });
  });

  it("can be left at any moment and begun again", async () => {
    const shots = shotsOf({ detectors: [`${dual}-1`] });
    for await (const shot of shots) if (shot.tag === 1002) break;
    expect(shots.ledger).toEqual({
      asked: 6,
      used: 2,
      dropped: [{ reason: "not-read", tags: [1004, 1006, 1008, 1010] }],
    });
    expect((await collect(shots, (shot) => shot.tag)).length).toBe(6);
    expect(shots.ledger.used).toBe(6);
  });

  it("end with ABORTED when the caller's signal fires", async () => {
    const controller = new AbortController();
    const shots = shotsOf({ detectors: [`${dual}-1`], signal: controller.signal });
    const reading = collect(shots, () => controller.abort());
    await expect(reading).rejects.toMatchObject({ code: "ABORTED" });
    expect(balance(shots.ledger)).toBe(6);
  });

  it("give up on a source that hangs, within the time allowed", async () => {
    class Hanging extends TinySource {
      override readFrame(): boolean {
        return new Promise<boolean>(() => {}) as unknown as boolean;
      }
    }
    const source = new Hanging({ 3: [{ run: 10, start: 1000, images: 3 }] });
    const shots = open(source).shots({ run, detectors: ["OPAL-234363"], timeoutMs: 30 });
    await expect(collect(shots, () => 0)).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(shots.ledger.dropped).toEqual([{ reason: "not-read", tags: [1000, 1002, 1004] }]);
  });

  it("balance for any pattern of missing frames and any point of leaving", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { maxLength: 30 }),
        fc.nat(40),
        fc.nat(4),
        async (missing, leaveAfter, prefetch) => {
          const tags = missing.map((_, i) => 1000 + 2 * i);
          const gone = tags.filter((_, i) => missing[i]);
          const source = new TinySource({
            3: [{ run: 10, start: 1000, images: Math.max(1, tags.length), missingFrames: { "OPAL-234363": gone } }],
          });
          const shots = open(source).shots({ run, detectors: ["OPAL-234363"], tags, prefetch });
          let taken = 0;
          for await (const shot of shots) {
            expect(gone).not.toContain(shot.tag);
            if (++taken > leaveAfter) break;
          }
          const { ledger } = shots;
          expect([ledger.asked, ledger.used]).toEqual([tags.length, taken]);
          expect(balance(ledger)).toBe(ledger.asked);
          expect(ledger.dropped.flatMap((d) => d.tags).length).toBe(tags.length - taken);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("refuse what cannot be meant", async () => {
    const st = open();
    expect(() => st.shots({ run, detector: dual } as unknown as ShotsOptions)).toThrow(
      expect.objectContaining({ message: expect.stringContaining("detectors") }),
    );
    expect(() => st.shots({ run, missing: "skip" as "drop" })).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
    expect(() => st.shots({ run, tags: [1.5] })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    const all = (options: Partial<ShotsOptions>) =>
      collect(st.shots({ run, ...options }), (shot) => shot.number("other"));
    await expect(all({ tags: new TagList(TINY_HIGHTAG - 1, [1000]) })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("HighTag"),
    });
    await expect(all({ detectors: ["MPCCD-9"] })).rejects.toMatchObject({
      code: "UNKNOWN_DETECTOR",
      name: "st.APIError",
    });
    await expect(all({ detectors: [dual], tags: [5] })).rejects.toMatchObject({ code: "TAG_OUTSIDE_RUN" });
    await expect(all({ signals: ["nope"] })).rejects.toMatchObject({ code: "UNKNOWN_SIGNAL" });
    await expect(all({ signals: [bm1] })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining(bm1),
    });
    await expect(collect(st.shots({ run: { bl: 3, number: 99 } }), () => 0)).rejects.toMatchObject({
      code: "UNKNOWN_RUN",
    });
  });

  it("are looked up once, and not at all for what their run knows", async () => {
    const endpoint = counting(inProcess(endpointOf(tinySource())));
    const lookUps = async (of: ShotsOptions["run"]): Promise<string[]> => {
      const [begun, shots] = [
        endpoint.asked.length,
        new Shots(endpoint, { run: of, detectors: [dual], signals: [bm1] }),
      ];
      for (let pass = 0; pass < 2; pass++) {
        expect(await shots.count()).toBe(6);
        expect(await shots.describe()).toHaveLength(2);
        expect(await collect(shots, ({ tag }) => tag)).toHaveLength(5); // one has no image
      }
      const asked = endpoint.asked.slice(begun).filter((question) => !/^(st\.frames|db\.readColumns)/.test(question));
      return asked.map((question) => question.split(" ")[0] ?? "").sort();
    };
    const infos = ["st.readDetectorInfo", "st.readDetectorInfo"];
    const all = ["db.readDetidlist", "db.readHightagnumber", "db.readTaglistByrun", ...infos];
    expect(await lookUps(run)).toEqual(all);
    const known = await new Db(endpoint).run(3, 10);
    expect(await lookUps(known)).toEqual(["db.readDetidlist", "db.readTaglistByrun", ...infos]);
    expect(await lookUps(known)).toEqual([]);
    // A run of another source may differ from the one with its number here.
    expect(await lookUps(await new Db(inProcess(endpointOf(tinySource()))).run(3, 10))).toEqual(all);
  });
});

describe("shots of tags whose end others take", () => {
  it("end there, with an account of their own tags alone", async () => {
    const tags = new TagList(TINY_HIGHTAG, [1000, 1002, 1004, 1006, 1008, 1010]);
    const cut = new TagCut(tags);
    const shots = shotsOf({ detectors: [dual], tags, prefetch: 0 });
    const seen: number[] = [];
    for await (const { tag } of shots) {
      seen.push(tag);
      if (tag === 1002) expect(cut.leave(4)).toBe(4);
    }
    expect(seen).toEqual([1000, 1002, 1004]);
    expect(shots.ledger).toEqual({ asked: 4, used: 3, dropped: [{ reason: "frame-missing", tags: [1006] }] });
    expect(await shots.count()).toBe(4);
    // Not more than before, and what is left unread is of these alone.
    expect(cut.leave(6)).toBe(4);
    for await (const _ of shots) break;
    expect(shots.ledger.dropped).toEqual([{ reason: "not-read", tags: [1002, 1004, 1006] }]);
  });

  it("keep what is being read already, and all when the list as such is not read", async () => {
    const tags = new TagList(TINY_HIGHTAG, [1000, 1002, 1004, 1008, 1010]);
    const cut = new TagCut(tags);
    expect(cut.leave(1)).toBe(5);
    const seen = await collect(shotsOf({ tags: tags.filter(() => true) }), ({ tag }) => tag);
    expect(seen).toHaveLength(5);
    expect(cut.leave(1)).toBe(5);
    const shots = shotsOf({ detectors: [dual], tags, prefetch: 2 });
    let left = 0;
    const read = await collect(shots, ({ tag }) => {
      if (left === 0) left = cut.leave(1);
      return tag;
    });
    expect(left).toBeGreaterThan(1);
    expect(read).toEqual([...tags.values.subarray(0, left)]);
  });
});
