import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import { connect, type Facility } from "../../../src/connect.ts";
import { VirtualClock } from "../../../src/core/clock.ts";
import { type EndedLease, withControl } from "../../../src/ec/index.ts";
import { type AuditEntry, type Server, serve } from "../../../src/server/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { runProgram } from "../../support/cli.ts";
import { cli } from "../../support/fake-io.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";
import { ToyDriver } from "../../support/toy-driver.ts";
import { until } from "../../support/until.ts";

const axis = "bl3_st2_pm004";
const shutter = "bl3_lh1_shutter1";
const folder = temporaryFolder();
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Served {
  readonly toy: ToyDriver;
  readonly endpoint: Endpoint;
  readonly server: Server;
  readonly ended: EndedLease[];
  readonly audit: AuditEntry[];
  open(): Promise<Facility>;
}

/** @param clock - how time passes for leases; by default as on this computer */
async function start(kind: "zmq" | "http", clock?: VirtualClock): Promise<Served> {
  const toy = new ToyDriver();
  const ended: EndedLease[] = [];
  const audit: AuditEntry[] = [];
  const endpoint = inProcess(
    withControl(endpointOf(tinySource()), toy, { clock, onLeaseEnd: (end) => void ended.push(end) }),
  );
  const where = kind === "zmq" ? { zmq: ["tcp://127.0.0.1:*"] } : { http: { host: "127.0.0.1", port: 0 } };
  const server = await serve(endpoint, { ...where, audit: { write: async (entry) => void audit.push(entry) } });
  closers.push(
    () => endpoint.close(),
    () => server.close(),
  );
  const open = async (): Promise<Facility> => {
    const facility = await connect(server.addresses[0], { retry: { deadlineMs: 1000 } });
    closers.push(() => facility.close());
    return facility;
  };
  return { toy, endpoint, server, ended, audit, open };
}

for (const kind of ["zmq", "http"] as const) {
  describe(`control through a server over ${kind}`, () => {
    it("moves, and refuses a second program with who holds the lease", async () => {
      const { toy, open, audit } = await start(kind);
      const [here, there] = [await open(), await open()];
      const control = await here.ec.control(3, { name: "here", reason: "alignment", pollMs: 10 });
      await expect(there.ec.control(3, { name: "there", reason: "scan" })).rejects.toMatchObject({
        code: "LEASE_HELD",
        message: expect.stringContaining('"here" (alignment)'),
      });
      expect(await control.axis(axis).moveTo(4000)).toBe(4000);
      expect(await there.ec.read(3, axis)).toMatchObject({ value: 4000, state: "ready" });
      await control.shutter(shutter).open();
      await there.ec.closeShutter(3, shutter);
      expect(toy.isOpen(shutter)).toBe(false);
      await control.release();
      await using next = await there.ec.control(3, { name: "there", reason: "scan" });
      expect(next.previous).toMatchObject({ name: "here", how: "released" });
      expect(audit.filter(({ method, outcome }) => method === "ec.move" && outcome === "ok")).toHaveLength(1);
    });

    it("stops what a dead program left moving, closes its shutter, and gives the lease on", async () => {
      const clock = new VirtualClock();
      const { toy, open, ended } = await start(kind, clock);
      const [here, there] = [await open(), await open()];
      // A program that dies sends no heartbeat: here it never does.
      const { lease } = await here.endpoint.call(
        "lease.take",
        { bl: 3, name: "dead", reason: "crash", ttlMs: 3000 },
        { key: "take" },
      );
      await here.endpoint.call("ec.setShutter", { bl: 3, lease, shutter, open: true }, { key: "open" });
      await here.endpoint.call("ec.move", { bl: 3, lease, axis, pulses: 5_000_000 }, { key: "move" });
      expect(toy.isMoving(axis)).toBe(true);
      clock.advance(2.9);
      expect(await there.endpoint.call("lease.holder", { bl: 3 })).toMatchObject({ name: "dead" });
      clock.advance(0.2);
      await until(() => ended.length === 1);
      expect([toy.isMoving(axis), toy.isOpen(shutter)]).toEqual([false, false]);
      await using control = await there.ec.control(3, { name: "next", reason: "go on" });
      expect(control.previous).toMatchObject({ name: "dead", how: "expired" });
      await expect(
        here.endpoint.call("ec.move", { bl: 3, lease, axis, pulses: 1 }, { key: "late" }),
      ).rejects.toMatchObject({ code: "LEASE_LOST" });
    });

    it("ends in the middle of a move: the motion is stopped, the program is told, the log is whole", async () => {
      const { toy, endpoint, server, ended, open } = await start(kind);
      const here = await open();
      const control = await here.ec.control(3, { name: "here", reason: "long move", pollMs: 20 });
      const moving = control
        .axis(axis)
        .moveTo(5_000_000)
        .catch((error: unknown) => error);
      await until(() => toy.isMoving(axis));
      await server.close();
      await endpoint.close();
      expect(toy.isMoving(axis)).toBe(false);
      expect(ended).toMatchObject([
        { name: "here", how: "closed", done: [expect.stringContaining(`${axis} stopped near`)] },
      ]);
      expect(await moving).toMatchObject({ code: expect.stringMatching(/LEASE_LOST|UNREACHABLE|CLOSED|TIMEOUT/) });
    });
  });
}

