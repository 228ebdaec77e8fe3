import { afterEach, describe, expect, it, vi } from "vitest";
import { SaclaError } from "../../../src/core/errors.ts";
import type { Pixels } from "../../../src/core/ndarray.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import type { ShotFrames } from "../../../src/transport/methods.ts";
import { type RetryPolicy, withRetry } from "../../../src/transport/wrappers/with-retry.ts";
import { bareShot, ScriptedEndpoint, unreachable } from "../../support/scripted-endpoint.ts";

const quick: RetryPolicy = { firstWaitMs: 1, longestWaitMs: 1, seed: 1 };
const of = { bl: 3, run: 10 };
const frames = (...tags: number[]) => ({ ...of, detIds: ["A"], tags: Uint32Array.from(tags), roi: null });

async function tagsOf(
  endpoint: Endpoint,
  tags: readonly number[],
  timeoutMs?: number,
): Promise<{ seen: number[]; error: SaclaError | undefined }> {
  const seen: number[] = [];
  try {
    for await (const { tag } of endpoint.stream("st.frames", frames(...tags), { timeoutMs })) seen.push(tag);
    return { seen, error: undefined };
  } catch (error) {
    if (error instanceof SaclaError) return { seen, error };
    throw error;
  }
}

/** The tags each attempt of a stream asked for. */
function attempts(inner: ScriptedEndpoint): number[][] {
  return inner.asked.map(({ params }) => [...(params as { tags: Uint32Array }).tags]);
}

afterEach(() => {
  vi.useRealTimers();
});

