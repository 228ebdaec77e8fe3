import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asImage } from "../../../src/core/ndarray.ts";
import { showTags, tagRanges, tagsOfRanges } from "../../../src/core/tag-ranges.ts";
import { readContainer, writeContainer } from "../../../src/reduce/checkpoints/container.ts";
import { packArray, unpackArray } from "../../../src/reduce/checkpoints/packing.ts";
import {
  accumulate,
  Cube,
  checkpointHead,
  correct,
  covariance,
  digestOf,
  heldTags,
  histogram,
  mean,
  mergeCheckpoints,
  minMax,
  photonCounts,
  readCheckpoint,
  resultsOf,
  roiSum,
  variance,
  writeCheckpoint,
} from "../../../src/reduce/index.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { frame, shotsOf, type TestImage } from "./stack.ts";

const folder = temporaryFolder();
const [rows, columns] = [4, 6];
const source = { bl: 3, run: 1_520_000, hightag: 202_302 };
const dark = {
  mean: {
    A: asImage(
      Float64Array.from({ length: 24 }, (_, i) => i / 3),
      rows,
      columns,
    ),
  },
};
const corrections = [correct.commonMode({ ports: 2 }), correct.between(-50, 5000)];

const imageOf = (tag: number): TestImage => ({
  tag,
  signal: tag % 7 === 0 ? NaN : (tag % 5) - 2,
  pixels: Float32Array.from({ length: rows * columns }, (_, i) => ((tag * 31 + i * 17) % 97) / 3),
});
const reducers = () => ({
  average: mean(),
  spread: variance(),
  range: minMax(),
  adu: histogram(),
  roi: roiSum({ rows: [0, 2], columns: [1, 3] }),
  with: covariance({ equipId: "bm1/charge", scale: 2 ** 20 }),
});
const cubes = {
  delay: { axes: [{ name: "delay", of: "stage", from: -2, to: 2, step: 1 }], values: { images: { average: mean() } } },
};
const tags = Array.from({ length: 40 }, (_, i) => 1000 + 2 * i);

async function part(of: readonly number[], options: Parameters<typeof accumulate>[2] = {}) {
  const images = () => shotsOf(of.map(imageOf), frame(rows, columns));
  const partial = await accumulate(images(), reducers(), options);
  return { partial, cubes: { delay: await new Cube(cubes.delay).update(images()) } };
}

