import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SaclaError } from "../../../src/core/errors.ts";
import { askAgain, onceMoreAfterSlip } from "../../../src/scan/beamline/again.ts";

const busy = (details = {}): SaclaError => new SaclaError("DEVICE_BUSY", "The stage moves.", { details });
const slip = (): SaclaError => new SaclaError("DEVICE_FAULT", "The stage slipped.", { details: { slipped: true } });

/** Fails with the errors in turn, the last one for ever; undefined is success. */
function failing(...errors: readonly (SaclaError | undefined)[]) {
  const asked = vi.fn(async (): Promise<string> => {
    const error = errors[Math.min(asked.mock.calls.length, errors.length) - 1];
    if (error !== undefined) throw error;
    return "done";
  });
  return asked;
}

describe("a device that is busy", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is asked again until it takes the command, which is said", async () => {
    const notes: string[] = [];
    const work = failing(busy(), busy(), undefined);
    const done = askAgain({ note: (text) => notes.push(text) }, work);
    await vi.advanceTimersByTimeAsync(1000);
    await expect(done).resolves.toBe("done");
    expect(notes).toEqual(["asks again, for up to 30 s: The stage moves.", "goes on: it was asked 3 times"]);
  });

  it("is asked for 30 s at most, and then named with how often", async () => {
    const work = failing(busy({ axis: "x" }));
    const done = askAgain({}, work).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await done).toMatchObject({
      code: "DEVICE_BUSY",
      message: expect.stringMatching(/^The stage moves\. It was asked \d+ times within (29|30) s\.$/),
      details: { axis: "x", asked: work.mock.calls.length },
    });
    expect(work.mock.calls.length).toBeGreaterThan(10);
  });

  it("is not asked again when somebody stopped it, when something else is wrong, or after an abort", async () => {
    for (const error of [busy({ wasStopped: true }), new SaclaError("LIMIT", "Too far.")]) {
      const work = failing(error);
      await expect(askAgain({}, work)).rejects.toBe(error);
      expect(work).toHaveBeenCalledTimes(1);
    }
    const controller = new AbortController();
    const work = failing(busy());
    const done = askAgain({ signal: controller.signal }, work).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(300);
    controller.abort();
    expect(await done).toMatchObject({ code: "ABORTED" });
  });
});

describe("an axis that slipped", () => {
  it("is moved once more", async () => {
    const notes: string[] = [];
    await expect(onceMoreAfterSlip({ note: (text) => notes.push(text) }, failing(slip(), undefined))).resolves.toBe(
      "done",
    );
    expect(notes).toEqual(["tries the move once more: The stage slipped."]);
  });

  it("twice is a fault that says so", async () => {
    const work = failing(slip());
    await expect(onceMoreAfterSlip({}, work)).rejects.toMatchObject({
      code: "DEVICE_FAULT",
      message: "The stage slipped. It was tried twice.",
    });
    expect(work).toHaveBeenCalledTimes(2);
  });

  it("is not moved again after another fault", async () => {
    const fault = new SaclaError("DEVICE_FAULT", "The driver has no power.");
    const work = failing(fault);
    await expect(onceMoreAfterSlip({}, work)).rejects.toBe(fault);
    expect(work).toHaveBeenCalledTimes(1);
  });
});