describe("withRetry, calls", () => {
  it("asks again what reads, until it is answered", async () => {
    const inner = new ScriptedEndpoint({ calls: [unreachable(), unreachable(), 7] });
    expect(await withRetry(inner, quick).call("db.readRunstatus", of)).toBe(7);
    expect(inner.asked.map(({ method, params }) => [method, params])).toEqual(Array(3).fill(["db.readRunstatus", of]));
  });

  it("gives up after the attempts of its policy, and says how often it asked", async () => {
    const inner = new ScriptedEndpoint({ calls: [unreachable()] });
    const failing = withRetry(inner, { ...quick, attempts: 4 }).call("db.readRunstatus", of);
    await expect(failing).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringMatching(/asked 4 times.*nobody there/),
      details: { attempts: 4 },
    });
    expect(inner.asked).toHaveLength(4);
  });

  it.each(["UNKNOWN_RUN", "BAD_MESSAGE", "NOT_ALLOWED", "CLOSED", "TIMEOUT"] as const)(
    "hands %s on at once, as it came",
    async (code) => {
      const error = new SaclaError(code, "because");
      const inner = new ScriptedEndpoint({ calls: [error, 7] });
      await expect(withRetry(inner, quick).call("db.readRunstatus", of)).rejects.toBe(error);
      expect(inner.asked).toHaveLength(1);
    },
  );

  it("repeats what changes something only with a key, and with the same one", async () => {
    const table = { "db.readRunstatus": { changes: true } };
    const without = new ScriptedEndpoint({ calls: [unreachable(), 7] });
    await expect(withRetry(without, quick, table).call("db.readRunstatus", of)).rejects.toMatchObject({
      code: "UNREACHABLE",
    });
    expect(without.asked).toHaveLength(1);
    const withKey = new ScriptedEndpoint({ calls: [unreachable(), 7] });
    expect(await withRetry(withKey, quick, table).call("db.readRunstatus", of, { key: "k1" })).toBe(7);
    expect(withKey.asked.map(({ options }) => options.key)).toEqual(["k1", "k1"]);
  });

  it("does not repeat a method its table does not know", async () => {
    const inner = new ScriptedEndpoint({ calls: [unreachable(), 7] });
    await expect(withRetry(inner, quick, {}).call("db.readRunstatus", of)).rejects.toMatchObject({
      code: "UNREACHABLE",
    });
    expect(inner.asked).toHaveLength(1);
  });

  it("gives an attempt up after attemptMs, and ends it at the source", async () => {
    const inner = new ScriptedEndpoint({ calls: ["hang", 7] });
    expect(await withRetry(inner, { ...quick, attemptMs: 30 }).call("db.readRunstatus", of)).toBe(7);
    expect(inner.asked.map(({ options }) => options.signal?.aborted)).toEqual([true, true]);
    expect(inner.asked[0]?.options.timeoutMs).toBe(30);
  });

  it("ends with TIMEOUT when the caller's time is up, however many attempts are left", async () => {
    vi.useFakeTimers();
    const inner = new ScriptedEndpoint({ calls: ["hang"] });
    const late = withRetry(inner, { ...quick, attempts: 1000, attemptMs: 20 }).call("db.readRunstatus", of, {
      timeoutMs: 500,
    });
    late.catch(() => {});
    await vi.runAllTimersAsync();
    await expect(late).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(inner.asked.length).toBeGreaterThan(1);
    for (const { options } of inner.asked) expect(options.timeoutMs).toBeLessThanOrEqual(20);
  });

  it("ends within its deadline when the server never comes back and even a silent attempt does not end", async () => {
    vi.useFakeTimers();
    const inner = new ScriptedEndpoint({ calls: [unreachable(), "hang"] });
    const late = withRetry(inner, { ...quick, deadlineMs: 500 }).call("db.readRunstatus", of);
    late.catch(() => {});
    await vi.runAllTimersAsync();
    await expect(late).rejects.toMatchObject({
      code: "TIMEOUT",
      details: { attempts: 2 },
    });
  });

  it("gives up early what has never answered, and not what has", async () => {
    vi.useFakeTimers();
    const ask = async (endpoint: ReturnType<typeof withRetry>): Promise<unknown> => {
      const asking = endpoint.call("db.readRunstatus", of);
      asking.catch(() => {});
      await vi.runAllTimersAsync();
      return await asking;
    };
    const policy = { attempts: 20, firstWaitMs: 400, longestWaitMs: 400, firstAnswerMs: 1000, seed: 3 };
    const never = new ScriptedEndpoint({ calls: [unreachable()] });
    await expect(ask(withRetry(never, policy))).rejects.toMatchObject({ code: "UNREACHABLE" });
    // Waits of 200 to 400 ms.
    expect(never.asked.length).toBeGreaterThan(2);
    expect(never.asked.length).toBeLessThan(7);
    const away = new ScriptedEndpoint({ calls: [7, ...Array.from({ length: 12 }, unreachable), 8] });
    const endpoint = withRetry(away, policy);
    expect([await ask(endpoint), await ask(endpoint)]).toEqual([7, 8]);
  });

  it("waits for a server that is started again, for a minute, and says so once", async () => {
    vi.useFakeTimers();
    const away = (): SaclaError =>
      new SaclaError("UNREACHABLE", "The process that reads has ended.", { details: { retryAfterMs: 1000 } });
    const told: string[] = [];
    const ask = async (calls: (SaclaError | number)[]): Promise<unknown> => {
      const asking = withRetry(new ScriptedEndpoint({ calls }), { seed: 1, onWait: (text) => told.push(text) }).call(
        "db.readRunstatus",
        of,
      );
      asking.catch(() => {});
      await vi.runAllTimersAsync();
      return await asking;
    };
    // About 20 s, at a server that has answered nothing else yet.
    expect(await ask([...Array.from({ length: 10 }, away), 7])).toBe(7);
    expect(told).toEqual([
      expect.stringMatching(
        /^The process that reads has ended\. Waits .* db\.readRunstatus is asked .* up to 5\d s\.$/,
      ),
    ]);
    const started = Date.now();
    await expect(ask([away()])).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect((Date.now() - started) / 1000).toBeCloseTo(60, -1);
  });

  it("ends with ABORTED in the middle of a wait", async () => {
    const controller = new AbortController();
    const inner = new ScriptedEndpoint({ calls: [unreachable()] });
    const waiting = withRetry(inner, {
      firstWaitMs: 1e6,
      longestWaitMs: 1e6,
      deadlineMs: 1e7,
      firstAnswerMs: 1e7,
    }).call("db.readRunstatus", of, {
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(), 5);
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("ends with CLOSED in the middle of a wait", async () => {
    const endpoint = withRetry(new ScriptedEndpoint({ calls: [unreachable()] }), {
      firstWaitMs: 1e6,
      longestWaitMs: 1e6,
      deadlineMs: 1e7,
      firstAnswerMs: 1e7,
    });
    const waiting = endpoint.call("db.readRunstatus", of);
    setTimeout(() => void endpoint.close(), 5);
    await expect(waiting).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("waits twice as long each time, up to the longest, shortened by up to half by the seed alone", async () => {
    vi.useFakeTimers();
    const waits = async (seed: number): Promise<number[]> => {
      const times: number[] = [];
      const inner = new ScriptedEndpoint({ calls: [unreachable()] });
      const asking = withRetry(inner, { attempts: 7, firstWaitMs: 100, longestWaitMs: 1000, seed }).call(
        "db.readRunstatus",
        of,
      );
      asking.catch(() => {});
      for (let n = 1; n < 7; n++) {
        const before = Date.now();
        await vi.advanceTimersToNextTimerAsync();
        times.push(Date.now() - before);
      }
      await expect(asking).rejects.toMatchObject({ code: "UNREACHABLE" });
      expect(inner.asked).toHaveLength(7);
      return times;
    };
    const first = await waits(5);
    for (const [i, whole] of [100, 200, 400, 800, 1000, 1000].entries()) {
      expect(first[i]).toBeGreaterThanOrEqual(Math.floor(whole / 2));
      expect(first[i]).toBeLessThanOrEqual(whole);
    }
    expect(await waits(5)).toEqual(first);
    expect(await waits(6)).not.toEqual(first);
  });

  it.each([{ attempts: 0 }, { attempts: 1.5 }, { firstWaitMs: -1 }, { deadlineMs: NaN }, { tries: 3 }])(
    "refuses the policy %j",
    (policy) => {
      expect(() => withRetry(new ScriptedEndpoint({}), policy as RetryPolicy)).toThrow(
        expect.objectContaining({ code: "BAD_ARGUMENT" }),
      );
    },
  );
});

describe("withRetry, streams", () => {
  it("takes a broken stream up again with the tags that have not come", async () => {
    const streams = [
      [bareShot(1), bareShot(2), unreachable()],
      [unreachable()],
      [bareShot(3), unreachable()],
      [bareShot(4)],
    ];
    const inner = new ScriptedEndpoint({ streams });
    expect(await tagsOf(withRetry(inner, quick), [1, 2, 3, 4])).toEqual({ seen: [1, 2, 3, 4], error: undefined });
    expect(attempts(inner)).toEqual([[1, 2, 3, 4], [3, 4], [3, 4], [4]]);
  });

  it("names the tags that have not come when it gives up", async () => {
    const inner = new ScriptedEndpoint({ streams: [[bareShot(10), unreachable()], [unreachable()]] });
    const { seen, error } = await tagsOf(withRetry(inner, { ...quick, attempts: 3 }), [10, 12, 14, 16]);
    expect(seen).toEqual([10]);
    expect(error).toMatchObject({
      code: "UNREACHABLE",
      details: { attempts: 3, missing: [12, 14, 16], missingCount: 3, lastMissing: 16 },
    });
    expect(error?.message).toMatch(/3 tags have not come: 12 … 16/);
  });

  it("counts attempts anew after each item", async () => {
    const streams = [1, 2, 3, 4, 5].flatMap((tag) => [[unreachable()], [bareShot(tag), unreachable()]]);
    const inner = new ScriptedEndpoint({ streams });
    expect(await tagsOf(withRetry(inner, { ...quick, attempts: 3 }), [1, 2, 3, 4, 5])).toEqual({
      seen: [1, 2, 3, 4, 5],
      error: undefined,
    });
    // The break after the last item is none: everything has come.
    expect(inner.asked).toHaveLength(10);
  });

  it("gives items that come twice once, and asks again when one is lost, out of turn, or the end comes early", async () => {
    const streams = [
      [bareShot(1), bareShot(1), bareShot(2), bareShot(2), bareShot(4), bareShot(3)],
      [bareShot(3), "end"],
      [bareShot(4), bareShot(5)],
    ] as const;
    const inner = new ScriptedEndpoint({ streams });
    expect(await tagsOf(withRetry(inner, quick), [1, 2, 3, 4, 5])).toEqual({ seen: [1, 2, 3, 4, 5], error: undefined });
    expect(attempts(inner)).toEqual([
      [1, 2, 3, 4, 5],
      [3, 4, 5],
      [4, 5],
    ]);
  });

  it("gives a tag that is asked for twice twice", async () => {
    const inner = new ScriptedEndpoint({
      streams: [
        [bareShot(5), unreachable()],
        [bareShot(5), bareShot(6)],
      ],
    });
    expect((await tagsOf(withRetry(inner, quick), [5, 5, 6])).seen).toEqual([5, 5, 6]);
  });

  it("ends a silent stream at the caller's limit, naming what is missing, without asking again", async () => {
    const inner = new ScriptedEndpoint({ streams: [[bareShot(1), "hang"]] });
    const { seen, error } = await tagsOf(withRetry(inner, quick), [1, 2, 3], 40);
    expect(seen).toEqual([1]);
    expect(error).toMatchObject({ code: "TIMEOUT", details: { missing: [2, 3], missingCount: 2 } });
    expect(inner.asked).toHaveLength(1);
    expect(inner.asked[0]?.options.signal?.aborted).toBe(true);
  });

  it("takes a silent stream up again after attemptMs", async () => {
    const inner = new ScriptedEndpoint({ streams: [[bareShot(1), "hang"], [bareShot(2)]] });
    expect((await tagsOf(withRetry(inner, { ...quick, attemptMs: 30 }), [1, 2])).seen).toEqual([1, 2]);
  });

  it("hands on at once what asking again cannot change", async () => {
    const error = new SaclaError("RUN_NOT_READY", "still running");
    const inner = new ScriptedEndpoint({ streams: [[bareShot(1), error]] });
    expect((await tagsOf(withRetry(inner, quick), [1, 2])).error).toBe(error);
    expect(inner.asked).toHaveLength(1);
  });

  it("ends the stream at the source when the reader leaves", async () => {
    const inner = new ScriptedEndpoint({ streams: [[bareShot(1), "hang"]] });
    for await (const _ of withRetry(inner, quick).stream("st.frames", frames(1, 2))) break;
    expect(inner.asked[0]?.options.signal?.aborted).toBe(true);
  });

  it("lets nothing that a given-up attempt still reads into the reader's memory", async () => {
    const room = new Float32Array(1);
    const late: (() => void)[] = [];
    let opened = 0;
    const shot = (data: Pixels): ShotFrames => ({ tag: 1, frames: [{ detId: "A", shape: [1, 1], data }], missing: [] });
    class Slow extends ScriptedEndpoint {
      override async *stream(..._args: unknown[]): AsyncGenerator<never> {
        const memory = (_args[2] as { memory?: (id: string, n: number, type: string) => Pixels }).memory;
        const target = memory?.("A", 1, "float32") ?? new Float32Array(1);
        if (++opened === 1) {
          // A read that no signal stops, and that ends when the second attempt has answered long ago.
          await new Promise<void>((resolve) => late.push(resolve));
          target[0] = -1;
        } else target[0] = 42;
        yield shot(target) as never;
      }
    }
    for await (const { frames: got } of withRetry(new Slow({}), { ...quick, attemptMs: 20 }).stream(
      "st.frames",
      frames(1),
      { memory: () => room },
    )) {
      for (const finish of late) finish();
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect([got[0]?.data, room[0]]).toEqual([room, 42]);
    }
    expect([opened, late.length]).toEqual([2, 1]);
  });
});