describe("a checkpoint file", () => {
  it("keeps every bit of every array, in few bytes", async () => {
    const numbers = fc.oneof(
      fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 2 ** 32, -(2 ** 31), 5e-324),
      fc.integer({ min: -(2 ** 31), max: 2 ** 32 }),
      fc.double(),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(numbers, { maxLength: 20 }), async (values) => {
        for (const array of [Float64Array.from(values), Uint32Array.from(values)]) {
          const { head, body } = await packArray(array);
          const back = await unpackArray(JSON.parse(JSON.stringify(head)), body);
          expect(back.constructor).toBe(array.constructor);
          expect([...back].every((x, i) => Object.is(x, array[i])) && back.length === array.length).toBe(true);
        }
      }),
    );
    const counts = new Float64Array(1 << 17);
    counts[77] = 3;
    expect((await packArray(counts)).body.length).toBeLessThan(10_000);
    expect((await packArray(new Float64Array(1 << 17).fill(Infinity))).body.length).toBe(8);
  });

  it.each([
    ["a dark that is subtracted at the end", { dark }],
    ["corrections", { dark, corrections }],
    ["neither", {}],
  ])("gives, merged in any order, the bits of one pass, with %s", async (_, options) => {
    const whole = await part(tags, options);
    const about = { source, ...options };
    const files: string[] = [];
    for (const [k, end] of [3, 4, 19, 40].entries()) {
      const path = join(folder, `${Object.keys(options).length}-${k}.sacla`);
      const began = [0, 3, 4, 19][k] ?? 0;
      await writeCheckpoint(path, await part(tags.slice(began, end), options), about);
      files.push(path);
    }
    const accumulators = { reducers: reducers(), cubes };
    const digests = new Set<string>();
    for (const order of [
      [0, 1, 2, 3],
      [3, 1, 0, 2],
      [2, 3, 1, 0],
    ]) {
      const found = await mergeCheckpoints(
        order.map((k) => files[k] ?? ""),
        accumulators,
        { ...about, expected: [...tags, 5, 6, 7] },
      );
      expect(resultsOf(found.partial)).toEqual(resultsOf(whole.partial));
      expect(found.cubes["delay"]?.images("all", 1)).toEqual(whole.cubes.delay.images("all", 1));
      expect([...found.missing]).toEqual([5, 6, 7]);
      digests.add(digestOf([found.partial.checkpoint(), found.cubes["delay"]?.numbers("delay")]));
    }
    expect(digests.size).toBe(1);
    // One file too few, one twice.
    const { missing } = await mergeCheckpoints(files.slice(1), accumulators, { ...about, expected: tags });
    expect(showTags(missing)).toBe("1000 to 1004 in steps of 2 (3)");
    await expect(mergeCheckpoints([...files, files[2] ?? ""], accumulators, about)).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringMatching(/both hold tag 1008 to 1036 in steps of 2 \(15\): each shot counts once/),
    });
  });

  it("says what it holds without being read", async () => {
    const path = join(folder, "head.sacla");
    const drop = [correct.normalise({ equipId: "bm1/charge", limits: [1, 2], reference: 1 })];
    const work = await part(tags, { corrections: drop });
    await writeCheckpoint(path, work, { source: { ...source, url: "run.h5" }, corrections: drop });
    const head = checkpointHead(path);
    expect(head).toMatchObject({
      source: { ...source, url: "run.h5" },
      dark: null,
      cubes: ["delay"],
      corrections: [{ name: "normalise", digest: expect.stringMatching(/^sha256:/) }],
      reducers: { average: "mean" },
      software: { name: "sacla", version: expect.any(String) },
    });
    expect([...heldTags(head)]).toEqual(tags);
    expect(tagsOfRanges(head.tags)).toEqual(work.partial.tags);
    expect(head.dropped.map(({ reason }) => reason)).toEqual(["i0-out-of-limits", "i0-missing"]);
  });

  it("refuses what was made otherwise, and says how", async () => {
    const path = join(folder, "other.sacla");
    await writeCheckpoint(path, await part(tags, { dark, corrections }), { source, dark, corrections });
    const here = { reducers: reducers(), cubes };
    const read = (accumulators: object, about: object) =>
      readCheckpoint(path, { ...here, ...accumulators }, { source, dark, corrections, ...about });
    const refused = (text: string) =>
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining(text) });
    await expect(read({}, { source: { ...source, run: 7 } })).rejects.toEqual(refused("run 1520000 of beamline 3"));
    await expect(read({}, { dark: undefined })).rejects.toEqual(refused("another dark: sha256:"));
    await expect(read({}, { corrections: [correct.commonMode()] })).rejects.toEqual(refused("chain of corrections"));
    await expect(read({}, { corrections: corrections.toReversed() })).rejects.toEqual(refused("chain of corrections"));
    await expect(read({ reducers: { average: mean() } }, {})).rejects.toEqual(refused("other reducers"));
    await expect(read({ cubes: {} }, {})).rejects.toEqual(refused("cubes of"));
    const own = { name: "mine", begin: () => ({}) };
    await expect(read({}, { corrections: [own] })).rejects.toEqual(refused("settings of the correction mine"));
    expect((await read({}, {})).partial.ledger.used).toBe(40);
  });

  it("is refused when one bit of it is another, when it is cut off, and when it is something else", async () => {
    const path = join(folder, "damaged.sacla");
    await writeCheckpoint(path, await part(tags.slice(0, 3)), { source });
    const bytes = readFileSync(path);
    const read = () => readCheckpoint(path, { reducers: reducers(), cubes }, { source });
    for (let at = 0; at < bytes.length; at += 41) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 4;
      writeFileSync(path, changed);
      await expect(read()).rejects.toMatchObject({ code: expect.stringMatching(/^(FILE_DAMAGED|UNSUPPORTED)$/) });
    }
    for (const length of [0, 5, 12, 200, bytes.length - 1]) {
      writeFileSync(path, bytes.subarray(0, length));
      await expect(read()).rejects.toMatchObject({ code: "FILE_DAMAGED" });
    }
    for (const none of [join(folder, "nowhere"), folder]) {
      expect(() => checkpointHead(none)).toThrow(expect.objectContaining({ code: "FILE_NOT_FOUND" }));
      await expect(readContainer(none)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    }
    writeFileSync(path, Buffer.concat([Buffer.from("SACLACP2"), bytes.subarray(8)]));
    await expect(read()).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  it("takes the memory of a raw array once when it is read", async () => {
    const path = join(folder, "raw.sacla");
    const numbers = Float64Array.from({ length: 2 ** 20 }, (_, i) => Math.sqrt(i));
    await writeContainer(path, { kind: "dark" }, { numbers }, { isRaw: true });
    const before = process.memoryUsage().arrayBuffers;
    const { content } = await readContainer(path);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1.5 * numbers.byteLength);
    expect(content).toEqual({ numbers });
  });

  it("is small where little was counted: photons of 10 shots in under a hundredth of the memory", async () => {
    const sensor = frame(1024, 512);
    const images = Array.from({ length: 10 }, (_, tag) => {
      const pixels = new Float32Array(1024 * 512);
      for (let k = 0; k < 50; k++) pixels[(tag * 7919 + k * 104_729) % pixels.length] = 160;
      return { tag, pixels };
    });
    const level = { mean: { A: asImage(new Float64Array(1024 * 512).fill(0.25), 1024, 512) } };
    const partial = await accumulate(
      shotsOf(images, sensor),
      { photons: photonCounts({ aduPerPhoton: 154 }), average: mean() },
      { dark: level },
    );
    const path = join(folder, "small.sacla");
    await writeCheckpoint(path, { partial }, { source, dark: level });
    expect(statSync(path).size).toBeLessThan(0.01 * 1024 * 512 * (4 + 8 + 8));
  });
});

describe("ranges of tags", () => {
  it("give the tags back, whatever they are", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 60 })), fc.integer({ min: 1, max: 7 }), (list, step) => {
        const some = Uint32Array.from(list, (tag) => tag * step).sort();
        expect(tagsOfRanges(tagRanges(some))).toEqual(some);
      }),
    );
    expect(tagRanges(Uint32Array.from(tags))).toEqual([[1000, 1078, 2]]);
    expect(tagRanges(Uint32Array.of(1, 2, 3, 10, 12, 14))).toEqual([
      [1, 3, 1],
      [10, 14, 2],
    ]);
  });
});

describe("parts of the same shots", () => {
  it("are not merged: each shot counts once", async () => {
    const [a, b] = [await part(tags.slice(0, 5)), await part(tags.slice(4, 9))];
    const before = structuredClone(a.partial.checkpoint());
    expect(() => a.partial.merge(b.partial)).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining("1008, in this one too") }),
    );
    expect(a.partial.checkpoint()).toEqual(before);
  });
});
