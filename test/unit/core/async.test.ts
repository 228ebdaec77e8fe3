import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { bounded, readAhead, sleep } from "../../../src/core/async.ts";
import { VirtualClock } from "../../../src/core/clock.ts";

describe("bounded", () => {
  it("gives the answer, and leaves no listener or timer behind", async () => {
    const { signal } = new AbortController();
    await expect(bounded("work", { signal, timeoutMs: 60_000 }, () => 5)).resolves.toBe(5);
    expect(process.getActiveResourcesInfo().filter((r) => r === "Timeout").length).toBeLessThan(3);
  });

  it("ends a wait that never ends, by time or by signal", async () => {
    const never = () => new Promise<never>(() => {});
    await expect(bounded("work", { timeoutMs: 10 }, never)).rejects.toMatchObject({
      code: "TIMEOUT",
      message: "work gave no answer within 10 ms.",
    });
    const controller = new AbortController();
    const waiting = bounded("work", { signal: controller.signal }, never);
    controller.abort(new Error("why"));
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED", cause: { message: "why" } });
    await expect(bounded("work", { signal: controller.signal }, () => 1)).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("refuses a time that timers cannot keep", async () => {
    for (const timeoutMs of [2 ** 31, -1, NaN])
      await expect(bounded("work", { timeoutMs }, () => 1)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
  });

  it("sleeps, unless aborted", async () => {
    const controller = new AbortController();
    const waiting = sleep(60_000, controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
    await sleep(1);
  });
});

it("takes one signal for many calls at once without a warning of Node.js", async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on("warning", note);
  const { signal } = new AbortController();
  const calls = Array.from({ length: 20 }, () => bounded("a call", { signal }, () => sleep(1, signal)));
  await Promise.all(calls);
  await sleep(1);
  process.off("warning", note);
  expect(warnings).toEqual([]);
});

it("leaves no listener on a signal whose calls have ended, as Node.js never frees some signals with one", async () => {
  const signal = AbortSignal.any([new AbortController().signal]);
  const calls = Array.from({ length: 3 }, (_, ms) => bounded("a call", { signal }, () => sleep(ms, signal)));
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  await Promise.all(calls);
  expect(getEventListeners(signal, "abort")).toEqual([]);
  const clock = new VirtualClock();
  const waiting = clock.until(5, signal);
  clock.advance(5);
  await waiting;
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

describe("readAhead", () => {
  /** Counts 0, 1, 2 … and keeps account of what is in being. */
  function counting(count: number, failAt = Infinity) {
    const seen = { read: 0, returned: 0, most: 0, done: 0, stopped: false };
    async function* items(stop: AbortSignal): AsyncGenerator<number, void, undefined> {
      stop.addEventListener("abort", () => {
        seen.stopped = true;
      });
      try {
        for (let i = 0; i < count; i++) {
          if (i === failAt) throw new Error("broken");
          seen.read++;
          seen.most = Math.max(seen.most, seen.read - seen.done);
          if (i % 3 === 0) await sleep(1);
          yield i;
        }
      } finally {
        seen.returned++;
      }
    }
    return { seen, items };
  }

  it.each([1, 2, 5])("gives all in order, with at most %i in being", async (depth) => {
    const { seen, items } = counting(20);
    const taken: number[] = [];
    for await (const item of readAhead(items, depth)) {
      await sleep(item % 4 === 0 ? 2 : 0);
      taken.push(item);
      seen.done++;
    }
    expect(taken).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(seen.most).toBeLessThanOrEqual(depth);
    if (depth > 1) expect(seen.most).toBeGreaterThan(1);
    expect(seen.returned).toBe(1);
  });

  it("gives what came before a failure, then the failure", async () => {
    const { items } = counting(20, 4);
    const taken: number[] = [];
    const loop = async (): Promise<void> => {
      for await (const item of readAhead(items, 3)) taken.push(item);
    };
    await expect(loop()).rejects.toThrow("broken");
    expect(taken).toEqual([0, 1, 2, 3]);
  });

  it("stops the source when the reader leaves, also in the middle of a read", async () => {
    const { seen, items } = counting(1_000_000);
    for await (const item of readAhead(items, 3)) if (item === 5) break;
    expect([seen.stopped, seen.returned]).toEqual([true, 1]);
    expect(seen.read).toBeLessThanOrEqual(8);
    const stuck = async function* (stop: AbortSignal): AsyncGenerator<number, void, undefined> {
      yield 1;
      await sleep(3_600_000, stop);
    };
    for await (const item of readAhead(stuck, 2)) {
      await sleep(1);
      expect(item).toBe(1);
      break;
    }
  });
});
