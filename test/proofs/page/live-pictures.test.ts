import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import ndarray from "ndarray";
import { afterEach, expect, it, vi } from "vitest";
import { connect } from "../../../src/connect.ts";
import { contiguous, type Pixels, shapeOf } from "../../../src/core/ndarray.ts";
import type { Shot } from "../../../src/core/shots.ts";
import { Arena } from "../../../src/core/wasm.ts";
import { Db } from "../../../src/db/index.ts";
import { Live } from "../../../src/live/index.ts";
import { LivePictures } from "../../../src/page/live-pictures.ts";
import { PageDetector } from "../../../src/page/page-detector.ts";
import { PumpLabels } from "../../../src/page/pump-labels.ts";
import { WholePicture } from "../../../src/page/shown.ts";
import { histogram, type ImageStack, reduce, shotsFrom } from "../../../src/reduce/index.ts";

const look = { region: null, side: 100, rois: [], profile: null };

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Time passes only where it is let, so that none is lost while something is computed, or this process is halted. */
function stopTime(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"] });
}

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 2) {
    await vi.advanceTimersByTimeAsync(2);
    // Others, which have a time of their own, go on meanwhile.
    await sleep(2);
  }
}

/** Lets time pass until there is an answer. */
async function soon<T>(answer: Promise<T>): Promise<T> {
  let isThere = false;
  const end = (): void => {
    isThere = true;
  };
  answer.then(end, end);
  while (!isThere) await pass(2);
  return await answer;
}

it("LivePictures waits for the first picture as for any other", async () => {
  await using facility = await connect("sim:?clock=virtual");
  // No shot comes.
  const endpoint: typeof facility.endpoint = {
    call: async (method, params, options) => await facility.endpoint.call(method, params, options),
    stream: (_method, _params, options) => ({
      async *[Symbol.asyncIterator]() {
        await new Promise((resolve) => options?.signal?.addEventListener("abort", resolve));
      },
    }),
    close: async () => {},
  };
  const subject = { bl: 3, detId: "MPCCD-2N0-M02-001", dark: null, mean: 1, what: "all", hits: null } as const;
  const pictures = new LivePictures({ ...facility, live: new Live(endpoint) }, subject);
  const stop = new AbortController();
  // A number from before the server was started says as little as none.
  const asked = [null, 17].map((after) => pictures.next({ ...subject, ...look, after, waitMs: 600_000 }, stop.signal));
  let answers = 0;
  for (const answer of asked) void answer.then(() => answers++);
  for (let turn = 0; turn < 50; turn++) await setImmediate();
  expect(answers).toBe(0);
  stop.abort();
  expect((await Promise.all(asked)).map(({ frame }) => frame)).toEqual([null, null]);
  pictures.close();
});

it("LivePictures says why no shot comes", async () => {
  stopTime();
  await using facility = await connect("sim:?clock=virtual");
  const endpoint: typeof facility.endpoint = {
    call: async (method, params, options) =>
      (method === "db.readRunstatus" ? 1 : await facility.endpoint.call(method, params, options)) as never,
    stream: (_method, _params, options) => ({
      async *[Symbol.asyncIterator]() {
        await new Promise((resolve) => options?.signal?.addEventListener("abort", resolve));
      },
    }),
    close: async () => {},
  };
  const subject = { bl: 3, detId: "MPCCD-2N0-M02-001", dark: null, mean: 1, what: "all", hits: null } as const;
  const source = { ...facility, db: new Db(endpoint), live: new Live(endpoint) };
  const pictures = new LivePictures(source, subject);
  const told = [];
  for (let n = 0; n < 4; n++)
    told.push((await soon(pictures.next({ ...subject, ...look, after: null, waitMs: 800 }, undefined))).quiet);
  const run = await facility.db.readRunnumberNewest(3);
  expect([told[0], told[3]]).toEqual([null, `run ${run} is paused`]);
  pictures.close();
});

it("LivePictures says why shots that come cannot be compared", async () => {
  await using facility = await connect("sim:");
  const said = async (what: "difference" | "difference-i0", label: "on" | null) => {
    const of = vi.spyOn(PumpLabels.prototype, "of").mockReturnValue(label);
    const subject = { bl: 3, detId: "MPCCD-2N0-M02-001-1", dark: null, mean: 1, what, hits: null } as const;
    const pictures = new LivePictures(facility, subject);
    let answer = await pictures.next({ ...subject, ...look, after: null, waitMs: 1000 }, undefined);
    // On a slow computer it may say first that no shot has come for a while.
    while (!/shots/.test(answer.quiet ?? "no shot") && answer.frame === null)
      answer = await pictures.next({ ...subject, ...look, after: null, waitMs: 1000 }, undefined);
    pictures.close();
    of.mockRestore();
    return answer;
  };
  expect((await said("difference", null)).quiet).toContain("neither pumped nor unpumped");
  expect((await said("difference-i0", "on")).quiet).toMatch(/only pumped shots|above 0 to divide by/);
});

