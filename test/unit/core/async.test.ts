import { describe, expect, it } from "vitest";
import { bounded, sleep } from "../../../src/core/async.ts";

describe("bounded", () => {
  it("gives the answer, and leaves no listener or timer behind", async () => {
    const { signal } = new AbortController();
    await expect(bounded("work", { signal, timeoutMs: 60_000 }, () => 5)).resolves.toBe(5);
    expect(process.getActiveResourcesInfo().filter((r) => r === "Timeout").length).toBeLessThan(3);
  });

  it("ends a wait that never ends, by time or by signal", async () => {
    const never = () => new Promise<never>(() => {});
    await expect(bounded("work", { timeoutMs: 10 }, never)).rejects.toMatchObject({ code: "TIMEOUT", message: "work gave no answer within 10 ms." });
    const controller = new AbortController();
    const waiting = bounded("work", { signal: controller.signal }, never);
    controller.abort(new Error("why"));
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED", cause: { message: "why" } });
    await expect(bounded("work", { signal: controller.signal }, () => 1)).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("refuses a time that timers cannot keep", async () => {
    for (const timeoutMs of [2 ** 31, -1, NaN]) await expect(bounded("work", { timeoutMs }, () => 1)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
  });

  it("sleeps, unless aborted", async () => {
    const controller = new AbortController();
    const waiting = sleep(60_000, controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
    await sleep(1);
  });
});
