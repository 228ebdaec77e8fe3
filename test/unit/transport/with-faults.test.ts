import { describe, expect, it } from "vitest";
import { isSaclaError } from "../../../src/core/errors.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { type FaultOptions, withFaults } from "../../../src/transport/wrappers/with-faults.ts";
import { bareShot, ScriptedEndpoint } from "../../support/scripted-endpoint.ts";
import { tinySource } from "../../support/tiny-source.ts";

const of = { bl: 3, run: 10 };
const frames = (...tags: number[]) => ({ ...of, detIds: ["A"], tags: Uint32Array.from(tags), roi: null });
const tags = Array.from({ length: 40 }, (_, i) => i);
const oneStream = () => new ScriptedEndpoint({ calls: [7], streams: [tags.map(bareShot)] });

/** What a reader sees of a call: its answer, or the code of its error. */
async function outcome(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    return isSaclaError(error) ? error.code : String(error);
  }
}

async function seen(endpoint: Endpoint, timeoutMs?: number): Promise<(number | string)[]> {
  const all: (number | string)[] = [];
  const reading = (async () => {
    for await (const { tag } of endpoint.stream("st.frames", frames(...tags), { timeoutMs })) all.push(tag);
    return "end";
  })();
  all.push(String(await outcome(reading)));
  return all;
}