it("LivePictures reads no shot before somebody has seen the picture of the one before", async () => {
  stopTime();
  await using facility = await connect("sim:");
  let read = 0;
  const endpoint: typeof facility.endpoint = {
    call: async (method, params, options) => await facility.endpoint.call(method, params, options),
    stream: (method, params, options) => {
      read++;
      return facility.endpoint.stream(method, params, options);
    },
    close: async () => {},
  };
  const subject = { bl: 3, detId: "MPCCD-2N0-M02-001-1", dark: null, mean: 1, what: "all", hits: null } as const;
  const pictures = new LivePictures({ ...facility, live: new Live(endpoint) }, subject);
  const ask = async (after: number | null) =>
    await pictures.next({ ...subject, ...look, after, waitMs: 10_000 }, undefined);
  const next = async (after: number | null) => await soon(ask(after));
  const first = await next(null);
  // Who comes later is given the same; there is time for four pictures.
  const other = ask(null);
  await pass(300);
  expect(read).toBe(1);
  expect((await other).frame?.seq).toBe(first.frame?.seq);
  const second = await next(first.frame?.seq ?? null);
  expect([second.frame?.seq, read]).toEqual([(first.frame?.seq ?? 0) + 1, 2]);
  pictures.close();
});

it("LivePictures reads one shot ahead of who asks again and again, and does not show it when it has become old", async () => {
  stopTime();
  await using facility = await connect("sim:");
  const read: (number | null)[] = [];
  const endpoint: typeof facility.endpoint = {
    call: async (method, params, options) => await facility.endpoint.call(method, params, options),
    stream: (method, params, options) => ({
      async *[Symbol.asyncIterator]() {
        for await (const item of facility.endpoint.stream(method, params, options)) {
          read.push((item as { tag: number | null }).tag);
          yield item;
        }
      },
    }),
    close: async () => {},
  };
  const subject = { bl: 3, detId: "MPCCD-2N0-M02-001-1", dark: null, mean: 1, what: "all", hits: null } as const;
  const pictures = new LivePictures({ ...facility, live: new Live(endpoint) }, subject);
  const next = async (after: number | null) =>
    (await soon(pictures.next({ ...subject, ...look, after, waitMs: 10_000 }, undefined))).frame;
  let frame = await next(null);
  frame = await next(frame?.seq ?? null);
  const soFar = read.length;
  // There is time for six.
  await pass(300);
  expect([frame?.seq, read.length]).toEqual([2, soFar + 1]);
  frame = await next(2);
  expect([frame?.seq, frame?.tag]).toEqual([3, read[soFar + 1]]);
  pictures.close();
});

it("LivePictures makes each picture once for twenty viewers, and waits for none that has stalled", async () => {
  await using facility = await connect("sim:");
  const [assembled, cut, numbers] = [
    vi.spyOn(PageDetector.prototype, "picture"),
    vi.spyOn(WholePicture.prototype, "part"),
    vi.spyOn(PageDetector.prototype, "numbers"),
  ];
  const subject = { bl: 3, detId: "MPCCD-2N0-M02-001-1", dark: null, mean: 1, what: "all", hits: null } as const;
  const pictures = new LivePictures(facility, subject);
  const profile = { unit: "r_mm", distanceMm: null, photonEnergyEv: null } as const;
  const next = async (after: number | null) =>
    (await pictures.next({ ...subject, ...look, profile, after, waitMs: 10_000 }, undefined)).frame;
  // The first of them is given a picture and asks no more.
  const stalled = await next(null);
  const viewers = Array.from({ length: 20 }, async () => {
    const seen: number[] = [];
    for (let frame = stalled; seen.length < 4; seen.push(frame?.seq ?? NaN)) frame = await next(frame?.seq ?? null);
    return seen;
  });
  const seen = await Promise.all(viewers);
  const newest = Math.max(...seen.flat());
  for (const one of seen) expect(one).toEqual(one.toSorted((a, b) => a - b));
  expect(assembled.mock.calls.length).toBeLessThanOrEqual(newest + 1);
  expect(cut.mock.calls.length).toBeLessThanOrEqual(newest);
  expect(numbers.mock.calls.length).toBeLessThanOrEqual(newest);
  pictures.close();
});

it("LivePictures gives a picture before its curves, and the newest curves with later ones", async () => {
  stopTime();
  await using facility = await connect("sim:");
  const numbers = vi.spyOn(PageDetector.prototype, "numbers");
  const subject = { bl: 3, detId: "MPCCD-2N0-M02-001-1", dark: null, mean: 1, what: "all", hits: null } as const;
  const pictures = new LivePictures(facility, subject);
  const next = async (after: number | null) =>
    (await soon(pictures.next({ ...subject, ...look, after, waitMs: 10_000 }, undefined))).frame;
  const first = await next(null);
  // While the picture is sent nothing is computed: that would keep its last bytes back.
  await pass(50);
  expect([first?.numbers, numbers.mock.calls.length]).toEqual([null, 0]);
  const second = await next(first?.seq ?? null);
  expect(second?.numbers?.tag).toBe(first?.tag);
  const { counts = new Float64Array(0) } = second?.numbers?.histogram ?? {};
  expect(counts.reduce((sum, n) => sum + n, 0)).toBeGreaterThan(500_000);
  pictures.close();
});

