import { availableParallelism } from "node:os";
import { describe, expect, it, vi } from "vitest";
import { TagList } from "../../../src/core/tags.ts";
import { asItPays } from "../../../src/reduce/engine/parallel.ts";

/** What is done where, when a shot takes so many milliseconds here, the first of each part `first` more. */
async function work(shots: number, msPerShot: number, first = 0, parts?: number): Promise<[string, ...number[]][]> {
  const done: [string, ...number[]][] = [];
  let now = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  try {
    await asItPays(
      new TagList(
        202302,
        Uint32Array.from({ length: shots }, (_, i) => 2 * i),
      ),
      parts,
      async (tags, before, onProgress) => {
        now += first;
        for (let k = 0; k < tags.length; k++) {
          now += msPerShot;
          onProgress?.(k + 1);
        }
        done.push(["here", before, tags.length]);
      },
      async (size, pieces, before) => {
        done.push([`${size} threads`, before, ...pieces.map(({ length }) => length)]);
      },
    );
  } finally {
    clock.mockRestore();
  }
  return done;
}

describe.runIf(availableParallelism() > 1)("threads by default", () => {
  const size = Math.min(availableParallelism(), 4);

  it("do not begin for work that this thread has done sooner, whatever its first shot costs", async () => {
    expect(await work(100, 10)).toEqual([
      ["here", 0, 13],
      ["here", 13, 87],
    ]);
    expect(await work(10, 10, 5000)).toEqual([
      ["here", 0, 4],
      ["here", 4, 6],
    ]);
    expect(await work(3, 10_000)).toEqual([["here", 0, 3]]);
    expect(await work(0, 10)).toEqual([["here", 0, 0]]);
  });

  it("take the rest of long work, in one part each", async () => {
    const [trial, rest = []] = await work(1000, 100);
    expect(trial).toEqual(["here", 0, 32]);
    expect(rest.slice(0, 2)).toEqual([`${size} threads`, 32]);
    expect(rest).toHaveLength(2 + size);
    expect(rest.slice(2).reduce<number>((sum, n) => sum + Number(n), 0)).toBe(968);
    expect((await work(1000, 100, 0, 7))[1]).toHaveLength(2 + 7);
  });
});