describe("a program killed in the middle of a move", () => {
  it("keeps its lease while it lives; then what it moved is stopped, its shutter closed, and the beamline free", async () => {
    const clock = new VirtualClock();
    const { toy, endpoint, server, ended, open } = await start("zmq", clock);
    const { mock } = vi.spyOn(endpoint, "call");
    const renewals = (): number =>
      mock.settledResults.filter(({ type }, i) => type === "fulfilled" && mock.calls[i]?.[0] === "lease.renew").length;
    const program = fileURLToPath(new URL("../../support/hold-and-move.ts", import.meta.url));
    let wasAlive = false;
    const killed = runProgram(folder, program, [server.addresses[0] ?? ""], {}, (child, out) => {
      if (!out.includes("moving")) return;
      clock.advance(10);
      const before = renewals();
      void until(() => renewals() > before).then(async () => {
        // Longer than its ttl of 15 s: the heartbeat has kept it.
        clock.advance(10);
        const holder = await endpoint.call("lease.holder", { bl: 3 });
        wasAlive = holder?.name === "to be killed" && toy.isMoving(axis) && toy.isOpen(shutter) && ended.length === 0;
        child.kill("SIGKILL");
      });
    });
    expect((await killed).err).toBe("");
    expect(wasAlive).toBe(true);
    clock.advance(15);
    await until(() => ended.length === 1);
    expect(ended[0]).toMatchObject({
      name: "to be killed",
      how: "expired",
      done: [`${shutter} closed`, expect.stringContaining(`${axis} stopped near`)],
    });
    expect([toy.isMoving(axis), toy.isOpen(shutter)]).toEqual([false, false]);
    await using next = await (await open()).ec.control(3, { name: "next", reason: "go on" });
    expect(next.previous).toMatchObject({ name: "to be killed" });
  });
});

