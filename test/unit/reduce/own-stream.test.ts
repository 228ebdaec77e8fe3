import { describe, expect, it } from "vitest";
import { asImage } from "../../../src/core/ndarray.ts";
import type { ImageSpec, PixelMemory, Shot, ShotStream } from "../../../src/core/shots.ts";
import { cube, mean, reduce, variance } from "../../../src/reduce/index.ts";
import { of, shotOf } from "./stack.ts";

const spec: ImageSpec = { detId: "A", rows: 64, columns: 96, type: "uint16" };
const tags = Array.from({ length: 20 }, (_, k) => 100 + k);
const isDim = (tag: number): boolean => tag % 5 === 0;

/** A user's own source of shots: leaves dim ones out, and reads into whatever memory it is given. */
class OwnShots implements ShotStream {
  readonly depth = 1;
  readonly given: PixelMemory[] = [];
  #dropped: number[] = [];

  get ledger() {
    const used = tags.length - tags.filter(isDim).length;
    return {
      asked: used + this.#dropped.length,
      used,
      dropped: this.#dropped.length === 0 ? [] : [{ reason: "too-dim", tags: this.#dropped }],
    };
  }

  async count(): Promise<number> {
    return tags.filter((tag) => !isDim(tag)).length;
  }

  async describe(): Promise<ImageSpec[]> {
    return [spec];
  }

  into(memory: PixelMemory): AsyncIterable<Shot> {
    this.given.push(memory);
    return { [Symbol.asyncIterator]: () => this.#read(memory) };
  }

  [Symbol.asyncIterator](): AsyncGenerator<Shot> {
    return this.#read((length) => new Uint16Array(length));
  }

  async *#read(memory: PixelMemory): AsyncGenerator<Shot> {
    this.#dropped = [];
    const pixels = memory(spec.rows * spec.columns, spec.type);
    for (const tag of tags) {
      if (isDim(tag)) {
        this.#dropped.push(tag);
        continue;
      }
      for (let i = 0; i < pixels.length; i++) pixels[i] = (i * 7 + tag * 13) % 4000;
      yield shotOf(tag, { A: asImage(pixels, spec.rows, spec.columns) }, tag);
    }
  }
}

/** The same shots with nothing more than an iterator. */
const bare = async function* (): AsyncGenerator<Shot> {
  yield* new OwnShots();
};

describe("a user's own stream of shots", () => {
  it("has its dropped shots in the ledger, its total in the progress, and its images in the kernel's memory", async () => {
    const own = new OwnShots();
    const progress: (number | undefined)[] = [];
    const result = await reduce(
      own,
      { average: mean(), spread: variance() },
      { onProgress: (_, total) => progress.push(total) },
    );
    expect(result.ledger).toEqual({
      asked: 20,
      used: 16,
      dropped: [{ reason: "too-dim", tags: [100, 105, 110, 115] }],
    });
    expect(progress).toEqual(Array(16).fill(16));
    expect(own.given).toHaveLength(1);
    const memory = own.given[0]?.(8, "uint16");
    // Memory of its own would be an ArrayBuffer of 16 bytes.
    expect(memory?.buffer.byteLength).toBeGreaterThan(65_536);

    const plain = await reduce(bare(), { average: mean(), spread: variance() });
    expect(plain.ledger).toEqual({ asked: 16, used: 16, dropped: [] });
    expect([...of(result.average).data]).toEqual([...of(plain.average).data]);
    expect([...of(result.spread).variance.data]).toEqual([...of(plain.spread).variance.data]);
  });

  it("has the same in a cube", async () => {
    const progress: (number | undefined)[] = [];
    const scan = await cube(new OwnShots(), {
      axes: [{ name: "tag", of: "tag", from: 100, to: 120, step: 10 }],
      values: { images: { average: mean() } },
      onProgress: (_, total) => progress.push(total),
    });
    expect(scan.ledger).toEqual({ asked: 20, used: 16, dropped: [{ reason: "too-dim", tags: [100, 105, 110, 115] }] });
    expect(progress).toEqual(Array(16).fill(16));
    expect([...scan.counts().data]).toEqual([8, 8]);
  });
});
