import { describe, expect, it, vi } from "vitest";
import { Facility } from "../../../src/connect.ts";
import { SaclaError } from "../../../src/core/errors.ts";
import type { Ledger } from "../../../src/core/ledger.ts";
import { createSimulatedFacility, VirtualClock } from "../../../src/facility/index.ts";
import { type LiveShot, type LiveShotsOptions, type ReplayLiveOptions, replayLive } from "../../../src/live/index.ts";
import { mean, reduce } from "../../../src/reduce/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import type { StreamMethod, StreamParams } from "../../../src/transport/methods.ts";
import { withRetry } from "../../../src/transport/wrappers/with-retry.ts";
import { whileBeamRuns } from "../../support/beam.ts";
import { itInFull } from "../../support/full.ts";
import { TinySource, tinyPixel } from "../../support/tiny-source.ts";

const [bl, run, start, images] = [3, 10, 1000, 300];
const dual = "MPCCD-2N0-1-006";
const left = `${dual}-1`;
const right = `${dual}-2`;
const charge = "xfel_bl_3_tc_bm_1_pd/charge";
const pulses = "xfel_bl_3_st_2_motor_1/position";
const all = Array.from({ length: images }, (_, i) => start + 2 * i);

/** A run of 10 s at 30 Hz. The right sensor has no image at 1006 and 1300; every tenth charge did not converge. */
function stored(): TinySource {
  return new TinySource({
    3: [
      { run: run - 1, start: 500, images: 5 },
      { run, start, images, missingFrames: { [right]: [1006, 1300] } },
      { run: run + 1, start: 5000, images: 5 },
    ],
  })
    .setSignal(charge, "C", (tag) => (tag % 20 === 0 ? "not-converged" : tag * 1e-9))
    .setSignal(pulses, "pulse", (tag) => tag * 10);
}

interface Playing {
  readonly clock: VirtualClock;
  readonly facility: Facility;
  readonly source: TinySource;
}

async function play(options: Partial<ReplayLiveOptions> = {}, source = stored()): Promise<Playing> {
  const clock = new VirtualClock();
  return {
    clock,
    source,
    facility: new Facility(await replayLive(inProcess(endpointOf(source)), { bl, run, clock, ...options })),
  };
}

/** Takes shots, `busySeconds` of beam after each. */
async function take(
  { clock, facility }: Playing,
  options: Partial<LiveShotsOptions>,
  busySeconds: (index: number) => number = () => 0,
): Promise<{
  shots: (Pick<LiveShot, "tag" | "latencyMs" | "run" | "missing"> & { ids: string[] })[];
  ledger: Ledger;
  error: SaclaError | null;
}> {
  const live = facility.live.shots({ bl, detectors: [dual], ...options });
  const shots: (Pick<LiveShot, "tag" | "latencyMs" | "run" | "missing"> & { ids: string[] })[] = [];
  let error: SaclaError | null = null;
  const work = async (): Promise<void> => {
    for await (const { tag, latencyMs, run: of, images: pictures, missing } of live) {
      shots.push({ tag, latencyMs, run: of, ids: Object.keys(pictures), missing: missing ?? {} });
      for (const [id, image] of Object.entries(pictures)) expect(image.get(3, 2)).toBe(tinyPixel(id, tag, 3, 2));
      clock.advance(busySeconds(shots.length));
    }
  };
  await whileBeamRuns(
    clock,
    work().catch((thrown: SaclaError) => {
      error = thrown;
    }),
  );
  return { shots, ledger: live.ledger, error };
}

/** Every tag of the account, once: used or dropped. */
function accounted(shots: readonly { tag: number }[], { asked, used, dropped }: Ledger): number[] {
  const tags = [...shots.map(({ tag }) => tag), ...dropped.flatMap((each) => each.tags)].sort((a, b) => a - b);
  expect(shots.length).toBe(used);
  expect(asked).toBe(tags.length);
  expect(new Set(tags).size).toBe(tags.length);
  return tags;
}
const droppedFor = ({ dropped }: Ledger, reason: string): readonly number[] =>
  dropped.find((each) => each.reason === reason)?.tags ?? [];

