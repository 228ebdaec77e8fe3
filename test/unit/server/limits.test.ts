import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../src/core/clock.ts";
import { Limits } from "../../../src/server/limits.ts";
import { Service } from "../../../src/server/service.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { tinySource } from "../../support/tiny-source.ts";

const [anna, ben] = [
  { name: "anna", role: "read" },
  { name: "ben", role: "read" },
] as const;

async function codes(work: (() => Promise<unknown> | unknown)[]): Promise<string[]> {
  const seen: string[] = [];
  for (const one of work) {
    try {
      await one();
      seen.push("ok");
    } catch (error) {
      seen.push((error as { code: string }).code);
    }
  }
  return seen;
}

describe("limits", () => {
  it("bound requests in a second for each client alone, and say when to come back", async () => {
    const clock = new VirtualClock();
    const limits = new Limits({ requestsPerSecond: 3 }, clock);
    const take = () => limits.charge(anna, 10);
    expect(await codes([take, take, take, take, take])).toEqual([
      "ok",
      "ok",
      "ok",
      "TOO_MANY_REQUESTS",
      "TOO_MANY_REQUESTS",
    ]);
    expect(await codes([() => limits.charge(ben, 10)])).toEqual(["ok"]);
    let refused: unknown;
    try {
      limits.charge(anna, 0);
    } catch (error) {
      refused = error;
    }
    const { retryAfterMs } = (refused as { details: { retryAfterMs: number } }).details;
    expect([retryAfterMs > 0, retryAfterMs <= 1000]).toEqual([true, true]);
    clock.advance(retryAfterMs / 1000);
    expect(await codes([take])).toEqual(["ok"]);
    expect(await codes([take])).toEqual(["TOO_MANY_REQUESTS"]);
    // A second later all three are there again, and after an hour no more than three.
    clock.advance(1);
    expect(await codes([take, take, take, take])).toEqual(["ok", "ok", "ok", "TOO_MANY_REQUESTS"]);
    clock.advance(3600);
    expect(await codes([take, take, take, take])).toEqual(["ok", "ok", "ok", "TOO_MANY_REQUESTS"]);
  });

  it("let a client through in the long run as often as allowed, whatever its rhythm", () => {
    const clock = new VirtualClock();
    const limits = new Limits({ requestsPerSecond: 7 }, clock);
    let allowed = 0;
    for (let tick = 0; tick < 6000; tick++) {
      clock.advance(tick % 3 === 0 ? 0.02 : 0.005);
      try {
        limits.charge(anna, 1);
        allowed++;
      } catch {}
    }
    // 60 s at 7 per second, and the 7 that were there at the start.
    expect(Math.abs(allowed - (60 * 7 + 7))).toBeLessThanOrEqual(1);
  });

  it("bound the size of a request and the requests that are open", async () => {
    const limits = new Limits({ requestBytes: 100, open: 2 });
    expect(await codes([() => limits.charge(anna, 100), () => limits.charge(anna, 101)])).toEqual(["ok", "TOO_LARGE"]);
    const leave = limits.enter(anna);
    limits.enter(anna);
    expect(await codes([() => limits.enter(anna), () => limits.enter(ben)])).toEqual(["TOO_MANY_REQUESTS", "ok"]);
    leave();
    leave();
    expect(await codes([() => limits.enter(anna), () => limits.enter(anna)])).toEqual(["ok", "TOO_MANY_REQUESTS"]);
  });

  it("refuse options that make no sense", () => {
    for (const wrong of [{ requestsPerSecond: 0 }, { open: 0.5 }, { requestBytes: NaN }, { perSecond: 3 }]) {
      expect(() => new Limits(wrong as object), JSON.stringify(wrong)).toThrow(
        expect.objectContaining({ code: "BAD_ARGUMENT" }),
      );
    }
  });

  it("hold in the service: a stream counts as open until it ends, however it ends", async () => {
    const service = new Service(endpointOf(tinySource()), { limits: new Limits({ open: 1 }) });
    const { signal } = new AbortController();
    const read = () => service.call(anna, { method: "db.readRunstatus", value: { bl: 3, run: 10 } }, { signal });
    const value = { bl: 3, run: 10, detIds: ["OPAL-234363"], tags: Uint32Array.of(1000, 1002), roi: null };
    const stream = service.stream(anna, { method: "st.frames", value }, { signal });
    await stream.next();
    expect(await codes([read])).toEqual(["TOO_MANY_REQUESTS"]);
    await stream.return();
    expect(await codes([read, read])).toEqual(["ok", "ok"]);
    const wrong = service.stream(
      anna,
      { method: "st.frames", value: { ...value, tags: Uint32Array.of(1) } },
      { signal },
    );
    expect(await codes([() => wrong.next(), read])).toEqual(["TAG_OUTSIDE_RUN", "ok"]);
  });
});
