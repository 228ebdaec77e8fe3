import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { connect, type Facility } from "../../../src/connect.ts";
import type { Ledger } from "../../../src/core/ledger.ts";
import type { LiveShotsOptions } from "../../../src/live/index.ts";
import { itWithGateway, startGateway } from "../../support/gateway.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinyPixel } from "../../support/tiny-source.ts";

const bl = 3;
const dual = "MPCCD-2N0-1-006";
const left = `${dual}-1`;
const right = `${dual}-2`;
const pulses = "xfel_bl_3_st_2_motor_1/position";
// Run 20 of gateway/tests/odd/_world.py: 30 Hz, no beam from 4060 to 4078, three images of the right sensor never
// stored.
const run = 20;
const end = 4200;
const unstored = [4006, 4100, 4102];
const shotsOfRun = Array.from({ length: 100 }, (_, i) => 4000 + 2 * i).filter((tag) => tag < 4060 || tag >= 4080);

/** The clock of the stand-ins: time goes on when the test says so. */
class Beam {
  readonly path = join(temporaryFolder(), "beam.json");
  now = 0;

  constructor(now: number) {
    this.go(now);
  }

  go(now: number, values: number = now): void {
    this.now = now;
    writeFileSync(`${this.path}.new`, JSON.stringify({ now, values, epoch: 1e9 }));
    renameSync(`${this.path}.new`, this.path);
  }
}

async function gatewayAt(beam: Beam): Promise<Facility> {
  const facility = await connect(await startGateway([], { SACLA_STANDIN_BEAM: beam.path }));
  // The process that reads live is started by the first question to it.
  expect(await facility.live.readDetidlist(bl)).toContain(left);
  return facility;
}

/**
 * Follows the run to its end. The beam goes on until it is 15 shots ahead, more than its pause is long, so that nothing
 * depends on speed.
 */
async function followToTheEnd(
  beam: Beam,
  facility: Facility,
  options: Partial<LiveShotsOptions>,
  onShot: (index: number, tag: number) => void = () => {},
): Promise<{ tags: number[]; ids: string[][]; ledger: Ledger }> {
  const live = facility.live.shots({
    bl,
    detectors: [dual],
    signals: [pulses],
    untilRunEnd: true,
    maxWaitMs: 30_000,
    ...options,
  });
  const tags: number[] = [];
  const ids: string[][] = [];
  let ticks = 0;
  // Slowly until the stream has begun: a run that is over before it would be another test.
  const timer = setInterval(() => {
    const last = tags.at(-1);
    if (beam.now >= end || (last === undefined ? ++ticks % 40 !== 0 : beam.now > last + 30)) return;
    // Values come three shots after the images, and all of them once the run is over.
    beam.go(beam.now + 2, beam.now < end - 2 ? beam.now - 4 : end);
  }, 5);
  try {
    for await (const shot of live) {
      tags.push(shot.tag);
      ids.push(Object.keys(shot.images));
      expect([shot.run, shot.hightag, shot.time]).toEqual([run, 202502, 1e9 + shot.tag / 60]);
      expect(shot.value(pulses)).toEqual({ value: shot.tag * 10, unit: "pulse" });
      for (const [id, image] of Object.entries(shot.images))
        expect(image.get(3, 2)).toBe(tinyPixel(id, shot.tag, 3, 2));
      onShot(tags.length, shot.tag);
    }
  } finally {
    clearInterval(timer);
  }
  return { tags, ids, ledger: live.ledger };
}

/** Every shot of the run from the first one on is used or dropped, once; gives the tag of the first. */
function expectAccountOfRun(tags: readonly number[], { asked, used, dropped }: Ledger): number {
  const all = [...tags, ...dropped.flatMap((each) => each.tags)].sort((a, b) => a - b);
  const first = all[0] ?? 0;
  expect(all).toEqual(shotsOfRun.filter((tag) => tag >= first));
  expect([used, asked]).toEqual([tags.length, all.length]);
  return first;
}

const droppedFor = ({ dropped }: Ledger, reason: string): readonly number[] =>
  dropped.find((each) => each.reason === reason)?.tags ?? [];