describe("live.shots, every", () => {
  it("gives each shot of a run, in order, and what a detector did not store to the account", async () => {
    const { shots, ledger, error } = await take(await play(), { policy: "every", untilRunEnd: true });
    expect(error).toBeNull();
    expect(shots.map(({ tag }) => tag)).toEqual(all.filter((tag) => tag !== 1006 && tag !== 1300));
    expect(ledger).toEqual({ asked: 300, used: 298, dropped: [{ reason: "frame-missing", tags: [1006, 1300] }] });
    expect(new Set(shots.map((shot) => shot.run))).toEqual(new Set([run]));
  });

  it("gives a shot without the missing image under partial", async () => {
    const { shots, ledger } = await take(await play(), { policy: "every", untilRunEnd: true, missing: "partial" });
    expect([shots.length, ledger.dropped]).toEqual([300, []]);
    expect(shots[3]?.ids).toEqual([left]);
    expect(shots[4]?.ids).toEqual([left, right]);
    expect([shots[3]?.missing, shots[4]?.missing]).toEqual([{ [right]: "frame-missing" }, {}]);
  });

  it("loses no shot while a stall is shorter than the facility's memory", async () => {
    // A full second, every 40th shot, against two seconds of memory.
    const { shots, ledger } = await take(
      await play(),
      { policy: "every", untilRunEnd: true, missing: "partial" },
      (i) => (i % 40 === 0 ? 1 : 0),
    );
    expect(shots.map(({ tag }) => tag)).toEqual(all);
    expect(ledger.dropped).toEqual([]);
  });

  it("counts exactly the shots that a longer stall loses", async () => {
    const { shots, ledger } = await take(
      await play(),
      { policy: "every", untilRunEnd: true, missing: "partial" },
      (i) => (i === 50 ? 4 : 0),
    );
    expect(accounted(shots, ledger)).toEqual(all);
    const gone = droppedFor(ledger, "data-gone");
    // Four seconds are 120 shots, of which the memory of two seconds holds 60.
    expect(gone.length).toBeGreaterThanOrEqual(58);
    expect(gone.length).toBeLessThanOrEqual(66);
    expect(gone[0]).toBe((shots[49]?.tag ?? 0) + 2);
    expect(gone).toEqual(all.slice(50, 50 + gone.length));
  });

  it("tells at the end of the run what was lost before it", async () => {
    const { shots, ledger, error } = await take(
      await play(),
      { policy: "every", untilRunEnd: true, missing: "partial" },
      (i) => (i === 250 ? 30 : 0),
    );
    expect(error).toBeNull();
    expect(shots.length).toBe(250);
    expect(accounted(shots, ledger)).toEqual(all);
    expect(droppedFor(ledger, "data-gone")).toEqual(all.slice(250));
  });

  it("does not take a gap in the tags for lost shots", async () => {
    const source = stored();
    const paused = source.tags(bl, run).filter((tag) => tag < 1100 || tag >= 1400);
    source.tags = (): Uint32Array => paused;
    const { shots, ledger } = await take(await play({}, source), {
      policy: "every",
      untilRunEnd: true,
      timeoutMs: 20_000,
    });
    expect(shots.map(({ tag }) => tag)).toEqual([...paused]);
    expect(ledger.asked).toBe(paused.length);
  });
});