it("LivePictures does not let pictures wait for what the first profile needs", async () => {
  await using facility = await connect("sim:");
  const numbers = vi.spyOn(PageDetector.prototype, "numbers");
  const { makeReadyFor } = PageDetector.prototype;
  let go = (): void => {};
  const mayBeMade = new Promise<void>((resolve) => {
    go = resolve;
  });
  vi.spyOn(PageDetector.prototype, "makeReadyFor").mockImplementation(async function (this: PageDetector, axis) {
    await mayBeMade;
    await makeReadyFor.call(this, axis);
  });
  const subject = { bl: 3, detId: "MPCCD-2N0-M02-001", dark: null, mean: 1, what: "all", hits: null } as const;
  const pictures = new LivePictures(facility, subject);
  const profile = { unit: "r_mm", distanceMm: null, photonEnergyEv: null } as const;
  const next = async (after: number | null) =>
    (await pictures.next({ ...subject, ...look, profile, after, waitMs: 10_000 }, undefined)).frame;
  const first = await next(null);
  let frame = await next(first?.seq ?? null);
  expect([frame?.numbers, numbers.mock.calls.length]).toEqual([null, 0]);
  go();
  while (frame !== null && frame.numbers === null) frame = await next(frame.seq);
  expect(frame?.numbers?.profile?.mean.some((value) => value > 0)).toBe(true);
  pictures.close();
});

it("PageDetector keeps the places of the pixels from run to run of the same detector", async () => {
  await using facility = await connect("sim:?clock=virtual");
  const { db, st } = facility;
  const newest = await db.readRunnumberNewest(3);
  const [run, next] = [await db.run(3, newest - 2), await db.run(3, newest - 1)];
  const first = await PageDetector.open(st, run, "MPCCD-8N0-3-002", null);
  expect(await PageDetector.open(st, next, "MPCCD-8N0-3-002", null, { before: first })).toBe(first);
  const before = await PageDetector.open(st, run, "MPCCD-8N0-3-002-1", null);
  expect(await PageDetector.open(st, next, "MPCCD-8N0-3-002", null, { before })).not.toBe(before);
});

it("PageDetector has the histogram where the bad pixels, which only a profile needs, cannot be had", async () => {
  await using facility = await connect("sim:?clock=virtual");
  const { db, st } = facility;
  const run = await db.run(3, (await db.readRunnumberNewest(3)) - 1);
  const badPixels = vi.spyOn(run, "badPixels").mockRejectedValue(new Error("not today"));
  const id = "MPCCD-8N0-3-002-1";
  const detector = await PageDetector.open(st, run, id, null);
  for await (const { tag, images } of st.shots({ run, detectors: [id], tags: [(await run.tags()).at(-1) ?? NaN] })) {
    const { histogram, profile } = await detector.numbers({ tag, images }, null);
    expect([histogram.counts.some((count) => count > 0), profile]).toEqual([true, null]);
    const axis = { unit: "r_mm", distanceMm: null, photonEnergyEv: null } as const;
    await expect(detector.numbers({ tag, images }, axis)).rejects.toThrow("not today");
  }
  expect(badPixels).toHaveBeenCalledTimes(1);
});

it("PageDetector makes numbers of one shot after another, and of two at once, without memory of their own", async () => {
  await using facility = await connect("sim:?clock=virtual");
  const { db, st } = facility;
  const run = await db.run(3, (await db.readRunnumberNewest(3)) - 1);
  const detector = await PageDetector.open(st, run, "MPCCD-8N0-3-002", null);
  const tags = (await run.tags()).slice(-2);
  const shots: Shot[] = [];
  for await (const shot of st.shots({ run, detectors: [...detector.group.sensors], tags })) shots.push(shot.keep());
  const expected = [];
  for (const { tag, images } of shots) {
    const alone = shotsFrom(
      Object.fromEntries(
        Object.entries(images).map(([id, image]) => [
          id,
          ndarray<Pixels>(contiguous(image), [1, ...shapeOf(id, image)]) as ImageStack,
        ]),
      ),
      { tags: [tag] },
    );
    const { adu } = await reduce(alone, { adu: histogram({ from: -100, to: 4000, binWidth: 1 }) });
    const sums = new Float64Array(4101);
    for (const { counts } of Object.values(adu)) for (const [i, n] of counts.entries()) sums[i] = (sums[i] ?? 0) + n;
    expected.push(sums);
  }
  const numbers = async () =>
    (await Promise.all(shots.map(async (shot) => await detector.numbers(shot, null)))).map(
      ({ histogram: { counts } }) => counts,
    );
  expect(expected[0]).not.toEqual(expected[1]);
  expect(await numbers()).toEqual(expected);
  const arenas = vi.spyOn(Arena.prototype, "allocate");
  expect(await numbers()).toEqual(expected);
  expect(new Set(arenas.mock.contexts).size).toBe(2);
  const before = new Set(arenas.mock.contexts);
  expect(await numbers()).toEqual(expected);
  expect(new Set(arenas.mock.contexts)).toEqual(before);
});
