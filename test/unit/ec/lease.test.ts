import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { VirtualClock } from "../../../src/core/clock.ts";
import { SaclaError } from "../../../src/core/errors.ts";
import { type EndedLease, LeaseJournal, withControl } from "../../../src/ec/index.ts";
import { AppendLog } from "../../../src/files/append-log.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { rounds } from "../../support/full.ts";
import { asKilled } from "../../support/owned-file.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";
import { ToyDriver } from "../../support/toy-driver.ts";
import { until } from "../../support/until.ts";

const axis = "bl3_st2_pm001";
const shutter = "bl3_lh1_shutter1";
const bl = 3;
const temporary = temporaryFolder();

function open(driver = new ToyDriver()) {
  const clock = new VirtualClock();
  const ended: EndedLease[] = [];
  const endpoint = inProcess(
    withControl(endpointOf(tinySource()), driver, {
      clock,
      driverTimeoutMs: 500,
      onLeaseEnd: (end) => void ended.push(end),
    }),
  );
  const take = async (name: string, ttlMs = 10_000) =>
    (await endpoint.call("lease.take", { bl, name, reason: "test", ttlMs })).lease;
  return { driver, clock, ended, endpoint, take };
}

/** Lets what the clock has woken run to its end. */
const settle = async (is: () => boolean): Promise<void> => {
  await until(is);
};

afterEach(() => vi.useRealTimers());