describe("live.shots, newest", () => {
  it("gives fresh shots to a slow reader, and counts what it skipped", async () => {
    const { shots, ledger } = await take(
      await play(),
      { untilRunEnd: true, missing: "partial", maxWaitMs: 200 },
      () => 0.5,
    );
    expect(shots.length).toBeGreaterThan(15);
    expect(shots.length).toBeLessThan(23);
    expect(Math.max(...shots.map(({ latencyMs }) => latencyMs))).toBeLessThan(120);
    expect(accounted(shots, ledger)).toEqual(all.slice(0, all.indexOf(shots.at(-1)?.tag ?? 0) + 1));
    expect(shots.at(-1)?.tag).toBe(all.at(-1));
    expect(ledger.dropped.map(({ reason }) => reason)).toEqual(["skipped"]);
  });

  it("skips nothing for a reader that keeps up", async () => {
    const { shots, ledger } = await take(await play(), { untilRunEnd: true, missing: "partial" });
    expect(shots.map(({ tag }) => tag)).toEqual(all);
    expect(ledger.dropped).toEqual([]);
  });

  it("calls those forgotten that were skipped long ago, and ends with the run it began in", async () => {
    const playing = await play({ memorySeconds: 0.5 });
    const { shots, ledger } = await take(playing, { untilRunEnd: true, missing: "partial" }, (i) =>
      i === 3 ? 100 : 0,
    );
    expect(shots.length).toBe(3);
    expect(accounted(shots, ledger)).toEqual(all);
    expect(droppedFor(ledger, "data-gone").length).toBe(297);
  });
});

describe("0-D values of live shots", () => {
  const values = async (
    playing: Playing,
    maxWaitMs: number,
  ): Promise<{ tag: number; latencyMs: number; read: unknown[] }[]> => {
    const found: { tag: number; latencyMs: number; read: unknown[] }[] = [];
    const shots = playing.facility.live.shots({
      bl,
      detectors: [left],
      signals: [charge, pulses],
      policy: "every",
      maxWaitMs,
      limit: 30,
    });
    const work = async (): Promise<void> => {
      for await (const shot of shots)
        found.push({ tag: shot.tag, latencyMs: shot.latencyMs, read: [shot.value(charge), shot.number(pulses)] });
    };
    await whileBeamRuns(playing.clock, work());
    return found;
  };

  it("are waited for and belong to the tag of the image", async () => {
    const shots = await values(await play({ valueDelayMs: 400 }), 1000);
    for (const { tag, read, latencyMs } of shots) {
      const recorded = tag % 20 === 0 ? { reason: "not-converged" } : { value: tag * 1e-9, unit: "C" };
      expect(read).toEqual([recorded, tag * 10]);
      expect(latencyMs).toBeGreaterThanOrEqual(399);
      expect(latencyMs).toBeLessThan(450);
    }
  });

  it("that come too late are called late, and the shot is given in time without them", async () => {
    const shots = await values(await play({ valueDelayMs: 400 }), 300);
    for (const { read, latencyMs } of shots) {
      expect(read).toEqual([{ reason: "late" }, NaN]);
      expect(latencyMs).toBeGreaterThanOrEqual(299);
      expect(latencyMs).toBeLessThan(350);
    }
  });

  it("cannot be read when they were not asked for, or of a signal that is not there", async () => {
    const playing = await play();
    const [shot] = await firstShots(playing, 1);
    expect(() => shot?.value("other")).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    const { error } = await take(playing, { signals: ["nothing"] });
    expect(error).toMatchObject({ name: "live.APIError", code: "UNKNOWN_SIGNAL" });
  });
});

async function firstShots({ clock, facility }: Playing, limit: number): Promise<LiveShot[]> {
  const shots: LiveShot[] = [];
  const work = async (): Promise<void> => {
    for await (const shot of facility.live.shots({ bl, detectors: [left], limit })) shots.push(shot);
  };
  await whileBeamRuns(clock, work());
  return shots;
}