describe("live.shots through the Python gateway", () => {
  itWithGateway("gives every shot of a run with its values, which come later, and ends with it", async () => {
    const beam = new Beam(3996);
    await using facility = await gatewayAt(beam);
    const { tags, ids, ledger } = await followToTheEnd(beam, facility, { policy: "every" });
    const first = expectAccountOfRun(tags, ledger);
    expect(tags.length).toBeGreaterThan(20);
    expect(ledger.dropped).toEqual([{ reason: "frame-missing", tags: unstored.filter((tag) => tag >= first) }]);
    expect(ids.every((each) => each.join() === `${left},${right}`)).toBe(true);
  });

  itWithGateway("counts exactly what a stall under every has lost", async () => {
    const beam = new Beam(3996);
    await using facility = await gatewayAt(beam);
    // At the fifth shot the beam goes on to the end of the run; of two seconds, what memory holds, 4082 is the oldest.
    const { tags, ids, ledger } = await followToTheEnd(
      beam,
      facility,
      { policy: "every", missing: "partial" },
      (index) => {
        if (index === 5) beam.go(end);
      },
    );
    expectAccountOfRun(tags, ledger);
    const gone = droppedFor(ledger, "data-gone");
    expect(ledger.dropped.map(({ reason }) => reason)).toEqual(["data-gone"]);
    // Those that had been sent by then, or had been read and waited for their values, are not lost.
    expect(gone.length).toBeGreaterThan(0);
    expect(gone.every((tag) => tag < 4082 && tag > (tags[4] ?? 0))).toBe(true);
    expect(tags.slice(-59)).toEqual(shotsOfRun.filter((tag) => tag >= 4082));
    expect(ids[tags.indexOf(4100)]).toEqual([left]);
  });

  itWithGateway("gives the newest shot to a slow reader, and counts what it skipped", async () => {
    const beam = new Beam(4010);
    await using facility = await gatewayAt(beam);
    const live = facility.live.shots({ bl, detectors: [left], limit: 5 });
    const tags: number[] = [];
    for await (const shot of live) {
      tags.push(shot.tag);
      expect([shot.run, shot.images[left]?.get(3, 2)]).toEqual([run, tinyPixel(left, shot.tag, 3, 2)]);
      beam.go(beam.now + 8);
    }
    expect(tags).toEqual([4010, 4018, 4026, 4034, 4042]);
    const skipped = shotsOfRun.filter((tag) => tag > 4010 && tag < 4042 && !tags.includes(tag));
    expect(live.ledger).toEqual({ asked: 17, used: 5, dropped: [{ reason: "skipped", tags: skipped }] });
  });

  itWithGateway("gives a shot without a value that does not come in time", async () => {
    const beam = new Beam(4010);
    beam.go(4010, 4000);
    await using facility = await gatewayAt(beam);
    const live = facility.live.shots({
      bl,
      detectors: [left],
      signals: [pulses],
      maxWaitMs: 50,
      policy: "newest",
      limit: 2,
    });
    const shots: [number, unknown][] = [];
    for await (const shot of live) {
      shots.push([shot.tag, shot.value(pulses)]);
      beam.go(4020, 4000);
    }
    // Which ones: the newest that have had their 50 ms.
    expect(shots.map(([, value]) => value)).toEqual([{ reason: "late" }, { reason: "late" }]);
    expect(shots[1]?.[0]).toBeGreaterThan(shots[0]?.[0] ?? Infinity);
  });

  itWithGateway("waits for the beam, no longer than asked, and refuses what is not there", async () => {
    const beam = new Beam(4010);
    await using facility = await gatewayAt(beam);
    const next = async (options: Partial<LiveShotsOptions>): Promise<unknown> => {
      for await (const shot of facility.live.shots({ bl, ...options })) return shot.tag;
      return null;
    };
    await expect(next({ detectors: [left], policy: "every", timeoutMs: 300 })).rejects.toMatchObject({
      code: "TIMEOUT",
    });
    await expect(next({ detectors: ["MPCCD-0"] })).rejects.toMatchObject({ code: "UNKNOWN_DETECTOR" });
    await expect(next({ detectors: [left], signals: ["none"] })).rejects.toMatchObject({ code: "UNKNOWN_SIGNAL" });
    await expect(next({ detectors: [left], roi: { rows: [0, 9], columns: [0, 1] } })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
  });
});