describe("withFaults", () => {
  it("does nothing of its own accord", async () => {
    const endpoint = withFaults(oneStream(), { seed: 1 });
    expect(await endpoint.call("db.readRunstatus", of)).toBe(7);
    expect(await seen(endpoint)).toEqual([...tags, "end"]);
  });

  it("follows from its seed, whatever the timing and whatever else is asked in between", async () => {
    const faults = (seed: number): FaultOptions => ({
      seed,
      disconnect: 0.3,
      methods: { "st.frames": { loss: 0.1, duplicate: 0.2, reorder: 0.2, disconnect: 0.01 } },
    });
    const session = async (seed: number, together: boolean): Promise<unknown> => {
      const endpoint = withFaults(oneStream(), faults(seed));
      const asking = Array.from({ length: 30 }, () => () => outcome(endpoint.call("db.readRunstatus", of)));
      if (together) return await Promise.all([seen(endpoint), ...asking.map((ask) => ask())]);
      const answers: unknown[] = [];
      for (const ask of asking) answers.push(await ask());
      return [await seen(endpoint), ...answers];
    };
    const first = await session(4, false);
    expect(await session(4, false)).toEqual(first);
    expect(await session(4, true)).toEqual(first);
    expect(await session(5, false)).not.toEqual(first);
  });

  it("strikes as often as it is told", async () => {
    const endpoint = withFaults(oneStream(), { seed: 1, disconnect: 0.2 });
    let broken = 0;
    for (let n = 0; n < 2000; n++)
      if ((await outcome(endpoint.call("db.readRunstatus", of))) === "UNREACHABLE") broken++;
    // 400 ± 18; five times that.
    expect(Math.abs(broken - 400)).toBeLessThan(90);
  });

  it("takes the shares of a method in the place of the general ones", async () => {
    const endpoint = withFaults(oneStream(), { seed: 1, disconnect: 1, methods: { "db.readRunstatus": {} } });
    expect(await outcome(endpoint.call("db.readRunstatus", of))).toBe(7);
    expect(await outcome(endpoint.call("db.readComment", of))).toBe("UNREACHABLE");
  });

  it("breaks off: before or after the question reached the source", async () => {
    const inner = oneStream();
    const endpoint = withFaults(inner, { seed: 1, disconnect: 1 });
    for (let n = 0; n < 100; n++) expect(await outcome(endpoint.call("db.readRunstatus", of))).toBe("UNREACHABLE");
    expect(inner.asked.length).toBeGreaterThan(25);
    expect(inner.asked.length).toBeLessThan(75);
    expect(await seen(endpoint)).toEqual(["UNREACHABLE"]);
  });

  it("loses answers for good, and items with no gap in time", async () => {
    const endpoint = withFaults(oneStream(), { seed: 1, loss: 1, methods: { "st.frames": { loss: 0.3 } } });
    expect(await outcome(endpoint.call("db.readRunstatus", of, { timeoutMs: 20 }))).toBe("TIMEOUT");
    const rest = await seen(endpoint);
    expect(rest.at(-1)).toBe("end");
    expect(rest.length).toBeGreaterThan(15);
    expect(rest.length).toBeLessThan(40);
    expect(rest.slice(0, -1)).toEqual(tags.filter((tag) => rest.includes(tag)));
  });

  it("gives items twice, asks calls twice", async () => {
    const inner = oneStream();
    const endpoint = withFaults(inner, { seed: 1, duplicate: 1 });
    expect(await seen(endpoint)).toEqual([...tags.flatMap((tag) => [tag, tag]), "end"]);
    inner.asked.length = 0;
    expect(await endpoint.call("db.readRunstatus", of)).toBe(7);
    expect(inner.asked).toHaveLength(2);
  });

  it("changes the places of neighbours, with the right pixels in each", async () => {
    const endpoint = withFaults(inProcess(endpointOf(tinySource())), { seed: 1, reorder: 1 });
    const pixels: [number, number][] = [];
    const params = { ...frames(1000, 1002, 1004, 1006, 1008), detIds: ["MPCCD-2N0-1-006-1"] };
    const room = new Float32Array(12);
    for await (const { tag, frames: got } of endpoint.stream("st.frames", params, { memory: () => room }))
      pixels.push([tag, got[0]?.data[0] ?? NaN]);
    // A lone last item comes at the end.
    expect(pixels).toEqual([1002, 1000, 1006, 1004, 1008].map((tag) => [tag, (tag % 1000) * 1000 + 100]));
  });

  it("falls silent until the deadline", async () => {
    const endpoint = withFaults(oneStream(), { seed: 1, stall: 0.1 });
    const some = await seen(endpoint, 30);
    expect(some.at(-1)).toBe("TIMEOUT");
    expect(some.slice(0, -1)).toEqual(tags.slice(0, some.length - 1));
  });

  it("comes late, and not too late", async () => {
    const endpoint = withFaults(oneStream(), { seed: 1, delay: 1, delayMs: 60 });
    const started = performance.now();
    for (let n = 0; n < 5; n++) expect(await endpoint.call("db.readRunstatus", of)).toBe(7);
    // Five delays of 0 to 60 ms by the seed; that they are there, not how long the machine takes.
    expect(performance.now() - started).toBeGreaterThan(60);
    expect(await seen(withFaults(oneStream(), { seed: 1, delay: 1, delayMs: 2 }))).toEqual([...tags, "end"]);
  });

  it("damages one byte: BAD_MESSAGE, or another value that still fits the method", async () => {
    const truth = await inProcess(endpointOf(tinySource())).call("db.readTaglistByrun", of);
    const endpoint = withFaults(inProcess(endpointOf(tinySource())), { seed: 1, corrupt: 1 });
    let wrong = 0;
    for (let n = 0; n < 300; n++) {
      const answer = await outcome(endpoint.call("db.readTaglistByrun", of));
      expect(answer).not.toEqual(truth);
      if (answer instanceof Uint32Array) wrong++;
      else expect(answer).toBe("BAD_MESSAGE");
    }
    expect(wrong).toBeGreaterThan(10);
    expect(wrong).toBeLessThan(290);
  });

  it.each([
    { seed: 1, loss: 2 },
    { seed: 1, loss: -0.1 },
    { seed: 0.5 },
    { seed: 1, lost: 0.1 },
    { seed: 1, methods: { "db.none": {} } },
    { seed: 1, methods: { "st.frames": { loss: NaN } } },
  ])("refuses %j", (options) => {
    expect(() => withFaults(oneStream(), options as FaultOptions)).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
  });
});
