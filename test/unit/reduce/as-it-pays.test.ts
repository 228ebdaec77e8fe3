import { describe, expect, it, vi } from "vitest";
import { HelpRule } from "../../../src/reduce/engine/parallel.ts";

/** After how many shots help is asked for, and how many are left to this thread, when a shot takes so long here. */
function asked(shots: number, msPerShot: number, helpers = 1, first = 100): number[] {
  let now = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  try {
    const rule = new HelpRule(shots, helpers);
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
    expect(mine).toBeCloseTo(4 + (996 + (500 + 100) / 125) / 2, -1);
    expect(asked(1000, 100, 3)[1]).toBeCloseTo(4 + (996 + (3 * (500 + 100)) / 125) / 4, -1);
  });

  it("are asked for later when the first shots said too little", () => {
    let now = 0;
    const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
    const rule = new HelpRule(1000, 1);
    const looks = Array.from({ length: 64 }, (_, k) => {
      now += k < 8 ? 0 : 20;
      return rule.look(k + 1);
    });
    clock.mockRestore();
    expect(looks.findIndex((mine) => mine !== undefined)).toBe(15);
  });

  it("may hear of several shots at a time", () => {
    const rule = new HelpRule(100, 1);
    expect([rule.look(10), rule.look(10), rule.look(5)]).toEqual([undefined, undefined, undefined]);
  });
});