describe("a lease", () => {
  it("is needed to change and not to read, and its holder is named to whoever is refused", async () => {
    const { endpoint, take, clock } = open();
    expect(await endpoint.call("ec.read", { bl, device: axis })).toMatchObject({ state: "ready", value: 0 });
    expect(await endpoint.call("lease.holder", { bl })).toBeNull();
    await expect(endpoint.call("ec.move", { bl, lease: "made up", axis, pulses: 5 })).rejects.toMatchObject({
      code: "LEASE_LOST",
    });
    await take("night shift");
    clock.advance(4);
    await expect(take("day shift")).rejects.toMatchObject({
      code: "LEASE_HELD",
      message: expect.stringMatching(/"night shift" \(test\) since 4\.0 s.*ends in 6\.0 s/),
    });
    expect(await endpoint.call("lease.holder", { bl })).toEqual({
      name: "night shift",
      reason: "test",
      sinceMs: 4000,
      expiresMs: 6000,
    });
    await endpoint.close();
  });

  it("ends when its heartbeat stops: the motion is stopped, the shutter closed, the run paused, and the log and the next holder are told", async () => {
    const { endpoint, take, clock, driver, ended } = open();
    const lease = await take("night shift");
    await endpoint.call("ec.setShutter", { bl, lease, shutter, open: true });
    await endpoint.call("ec.startRun", { bl, lease, comment: "", detectors: [], shots: 0 });
    await endpoint.call("ec.move", { bl, lease, axis, pulses: 90_000 });
    clock.advance(9.9);
    await endpoint.call("lease.renew", { bl, lease });
    clock.advance(9.9);
    expect(driver.isMoving(axis)).toBe(true);
    clock.advance(0.2);
    await settle(() => ended.length === 1);
    expect(driver.isMoving(axis)).toBe(false);
    expect(driver.isOpen(shutter)).toBe(false);
    expect((await endpoint.call("ec.runState", { bl })).state).toBe("paused");
    expect(ended[0]).toMatchObject({ bl, name: "night shift", how: "expired" });
    expect(ended[0]?.done.join("; ")).toMatch(
      /^bl3_lh1_shutter1 closed; the run of beamline 3 paused; bl3_st2_pm001 stopped near \d+ pulses$/,
    );
    await expect(endpoint.call("lease.renew", { bl, lease })).rejects.toMatchObject({
      code: "LEASE_LOST",
      message: expect.stringContaining("bl3_lh1_shutter1 closed"),
    });
    const next = await endpoint.call("lease.take", { bl, name: "day shift", reason: "test", ttlMs: 1000 });
    expect(next.previous).toMatchObject({ name: "night shift", how: "expired" });
    await endpoint.close();
  });

  it("given back stops what still moves and leaves the shutter as it was put", async () => {
    const { endpoint, take, driver } = open();
    const lease = await take("night shift");
    await endpoint.call("ec.setShutter", { bl, lease, shutter, open: true });
    await endpoint.call("ec.move", { bl, lease, axis, pulses: 90_000 });
    await endpoint.call("lease.release", { bl, lease });
    expect(driver.isMoving(axis)).toBe(false);
    expect(driver.isOpen(shutter)).toBe(true);
    await expect(endpoint.call("ec.move", { bl, lease, axis, pulses: 5 })).rejects.toMatchObject({
      code: "LEASE_LOST",
    });
    await endpoint.close();
  });

  it("is not ended or prolonged by a jump of the time of day", async () => {
    const driver = new ToyDriver();
    const endpoint = inProcess(withControl(endpointOf(tinySource()), driver));
    vi.useFakeTimers({ toFake: ["Date"] });
    const { lease } = await endpoint.call("lease.take", { bl, name: "a", reason: "b", ttlMs: 2000 });
    vi.setSystemTime(Date.now() + 86_400_000);
    await endpoint.call("lease.renew", { bl, lease });
    vi.setSystemTime(Date.now() - 2 * 86_400_000);
    await until(async () => (await endpoint.call("lease.holder", { bl })) === null);
    await endpoint.close();
  });

  it("waits with the next holder until what moved has been stopped, even when the driver hangs", async () => {
    const { endpoint, take, clock, driver, ended } = open();
    const far = "bl3_st2_pm004";
    const lease = await take("first");
    driver.faults.set(far, "hang");
    const moving = endpoint
      .call("ec.move", { bl, lease, axis: far, pulses: 50_000_000 })
      .catch((error: unknown) => error);
    await settle(() => driver.calls.some((call) => call.startsWith("move")));
    clock.advance(20);
    await take("second");
    expect(ended).toHaveLength(1);
    expect(await moving).toMatchObject({ code: expect.stringMatching(/DEVICE_FAULT|DEVICE_BUSY/) });
    // The hanging answer comes after all, and with it a motion of minutes: it is stopped again.
    driver.faults.clear();
    driver.letGo();
    await settle(() => driver.moves(far) === 1 && !driver.isMoving(far));
    await endpoint.close();
  });

  it("of a process that was killed is made good by the next one, from the journal", async () => {
    const journal = join(temporary, "leases.jsonl");
    const driver = new ToyDriver();
    const first = withControl(endpointOf(tinySource()), driver, { journal: await LeaseJournal.open(journal) });
    const { lease } = await first.call("lease.take", { bl, name: "night shift", reason: "scan", ttlMs: 600_000 });
    await first.call("ec.setShutter", { bl, lease, shutter, open: true });
    await first.call("ec.move", { bl, lease, axis: "bl3_st2_pm004", pulses: 50_000_000 });
    // Killed: nothing of it is called any more. A line was being written.
    asKilled(journal);
    appendFileSync(journal, '\n{"time":"2026');
    const ended: EndedLease[] = [];
    const second = withControl(endpointOf(tinySource()), driver, {
      journal: await LeaseJournal.open(journal),
      onLeaseEnd: (end) => void ended.push(end),
    });
    const next = await second.call("lease.take", { bl, name: "day shift", reason: "scan", ttlMs: 1000 });
    expect(next.previous).toMatchObject({
      name: "night shift",
      how: "killed",
      done: [`${shutter} closed`, expect.stringContaining("bl3_st2_pm004 stopped near")],
    });
    expect([driver.isMoving("bl3_st2_pm004"), driver.isOpen(shutter), ended.length]).toEqual([false, false, 1]);
    await expect(second.call("ec.move", { bl, lease, axis, pulses: 1 })).rejects.toMatchObject({ code: "LEASE_LOST" });
    await second.close();
    const events = readFileSync(journal, "utf8")
      .split("\n")
      .flatMap((line) => /"event":"(\w+)"/.exec(line)?.[1] ?? []);
    expect(events).toEqual(["taken", "touched", "touched", "ended", "taken", "ended"]);
    const third = withControl(endpointOf(tinySource()), driver, { journal: await LeaseJournal.open(journal) });
    expect((await third.call("lease.take", { bl, name: "a", reason: "b", ttlMs: 1000 })).previous).toBeNull();
    await third.close();
    await first.close();
  });

  it("is on the disk with each change before the device is asked", async () => {
    const journal = join(temporary, "synced.jsonl");
    const driver = new ToyDriver();
    const endpoint = withControl(endpointOf(tinySource()), driver, { journal: await LeaseJournal.open(journal) });
    const { lease } = await endpoint.call("lease.take", { bl, name: "night", reason: "scan", ttlMs: 600_000 });
    const order: string[] = [];
    const sync = vi.spyOn(AppendLog.prototype, "sync").mockImplementation(async () => {
      await Promise.resolve();
      order.push(`synced after ${driver.calls.length} calls`);
    });
    const before = driver.calls.length;
    await endpoint.call("ec.setShutter", { bl, lease, shutter, open: true });
    expect(order).toEqual([`synced after ${before} calls`]);
    expect(driver.calls.at(-1)).toBe(`open ${shutter}`);
    sync.mockRejectedValueOnce(new SaclaError("WRITE_FAILED", "the disk is full"));
    await expect(endpoint.call("ec.move", { bl, lease, axis, pulses: 90_000 })).rejects.toMatchObject({
      code: "WRITE_FAILED",
    });
    expect(driver.isMoving(axis)).toBe(false);
    sync.mockRestore();
    await endpoint.close();
  });

  it("says which lines of its journal are damaged, and makes safe all the same what a lost lease changed", async () => {
    const journal = join(temporary, "damaged.jsonl");
    const driver = new ToyDriver();
    const first = withControl(endpointOf(tinySource()), driver, { journal: await LeaseJournal.open(journal) });
    const { lease } = await first.call("lease.take", { bl, name: "night shift", reason: "scan", ttlMs: 600_000 });
    await first.call("ec.setShutter", { bl, lease, shutter, open: true });
    asKilled(journal);
    const [, ...changes] = readFileSync(journal, "utf8").split("\n");
    writeFileSync(journal, ["\0\0\0\0", ...changes].join("\n"));
    const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
    const second = withControl(endpointOf(tinySource()), driver, { journal: await LeaseJournal.open(journal) });
    const { previous } = await second.call("lease.take", { bl, name: "day shift", reason: "scan", ttlMs: 1000 });
    expect(previous).toMatchObject({ name: "unknown", how: "killed" });
    expect(previous?.done).toEqual([`${shutter} closed`, expect.stringContaining("is damaged (line 1)")]);
    expect(driver.isOpen(shutter)).toBe(false);
    expect(await warned).toMatchObject({ code: "FILE_DAMAGED", message: expect.stringContaining("line 1") });
    await second.close();
    await first.close();
  });

  it("that ended while its devices could not be reached is made good by the next process", async () => {
    const journal = join(temporary, "unreached.jsonl");
    const driver = new ToyDriver();
    const first = withControl(endpointOf(tinySource()), driver, { journal: await LeaseJournal.open(journal) });
    const { lease } = await first.call("lease.take", { bl, name: "night shift", reason: "scan", ttlMs: 600_000 });
    await first.call("ec.setShutter", { bl, lease, shutter, open: true });
    await first.call("ec.move", { bl, lease, axis: "bl3_st2_pm004", pulses: 50_000_000 });
    driver.faults.set("*", "disconnect");
    await first.close();
    driver.faults.clear();
    expect([driver.isMoving("bl3_st2_pm004"), driver.isOpen(shutter)]).toEqual([true, true]);
    const second = withControl(endpointOf(tinySource()), driver, { journal: await LeaseJournal.open(journal) });
    const { previous } = await second.call("lease.take", { bl, name: "day shift", reason: "scan", ttlMs: 1000 });
    expect(previous).toMatchObject({
      name: "night shift",
      how: "killed",
      done: [`${shutter} closed`, expect.stringContaining("stopped near")],
    });
    expect([driver.isMoving("bl3_st2_pm004"), driver.isOpen(shutter)]).toEqual([false, false]);
    await second.close();
    const third = withControl(endpointOf(tinySource()), driver, { journal: await LeaseJournal.open(journal) });
    expect((await third.call("lease.take", { bl, name: "a", reason: "b", ttlMs: 1000 })).previous).toBeNull();
    await third.close();
  });

  it("is not given, and nothing is opened, when its journal was deleted with its folder", async () => {
    const folder = join(temporary, "vanishing");
    mkdirSync(folder);
    const driver = new ToyDriver();
    const journal = await LeaseJournal.open(join(folder, "leases.jsonl"));
    const endpoint = withControl(endpointOf(tinySource()), driver, { journal });
    const take = () => endpoint.call("lease.take", { bl, name: "night shift", reason: "scan", ttlMs: 600_000 });
    const { lease } = await take();
    rmSync(folder, { recursive: true });
    const gone = {
      code: "WRITE_FAILED",
      message: expect.stringContaining("its folder was deleted or moved while it was in use"),
    };
    await expect(endpoint.call("ec.setShutter", { bl, lease, shutter, open: true })).rejects.toMatchObject(gone);
    expect(driver.isOpen(shutter)).toBe(false);
    // Giving the control back stays possible; another one is not given.
    await endpoint.call("lease.release", { bl, lease });
    await expect(take()).rejects.toMatchObject(gone);
    await endpoint.close();
  });

  it("is not given on a full disk, but what a killed process left is made safe all the same", async () => {
    const path = join(temporary, "full.jsonl");
    const driver = new ToyDriver();
    const first = withControl(endpointOf(tinySource()), driver, { journal: await LeaseJournal.open(path) });
    const { lease } = await first.call("lease.take", { bl, name: "night shift", reason: "scan", ttlMs: 600_000 });
    await first.call("ec.setShutter", { bl, lease, shutter, open: true });
    asKilled(path);
    const full = vi.spyOn(AppendLog.prototype, "append").mockImplementation(() => {
      throw new SaclaError("WRITE_FAILED", "the disk is full");
    });
    await expect(LeaseJournal.open(join(temporary, "new.jsonl"))).rejects.toMatchObject({ code: "WRITE_FAILED" });
    const journal = await LeaseJournal.open(path);
    expect(journal.notices).toEqual(["the disk is full"]);
    const ended: EndedLease[] = [];
    const second = withControl(endpointOf(tinySource()), driver, {
      journal,
      onLeaseEnd: (end) => void ended.push(end),
    });
    await settle(() => ended.length === 1);
    expect([driver.isOpen(shutter), ended[0]?.done]).toEqual([false, [`${shutter} closed`]]);
    const refused = second.call("lease.take", { bl, name: "day shift", reason: "scan", ttlMs: 1000 });
    await expect(refused).rejects.toMatchObject({ code: "WRITE_FAILED", message: expect.stringContaining("full") });
    full.mockRestore();
    await second.close();
    await first.close();
  });

  it("ends with the connection: everything is left safe, and the driver closed", async () => {
    const { endpoint, take, driver } = open();
    const lease = await take("night shift");
    await endpoint.call("ec.setShutter", { bl, lease, shutter, open: true });
    await endpoint.call("ec.move", { bl, lease, axis, pulses: 90_000 });
    await endpoint.close();
    expect([driver.isMoving(axis), driver.isOpen(shutter), driver.isClosed]).toEqual([false, false, true]);
  });
});