describe("live.shots, when something goes wrong", () => {
  it("ends with TIMEOUT when no shot comes, and with ABORTED when told to", async () => {
    const playing = await play();
    await firstShots(playing, 2);
    // The clock stands still: the beam has stopped.
    const shots = playing.facility.live.shots({ bl, detectors: [left], policy: "every", timeoutMs: 50 });
    await expect(shots[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "TIMEOUT" });
    const controller = new AbortController();
    const next = playing.facility.live
      .shots({ bl, detectors: [left], policy: "every", signal: controller.signal })
      [Symbol.asyncIterator]()
      .next();
    setTimeout(() => controller.abort(), 20);
    await expect(next).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("ends with CLOSED when the facility is closed while it waits", async () => {
    const { facility } = await play();
    const warned = vi.fn();
    process.on("warning", warned);
    const shots = facility.live.shots({ bl, detectors: [left] });
    const many = Array.from({ length: 30 }, () => shots[Symbol.asyncIterator]().next());
    setTimeout(() => void facility.close(), 20);
    for (const outcome of await Promise.allSettled(many))
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "CLOSED" } });
    process.off("warning", warned);
    expect(warned).not.toHaveBeenCalled();
  });

  it("hands on the error of a source that dies, with the account so far", async () => {
    const source = stored();
    const read = source.readFrame.bind(source);
    source.readFrame = (...args): boolean => {
      if (args[3] >= 1040) throw new Error("the storage is gone");
      return read(...args);
    };
    const { shots, ledger, error } = await take(await play({}, source), { policy: "every", missing: "partial" });
    expect(error).toMatchObject({ code: "INTERNAL", message: expect.stringContaining("the storage is gone") });
    expect([shots.length, ledger.used]).toEqual([20, 20]);
  });

  it("goes on after a broken connection, each shot once", async () => {
    // Beam time flies while the retry waits, so the memory is a long one here.
    const playing = await play({ memorySeconds: 1000 });
    const inner = playing.facility.endpoint;
    let items = 0;
    const breaking: Endpoint = {
      call: (...args) => inner.call(...args),
      close: () => inner.close(),
      stream: async function* <M extends StreamMethod>(method: M, params: StreamParams<M>, options?: object) {
        for await (const item of inner.stream(method, params, options)) {
          if (++items % 17 === 0) throw new SaclaError("UNREACHABLE", "cut");
          yield item;
        }
      },
    };
    const facility = new Facility(withRetry(breaking, { firstWaitMs: 1, seed: 1 }));
    const { shots, ledger } = await take(
      { ...playing, facility },
      { policy: "every", untilRunEnd: true, missing: "partial" },
    );
    expect(shots.map(({ tag }) => tag)).toEqual(all);
    expect([ledger.dropped, items]).toEqual([[], 318]);
  });

  it("refuses bad options, unknown and composite detectors, and sources without live shots", async () => {
    const { facility } = await play();
    const bad: object[] = [
      { policy: "all" },
      { limit: 0 },
      { maxWaitMs: -1 },
      { missing: "error" },
      { speed: 1 },
      { timeoutMs: -1 },
    ];
    for (const options of bad)
      expect(() => facility.live.shots({ bl, ...options })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    const firstOf = async (detectors: string[], where: Facility, of = bl): Promise<unknown> =>
      await where.live.shots({ bl: of, detectors })[Symbol.asyncIterator]().next();
    await expect(firstOf(["MPCCD-9"], facility)).rejects.toMatchObject({
      name: "live.APIError",
      code: "UNKNOWN_DETECTOR",
      // Whole detectors are listed, not their sensors.
      message: expect.stringContaining(left.replace(/-1$/, "")),
    });
    await expect(firstOf([left], facility, 7)).rejects.toMatchObject({ code: "UNKNOWN_BEAMLINE" });
    const archive = new Facility(inProcess(endpointOf(stored())));
    await expect(firstOf([left], archive)).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("sacla replay-live"),
    });
    expect(
      (await archive.endpoint.call("facility.describe", {})).methods.filter((method) => method.startsWith("live.")),
    ).toEqual([]);
  });
});