describe("the command line", () => {
  const experiment = join(folder, "experiment.json");
  writeFileSync(
    experiment,
    JSON.stringify({
      name: "cli",
      bl: 3,
      axes: { delay: { device: "bl3_st2_pm001", unit: "ps", pulsesPerUnit: 150, limits: [-10, 100] } },
      shutters: { pump: { device: shutter } },
      settings: { gain: { device: "bl3_st2_pd1_gain" } },
      detectors: { octal: { id: "MPCCD-8B0-2-008" } },
    }),
  );

  it("shows now and will be, asks, and moves; without --yes and nobody to ask it does nothing", async () => {
    const { toy, server } = await start("http");
    const base = ["--url", server.addresses[0] ?? "", "--experiment", experiment];
    const listed = await cli(["axes", "delay", ...base]);
    expect(listed.out).toMatch(/delay\s+bl3_st2_pm001\s+axis\s+ready\s+0\s+ps\s+-10 … 100\s+optical delay/);
    const dry = await cli(["move", "delay=20", "--dry-run", ...base]);
    expect([dry.code, dry.out]).toEqual([0, expect.stringMatching(/delay\s+0\s+20\s+ps\s+20[\s\S]*dry run/)]);
    const unasked = await cli(["move", "delay=20", ...base]);
    expect([unasked.code, unasked.err]).toEqual([2, expect.stringMatching(/delay\s+0\s+20[\s\S]*--yes/)]);
    const twice = await cli(["move", "delay=20", "delay=21", "--yes", ...base]);
    expect([twice.code, twice.err]).toEqual([2, expect.stringContaining("one position only")]);
    expect((await cli(["axes", "OPTICAL", ...base])).out).toContain("bl3_st2_pm001");
    expect((await cli(["axes", "tcp:", ...base])).out).toBe(
      'no device of beamline 3 has "tcp:" in its name or meaning\n',
    );
    const no = await cli(["move", "delay=20", ...base], { confirm: async () => false });
    expect(no.code).toBe(1);
    expect(toy.calls).toEqual([]);
    const far = await cli(["move", "delay=101", "--yes", "--json", ...base]);
    expect([far.code, JSON.parse(far.out)]).toEqual([
      1,
      expect.objectContaining({ done: false, problems: ["delay: its limits are -10 to 100 ps"] }),
    ]);
    const yes = await cli(["move", "delay=20", ...base], { confirm: async () => true });
    expect([yes.code, yes.out]).toEqual([0, expect.stringContaining("delay is at 20")]);
    const relative = await cli(["move", "delay=-5", "--relative", "--yes", "--json", ...base]);
    expect(JSON.parse(relative.out)).toMatchObject({ done: true, at: { delay: 15 } });
    expect(toy.calls.filter((call) => call.startsWith("move"))).toEqual([
      "move bl3_st2_pm001 3000",
      "move bl3_st2_pm001 2250",
    ]);
  });

  it("stops what another moves, without asking for the lease", async () => {
    const { toy, server, open } = await start("http");
    const base = ["--url", server.addresses[0] ?? "", "--experiment", experiment];
    expect((await cli(["stop", ...base])).out).toBe("no axis of beamline 3 moves\n");
    await using control = await (await open()).ec.control(3, { name: "another", reason: "a long way" });
    for (const how of [["stop"], ["stop", "delay"]]) {
      const { done } = await control.axis("bl3_st2_pm001").start(how.length === 1 ? 90_000 : -90_000);
      done.catch(() => {});
      expect(toy.isMoving("bl3_st2_pm001")).toBe(true);
      const { code, out } = await cli([...how, ...base]);
      expect([code, out, toy.isMoving("bl3_st2_pm001")]).toEqual([0, "stopped: bl3_st2_pm001\n", false]);
      await expect(done).rejects.toMatchObject({ code: "DEVICE_FAULT" });
    }
    expect((await cli(["stop", "nothing", ...base])).code).not.toBe(0);
  });

  it("puts shutters, settings and runs, tells the lease, keeps presets", async () => {
    const { toy, server, open } = await start("http");
    const base = ["--url", server.addresses[0] ?? "", "--experiment", experiment];
    const json = async (...args: string[]): Promise<unknown> =>
      JSON.parse((await cli([...args, "--json", ...base])).out);
    expect(await json("shutter", "pump")).toMatchObject({ value: "closed" });
    expect(await json("shutter", "pump", "open", "--yes")).toMatchObject({ done: true });
    expect(toy.isOpen(shutter)).toBe(true);
    expect(await json("shutter", "pump", "close")).toMatchObject({ done: true });
    expect(toy.isOpen(shutter)).toBe(false);
    expect((await cli(["set", "gain", "2", "--yes", ...base])).out).toMatch(/gain is 2\n$/);
    expect(await json("set", "gain")).toMatchObject({ value: 2, allowed: [0, 1, 2, 3] });
    expect(await json("set", "gain", "8", "--yes")).toMatchObject({
      done: false,
      problems: ["gain: it takes 0, 1, 2, 3"],
    });
    expect(
      await json("run", "start", "--shots", "100", "--comment", "x", "--detector", "octal", "--yes"),
    ).toMatchObject({
      after: { run: 1, state: "running" },
    });
    expect(toy.calls).toContain("startRun MPCCD-8B0-2-008");
    expect(await json("run", "pause")).toMatchObject({ done: true, after: { state: "paused" } });
    expect(await json("run", "stop", "--dry-run")).toMatchObject({ done: false });
    expect(await json("run", "state")).toMatchObject({ state: "paused" });
    expect(await json("run", "stop", "--yes")).toMatchObject({ after: { state: "ready" } });
    const file = ["--file", join(folder, "cli.jsonl")];
    expect(await json("presets", "save", ...file)).toMatchObject({
      error: { code: "BAD_ARGUMENT", message: expect.stringContaining("save NAME") },
    });
    expect(await json("presets", "save", "start", ...file)).toMatchObject({
      values: { delay: { value: 0 }, gain: { value: 2 } },
    });
    await json("move", "delay=3", "--yes");
    expect(await json("presets", "diff", "start", ...file)).toMatchObject({ differences: [{ name: "delay" }] });
    expect(await json("presets", "restore", "start", "--yes", ...file)).toMatchObject({ done: true, at: { delay: 0 } });
    const leased = async (): Promise<string> => (await cli(["lease", "--url", server.addresses[0] ?? ""])).out;
    expect(await leased()).toBe("nobody controls beamline 3\n");
    const elsewhere = join(folder, "elsewhere.json");
    writeFileSync(elsewhere, JSON.stringify({ name: "elsewhere", bl: 9 }));
    expect((await cli(["lease", "--url", server.addresses[0] ?? "", "--experiment", elsewhere])).err).toContain(
      "UNKNOWN_BEAMLINE",
    );
    const facility = await open();
    await using _ = await facility.ec.control(3, { name: "night shift", reason: "delay scan" });
    expect(await leased()).toMatch(/^night shift \(delay scan\) controls beamline 3 since/);
    expect(await json("move", "delay=3", "--yes")).toMatchObject({ error: { code: "LEASE_HELD" } });
  });
});