describe("stopping, closing and pausing", () => {
  it("need no lease", async () => {
    const { endpoint, take, driver } = open();
    const lease = await take("somebody");
    await endpoint.call("ec.setShutter", { bl, lease, shutter, open: true });
    await endpoint.call("ec.startRun", { bl, lease, comment: "", detectors: [], shots: 0 });
    await endpoint.call("ec.move", { bl, lease, axis, pulses: 90_000 });
    await endpoint.call("ec.stop", { bl, axis });
    await endpoint.call("ec.setShutter", { bl, lease: null, shutter, open: false });
    await endpoint.call("ec.pauseRun", { bl });
    expect([driver.isMoving(axis), driver.isOpen(shutter)]).toEqual([false, false]);
    await expect(endpoint.call("ec.setShutter", { bl, lease: null, shutter, open: true })).rejects.toMatchObject({
      code: "LEASE_LOST",
    });
    await endpoint.close();
  });

  it("stop every axis at once when no axis is named, and tell of each that was not stopped", async () => {
    const { endpoint, take, driver } = open();
    const lease = await take("somebody");
    const [failing, other] = ["bl3_st2_pm002", "bl3_st2_pm004"];
    for (const name of [axis, failing, other])
      await endpoint.call("ec.move", { bl, lease, axis: name, pulses: 90_000 });
    driver.faults.set(failing, "disconnect");
    await expect(endpoint.call("ec.stop", { bl, axis: null })).rejects.toMatchObject({
      code: "DEVICE_FAULT",
      message: expect.stringMatching(/^Not stopped: bl3_st2_pm002: /),
    });
    expect([axis, failing, other].map((name) => driver.isMoving(name))).toEqual([false, true, false]);
    driver.faults.clear();
    await endpoint.call("ec.stop", { bl, axis: null });
    expect(driver.isMoving(failing)).toBe(false);
    await endpoint.close();
  });

  it("win over a change that is still on its way to the driver", async () => {
    const { endpoint, take, driver } = open();
    const lease = await take("somebody");
    driver.faults.set(shutter, "hang");
    const opening = endpoint.call("ec.setShutter", { bl, lease, shutter, open: true }).catch((error: unknown) => error);
    await settle(() => driver.calls.includes(`open ${shutter}`));
    await endpoint.call("ec.setShutter", { bl, lease: null, shutter, open: false });
    driver.faults.clear();
    driver.letGo();
    expect(await opening).toMatchObject({ code: "DEVICE_BUSY" });
    expect(driver.isOpen(shutter)).toBe(false);
    await endpoint.close();
  });
});

