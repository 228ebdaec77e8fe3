import { appendFileSync, existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sleep } from "../../../src/core/async.ts";
import { type ControlDriver, withControl } from "../../../src/ec/index.ts";
import { keptFacility } from "../../../src/facility/kept.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { inProcess } from "../../../src/transport/index.ts";
import { cli } from "../../support/fake-io.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";

const axis = "bl3_st2_pm040";
const options = { speed: 50 };

describe("a simulated facility that is kept", () => {
  it("is the same for another process while the first has it, with its runs and shots", async () => {
    const path = join(temporaryFolder(), "deeper", "sim.jsonl");
    const first = keptFacility(options, path, expect.unreachable);
    expect((await first.control.read(axis)).value).toBe(0);
    expect(existsSync(path)).toBe(false);
    await first.control.move(axis, 1234);
    const { run } = await first.control.startRun(3, { comment: "kept", detectors: [], shots: 20 });
    const second = keptFacility(options, path, expect.unreachable);
    while ((await second.control.read(axis)).state === "moving") await sleep(5);
    expect((await second.control.read(axis)).value).toBe(1234);
    expect(second.facility.runs(3, 1)).toEqual([run]);
    expect(second.facility.runInfo(3, run)).toMatchObject({ comment: "kept" });
    while (first.facility.runStatus(3, run) !== 0) await sleep(5);
    expect(second.facility.tags(3, run)).toEqual(first.facility.tags(3, run));
  });

  it("goes on when a run was started, with its runs and shots, for half a day", async () => {
    const path = join(temporaryFolder(), "sim.jsonl");
    const first = keptFacility(options, path, expect.unreachable);
    const { run } = await first.control.startRun(3, { comment: "kept", detectors: [], shots: 20 });
    await first.control.close();
    const second = keptFacility(options, path, expect.unreachable);
    while (second.facility.runStatus(3, run) !== 0) await sleep(5);
    await second.control.move(axis, 10);
    const again = await second.control.startRun(3, { comment: "next", detectors: [], shots: 5 });
    await second.control.close();
    const third = keptFacility(options, path, expect.unreachable);
    while (third.facility.runStatus(3, again.run) !== 0) await sleep(5);
    expect(third.facility.runs(3, 2)).toEqual([run, run + 1]);
    for (const made of [run, again.run]) expect(third.facility.tags(3, made)).toEqual(second.facility.tags(3, made));
    expect(third.facility.tags(3, run)).toEqual(first.facility.tags(3, run));
    const yesterday = Date.now() / 1000 - 86_400;
    utimesSync(path, yesterday, yesterday);
    const later = keptFacility({}, path, expect.unreachable);
    expect(() => later.facility.runInfo(3, again.run)).toThrow(/no run/);
    expect((await later.control.read(axis)).value).toBe(10);
  });

  it("is one for all who have it at the same time: each can stop what another moves", async () => {
    const path = join(temporaryFolder(), "sim.jsonl");
    const mover = keptFacility({}, path, expect.unreachable);
    // So slow that it is not there before it is stopped.
    await mover.control.setSpeed(axis, 20);
    await mover.control.move(axis, 5000);
    const stopper = keptFacility({}, path, expect.unreachable);
    await sleep(30);
    await stopper.control.stop(axis);
    while ((await mover.control.read(axis)).state === "moving") await sleep(10);
    const { value } = await mover.control.read(axis);
    expect(value).toBeLessThan(5000);
    expect((await stopper.control.read(axis)).value).toBe(value);
  });

  it("has no scheduled runs any more for a process that opens it while another has the lease", async () => {
    const path = join(temporaryFolder(), "sim.jsonl");
    const holder = keptFacility(options, path, expect.unreachable);
    await holder.control.leased?.(3);
    const watcher = keptFacility(options, path, expect.unreachable);
    await sleep(50);
    const { live, truth } = watcher.facility;
    expect(live.runOf(3, live.nowTag())).toBe(-1);
    expect(truth.shot(3, 202501, live.nowTag()).hasXrays).toBe(false);
  });

  it("gives one lease of a beamline, though each process has leases of its own", async () => {
    const path = join(temporaryFolder(), "sim.jsonl");
    const holder = keptFacility(options, path, expect.unreachable);
    await holder.control.leased?.(3);
    // As another process that runs: the one that started this one.
    const [own, other] = [process.pid, process.ppid].map((pid) => `${hostname()}:${pid}`);
    const lines = readFileSync(path, "utf8").replaceAll(`${own}:`, `${other}:`);
    writeFileSync(path, lines);
    const second = keptFacility(options, path, expect.unreachable);
    const endpoint = inProcess(withControl(endpointOf(tinySource()), second.control));
    const take = (bl: number) => endpoint.call("lease.take", { bl, name: "me", reason: "test", ttlMs: 10_000 });
    await expect(take(3)).rejects.toMatchObject({ code: "LEASE_HELD", details: { process: other } });
    await take(1);
    const { by } = JSON.parse(lines.split("\n")[1] ?? "") as { readonly by: string };
    appendFileSync(path, `${JSON.stringify({ left: true, by })}\n`);
    await take(3);
  });

  it("begins anew with its devices where they were left, also by a process that was killed", async () => {
    const path = join(temporaryFolder(), "sim.jsonl");
    const first = keptFacility(options, path, expect.unreachable);
    await first.control.move(axis, 700);
    await first.control.set("bl3_attenuator1", 25);
    await first.control.setShutter("bl3_shutter1", true);
    await first.control.setSpeed(axis, 5000);
    await first.control.close();
    const second = keptFacility(options, path, expect.unreachable);
    const values = async (control: ControlDriver): Promise<unknown[]> =>
      await Promise.all(
        [axis, "bl3_attenuator1", "bl3_shutter1"].map(async (name) => (await control.read(name)).value),
      );
    expect(await values(second.control)).toEqual([700, 25, "open"]);
    expect((await second.control.devices(3)).find(({ name }) => name === axis)).toMatchObject({ speed: 5000 });
    // Nobody controls it yet, so runs begin by themselves.
    expect(second.facility.runStatus(3, second.facility.runs(3, 1)[0] ?? 0)).not.toBe(-1);
    await second.control.preset(axis, 0);
    await second.control.move(axis, 50);
    const killed = readFileSync(path, "utf8").replace(/:\d+:\d+"/g, `:${2 ** 22 + 1}:0"`);
    writeFileSync(path, killed);
    const third = keptFacility(options, path, expect.unreachable);
    expect(await values(third.control)).toEqual([50, 25, "open"]);
    expect(third.facility.truth.rests[axis]).toEqual({ value: 750, offset: -700, speed: 5000 });
  });

  it("goes on without its file where that is damaged, and says so once", async () => {
    const path = join(temporaryFolder(), "sim.jsonl");
    await keptFacility(options, path, expect.unreachable).control.move(axis, 10);
    appendFileSync(path, "{no line\n");
    const said: string[] = [];
    const { control } = keptFacility(options, path, (why) => said.push(why));
    await control.move(axis, 20);
    while ((await control.read(axis)).state === "moving") await sleep(5);
    expect((await control.read(axis)).value).toBe(20);
    expect(said).toHaveLength(1);
  });
});

describe("sim: of the command line", () => {
  it("keeps moves between commands, for each address by itself, until sacla sim reset", async () => {
    const env = { XDG_STATE_HOME: temporaryFolder() };
    const run = async (...args: string[]): Promise<string> => {
      const done = await cli(args, { env });
      expect([done.code, done.err]).toEqual([0, ""]);
      return done.out;
    };
    const url = "sim:?speed=20";
    const at = async (address: string): Promise<unknown> =>
      JSON.parse(await run("axes", axis, "--url", address, "--json")).devices[0].value;
    await run("move", `${axis}=321`, "-y", "--url", url);
    expect(await at(url)).toBe(321);
    expect(await at("sim:?speed=21")).toBe(0);
    expect(await run("sim", "--url", url)).toMatch(
      /^sim:\?speed=20 has its devices where they were left .* JST, kept in .*\n$/,
    );
    expect(await run("sim", "reset", "--url", url)).toBe("sim:?speed=20 begins anew\n");
    expect(await at(url)).toBe(0);
  });

  it("is said to be simulated on a terminal, not in what a program reads", async () => {
    const listed = ["runs", "-n", "1", "--url", "sim:?clock=virtual"];
    expect((await cli(listed, { isTerminal: true })).err).toMatch(/^SIMULATED: .*\n$/);
    expect((await cli([...listed, "--json"], { isTerminal: true })).err).toBe("");
    expect((await cli(listed)).err).toBe("");
  });
});
