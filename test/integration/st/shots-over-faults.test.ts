import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSaclaError } from "../../../src/core/errors.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { Shots } from "../../../src/st/shots.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { type FaultOptions, withFaults } from "../../../src/transport/wrappers/with-faults.ts";
import { type RetryPolicy, withRetry } from "../../../src/transport/wrappers/with-retry.ts";
import { rounds } from "../../support/full.ts";
import { tinyPixel, tinySource } from "../../support/tiny-source.ts";

const sensors = ["MPCCD-2N0-1-006-1", "MPCCD-2N0-1-006-2"];
const motor = "xfel_bl_3_st_2_motor_1/position";
const all = [1000, 1002, 1004, 1006, 1008, 1010];
/** Of the second sensor; so this shot cannot be used. */
const withoutImage = 1006;

interface Outcome {
  readonly used: number[];
  readonly code: string | null;
  readonly missing: unknown;
}

/**
 * Reads the shots and checks what must hold whatever happens: the account, each shot once and in order, its own pixels
 * and values.
 */
async function readAll(
  faults: FaultOptions,
  policy: RetryPolicy,
  prefetch: number,
  asked: readonly number[] = all,
): Promise<Outcome> {
  const endpoint = withRetry(withFaults(inProcess(endpointOf(tinySource())), faults), policy);
  const run = { bl: 3, number: 10 };
  const shots = new Shots(endpoint, { run, detectors: ["MPCCD-2N0-1-006"], signals: [motor], tags: asked, prefetch });
  const used: number[] = [];
  let code: string | null = null;
  let missing: unknown;
  try {
    for await (const shot of shots) {
      used.push(shot.tag);
      expect(shot.number(motor)).toBe(shot.tag * 10);
      for (const sensor of sensors) {
        const data = Array.from({ length: 12 }, (_, i) => tinyPixel(sensor, shot.tag, Math.floor(i / 3), i % 3));
        expect([...(shot.images[sensor]?.data ?? [])]).toEqual(data);
      }
    }
  } catch (error) {
    if (!isSaclaError(error)) throw error;
    code = error.code;
    missing = error.details["missing"];
  }
  const { ledger } = shots;
  const dropped = ledger.dropped.flatMap(({ tags }) => tags);
  expect(ledger.used).toBe(used.length);
  expect([...used, ...dropped].sort((a, b) => a - b)).toEqual([...asked].sort((a, b) => a - b));
  expect(ledger.asked).toBe(asked.length);
  expect(used).toEqual(asked.filter((tag) => used.includes(tag)));
  if (code === null)
    expect(ledger.dropped).toEqual(
      asked.includes(withoutImage) ? [{ reason: "frame-missing", tags: [withoutImage] }] : [],
    );
  return { used, code, missing };
}

/** A share in per cent, since doubles are mostly drawn near nothing. */
const share = (max: number) => fc.integer({ min: 0, max: 100 * max }).map((percent) => percent / 100);

describe("shots over a bad connection", () => {
  it("are each used once with the right pixels, or dropped, under any faults", async () => {
    const faults = fc.record({
      seed: fc.nat(),
      delay: share(0.2),
      delayMs: fc.constant(2),
      loss: share(0.1),
      duplicate: share(0.5),
      reorder: share(0.5),
      disconnect: share(0.5),
    });
    const outcomes = { whole: 0, cut: 0 };
    await fc.assert(
      fc.asyncProperty(
        faults,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 4 }),
        fc.shuffledSubarray(all),
        async (bad, attempts, prefetch, asked) => {
          const { code } = await readAll(
            bad,
            { attempts, firstWaitMs: 0, longestWaitMs: 0, attemptMs: 60, seed: 1 },
            prefetch,
            asked,
          );
          if (code === null) outcomes.whole++;
          else {
            expect(["UNREACHABLE", "TIMEOUT"]).toContain(code);
            outcomes.cut++;
          }
        },
      ),
      { numRuns: rounds(150) },
    );
    // Both must have been seen, or nothing was tested.
    expect(outcomes.whole).toBeGreaterThan(rounds(10));
    expect(outcomes.cut).toBeGreaterThan(rounds(10));
  });

  it("all come when the connection breaks again and again and the policy has patience", async () => {
    for (let seed = 0; seed < 10; seed++) {
      const { used } = await readAll(
        { seed, disconnect: 0.4, duplicate: 0.3, reorder: 0.3 },
        { attempts: 100, firstWaitMs: 0, seed: 1 },
        2,
      );
      expect(used).toEqual(all.filter((tag) => tag !== withoutImage));
    }
  });

  it("that nobody could give are named by the error and stand in the ledger as not read", async () => {
    // The stream breaks for good at its third item.
    let cut: Outcome | undefined;
    for (let seed = 0; cut === undefined; seed++) {
      const outcome = await readAll(
        { seed, methods: { "st.frames": { disconnect: 0.7 } } },
        { attempts: 2, firstWaitMs: 0, seed: 1 },
        2,
      );
      if (outcome.used.length === 2) cut = outcome;
    }
    expect(cut).toMatchObject({ used: [1000, 1002], code: "UNREACHABLE", missing: [1004, 1006, 1008, 1010] });
  });
});
