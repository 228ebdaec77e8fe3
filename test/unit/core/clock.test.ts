import { describe, expect, it } from "vitest";
import { realClock, VirtualClock } from "../../../src/core/clock.ts";

describe("a clock that moves when told to", () => {
  it("wakes each who waits when his time has come, not before", async () => {
    const clock = new VirtualClock();
    const woken: string[] = [];
    const wait = async (name: string, seconds: number): Promise<void> => {
      await clock.until(seconds);
      woken.push(name);
    };
    const all = [wait("b", 2), wait("a", 1), wait("now", 0)];
    await all[2];
    expect(woken).toEqual(["now"]);
    clock.advance(1.5);
    await all[1];
    expect(woken).toEqual(["now", "a"]);
    clock.advance(10);
    await all[0];
    expect([woken, clock.now()]).toEqual([["now", "a", "b"], 11.5]);
    expect(() => clock.advance(-1)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });

  it("lets a wait be given up", async () => {
    const clock = new VirtualClock();
    const controller = new AbortController();
    const waiting = clock.until(1, controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
    await expect(clock.until(0, controller.signal)).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("the clock of this computer", () => {
  it("waits at least as long as asked, and not at all for what is past", async () => {
    const clock = realClock();
    const before = clock.now();
    await clock.until(before + 0.03);
    expect(clock.now()).toBeGreaterThanOrEqual(before + 0.03);
    await clock.until(before);
    const stop = new AbortController();
    const forever = clock.until(Infinity, stop.signal);
    stop.abort();
    await expect(forever).rejects.toMatchObject({ code: "ABORTED" });
  });
});
