import { describe, expect, it, vi } from "vitest";
import { beginningMs, HelpRule } from "../../../src/reduce/engine/help-rule.ts";

const threadMs = beginningMs(new URL("file:///part.js"));

/** After how many shots help is asked for, and how many are left to this thread, when a shot takes so long here. */
function asked(shots: number, msPerShot: number, helpers = 1, first = 100, beginning = threadMs): number[] {
  let now = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  try {
    const rule = new HelpRule(shots, helpers, beginning);
    for (let done = 1; done <= shots; done++) {
      now += done === 1 ? first : msPerShot;
      const mine = rule.look(done);
      if (mine !== undefined) return [done, mine];
    }
    return [];
  } finally {
    clock.mockRestore();
  }
}

describe("threads by default", () => {
  it("do not begin for work that this thread has done as soon, whatever its first shot costs", () => {
    expect(asked(100, 10)).toEqual([]);
    expect(asked(10, 10, 1, 5000)).toEqual([]);
    expect(asked(3, 10_000)).toEqual([]);
    expect(asked(0, 10)).toEqual([]);
    expect(asked(1000, 1000, 0)).toEqual([]);
  });

  it("take so much of long work that all end together", () => {
    const [done = 0, mine = 0] = asked(1000, 100);
    expect(done).toBe(4);
    // 1.25 × 100 ms a shot: this thread is ahead by what a thread needs to begin, half of which it gives away.
    expect(mine).toBeCloseTo(4 + (996 + (threadMs + 100) / 125) / 2, -1);
    expect(asked(1000, 100, 3)[1]).toBeCloseTo(4 + (996 + (3 * (threadMs + 100)) / 125) / 4, -1);
  });

  it("are asked for by the later half of the shots so far, not by the first, slower or faster ones", () => {
    const lookAt = (msOf: (done: number) => number): number => {
      let now = 0;
      const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
      const rule = new HelpRule(200, 1, threadMs);
      const looks = Array.from({ length: 199 }, (_, k) => {
        now += msOf(k + 1);
        return rule.look(k + 1);
      });
      clock.mockRestore();
      return 1 + looks.findIndex((mine) => mine !== undefined);
    };
    expect(lookAt((done) => (done < 9 ? 0 : 40))).toBe(16);
    expect(lookAt((done) => (done > 4 && done < 9 ? 1000 : 5))).toBe(0);
  });

  it("are not asked for when they take longer to begin", () => {
    expect(asked(100, 40)).not.toEqual([]);
    expect(asked(100, 40, 1, 100, 3000)).toEqual([]);
    expect(asked(100, 40, 1, 1000)).toEqual([]);
    expect(beginningMs(new URL("file:///part.ts"))).toBeGreaterThan(threadMs);
  });

  it("may hear of several shots at a time", () => {
    const rule = new HelpRule(100, 1, threadMs);
    expect([rule.look(10), rule.look(10), rule.look(5)]).toEqual([undefined, undefined, undefined]);
  });
});