describe("what is built on shots of runs", () => {
  it("works on live ones unchanged: reduce gives the same mean and the whole account", async () => {
    const playing = await play();
    const { clock, facility } = playing;
    const live = await whileBeamRuns(
      clock,
      reduce(facility.live.shots({ bl, detectors: [dual], policy: "every", untilRunEnd: true }), { average: mean() }),
    );
    clock.advance(10);
    const later = await reduce(facility.st.shots({ run: { bl, number: run }, detectors: [dual] }), { average: mean() });
    expect(live.ledger).toEqual(later.ledger);
    expect(live.ledger.asked).toBe(300);
    for (const sensor of [left, right]) expect(live.average[sensor]?.data).toEqual(later.average[sensor]?.data);
  });
});

describe("the simulated facility, live", () => {
  const camera = "OPAL-234363";

  itInFull(
    "gives shots of runs as they happen, none while a run is paused or over, and images equal to those read later",
    async () => {
      const clock = new VirtualClock();
      const facility = new Facility(inProcess(endpointOf(createSimulatedFacility({ clock, missingRate: 0, seed: 3 }))));
      const shots = facility.live.shots({
        bl: 3,
        detectors: [camera],
        signals: [charge],
        policy: "every",
        untilRunEnd: true,
      });
      const sums = new Map<number, number>();
      const work = async (): Promise<void> => {
        for await (const shot of shots) {
          expect(shot.run).toBe(1_520_001);
          expect("value" in shot.value(charge)).toBe(true);
          sums.set(shot.tag, sumOf(shot.images[camera]?.data));
        }
      };
      await whileBeamRuns(clock, work());
      const tags = await facility.db.readTaglistByrun(3, 1_520_001);
      expect(shots.ledger).toEqual({ asked: tags.length, used: tags.length, dropped: [] });
      expect([...sums.keys()]).toEqual([...tags]);
      for await (const shot of facility.shots({
        run: { bl: 3, number: 1_520_001 },
        detectors: [camera],
        tags: tags.slice(0, 5),
      })) {
        expect(sumOf(shot.images[camera]?.data)).toBe(sums.get(shot.tag));
      }
    },
  );

  it("follows from one run into the next unless told to end", async () => {
    const clock = new VirtualClock();
    const facility = new Facility(inProcess(endpointOf(createSimulatedFacility({ clock, missingRate: 0 }))));
    const runs = new Set<number>();
    const work = async (): Promise<void> => {
      for await (const { run: of } of facility.live.shots({ bl: 2, policy: "newest" })) {
        runs.add(of);
        clock.advance(0.9);
        if (runs.size === 2) return;
      }
    };
    await whileBeamRuns(clock, work());
    expect([...runs]).toEqual([229_001, 229_002]);
  });
});

function sumOf(data: ArrayLike<number> | undefined): number {
  let sum = 0;
  for (let i = 0; i < (data?.length ?? 0); i++) sum += data?.[i] ?? 0;
  return sum;
}

it("leaves turns to others between the images of a shot, where each takes its time", async () => {
  const source = createSimulatedFacility();
  const { live } = source;
  if (live === undefined) throw new Error("the simulated facility is live");
  let others = 0;
  let isOver = false;
  const count = (): void => {
    others++;
    if (!isOver) setImmediate(count);
  };
  const seen: number[] = [];
  vi.spyOn(live, "readFrame").mockImplementation(() => {
    seen.push(others);
    for (const until = performance.now() + 15; performance.now() < until; );
    return true;
  });
  await using facility = new Facility(endpointOf(source));
  setImmediate(count);
  for await (const shot of facility.live.shots({ bl: 3, detectors: ["MPCCD-8N0-3-002"], limit: 1 }))
    expect(Object.keys(shot.images)).toHaveLength(8);
  isOver = true;
  expect(new Set(seen).size).toBe(8);
  vi.restoreAllMocks();
});