/** What a client of the model does. */
const step = fc.record({
  client: fc.integer({ min: 0, max: 3 }),
  act: fc.constantFrom("take", "renew", "release", "move", "open"),
  /** Seconds that pass before. */
  wait: fc.constantFrom(0, 0, 0.1, 0.4, 1.1, 60),
});

describe("several clients that take, renew, lose and give back as they like", () => {
  it("never are two of them holder, and what moves or is open has a holder", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const { endpoint, clock, driver, ended } = open();
        const tokens = new Map<number, { lease: string; ends: number }>();
        const live = (client: number): boolean => (tokens.get(client)?.ends ?? -1) > clock.now();
        for (const { client, act, wait } of steps) {
          clock.advance(wait);
          const others = [...tokens.keys()].filter((other) => other !== client && live(other));
          const lease = tokens.get(client)?.lease ?? "none";
          const outcome = await attempt(endpoint, act, client, lease);
          if (act === "take" && outcome.ok) {
            expect(others).toEqual([]);
            expect(live(client)).toBe(false);
            tokens.set(client, { lease: outcome.lease, ends: clock.now() + 1 });
          } else if (act === "take") {
            expect(outcome).toMatchObject({ code: "LEASE_HELD" });
            expect(others.length === 1 || live(client)).toBe(true);
          } else if (outcome.ok) {
            expect(live(client)).toBe(true);
            if (act === "renew") tokens.set(client, { lease, ends: clock.now() + 1 });
            if (act === "release") tokens.delete(client);
          } else {
            expect(!outcome.ok && outcome.code === "LEASE_LOST" ? live(client) : !live(client)).toBe(false);
          }
          const holder = await endpoint.call("lease.holder", { bl });
          const living = [...tokens.keys()].filter(live);
          expect(living.map((n) => `client ${n}`)).toEqual(holder === null ? [] : [holder.name]);
        }
        const taken = driver.moves(axis) > 0 || driver.isOpen(shutter);
        clock.advance(60);
        await until(() => !driver.isMoving(axis));
        if (taken) expect(await endpoint.call("lease.holder", { bl })).toBeNull();
        await endpoint.close();
        expect(driver.isMoving(axis)).toBe(false);
        const lastEnd = ended.at(-1);
        // Only a holder who gave the control back may leave a shutter open.
        if (driver.isOpen(shutter)) expect(ended.some(({ how }) => how === "released")).toBe(true);
        if (lastEnd !== undefined) expect(["released", "expired", "closed"]).toContain(lastEnd.how);
      }),
      { numRuns: rounds(60) },
    );
  });
});

async function attempt(
  endpoint: Endpoint,
  act: string,
  client: number,
  lease: string,
): Promise<{ ok: true; lease: string } | { ok: false; code: string }> {
  try {
    if (act === "take")
      return {
        ok: true,
        ...(await endpoint.call("lease.take", { bl, name: `client ${client}`, reason: "model", ttlMs: 1000 })),
      };
    if (act === "renew") await endpoint.call("lease.renew", { bl, lease });
    if (act === "release") await endpoint.call("lease.release", { bl, lease });
    if (act === "move") await endpoint.call("ec.move", { bl, lease, axis, pulses: 50_000 });
    if (act === "open") await endpoint.call("ec.setShutter", { bl, lease, shutter, open: true });
    return { ok: true, lease };
  } catch (error) {
    return { ok: false, code: error instanceof Error && "code" in error ? String(error.code) : String(error) };
  }
}
