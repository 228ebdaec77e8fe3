import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { runCli } from "../../../src/cli/program.ts";
import { connect } from "../../../src/connect.ts";
import { cli } from "../../support/fake-io.ts";
import { MadocaServer, objectOf } from "../../support/madoca-server.ts";
import { asKilled } from "../../support/owned-file.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { ToyDriver, toyDevices } from "../../support/toy-driver.ts";
import { until } from "../../support/until.ts";

const axis = "bl3_st2_pm001";
const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function madocaServer(): Promise<{ toy: ToyDriver; server: MadocaServer; port: number }> {
  const toy = new ToyDriver();
  const server = new MadocaServer(toy);
  const port = await server.listen();
  closers.push(() => server.close());
  return { toy, server, port };
}

/** An experiment file with all toy devices. */
function experimentFile(name: string, port: number, changes: object = {}): string {
  const devices = toyDevices.map((info) => ({ object: objectOf(info.name), info }));
  const data = {
    name: "night shift",
    bl: 3,
    axes: { delay: { device: axis, unit: "ps", pulsesPerUnit: 150, limits: [-10, 100] } },
    shutters: { pump: { device: "bl3_lh1_shutter1" } },
    madoca: { host: "127.0.0.1", port, beam: "bl_3_beam", devices },
    ...changes,
  };
  writeFileSync(path(name), JSON.stringify(data));
  return path(name);
}

interface Serving {
  readonly out: string;
  err(): string;
  stop(): Promise<number>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

const serving = async (...args: string[]): Promise<Serving> => await running(["serve", ...args]);

/** A command that goes on until it is stopped, once it says that it is ready. */
async function running(args: readonly string[]): Promise<Serving> {
  let [out, err] = ["", ""];
  const stopping = new AbortController();
  let ready = (): void => {};
  const isReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const io = {
    out: (text: string) => {
      out += text;
      if (/SACLA_URL=|with \d+ simulated|\}\n$/.test(out)) ready();
    },
    err: (text: string) => {
      err += text;
    },
    isTerminal: false,
    env: {},
    signal: stopping.signal,
    writeFile: () => {},
  };
  const ended = runCli(args, io);
  const stop = async (): Promise<number> => {
    stopping.abort();
    return await ended;
  };
  closers.push(async () => void (await stop()));
  await Promise.race([isReady, ended]);
  if (out === "") throw new Error(err);
  return { out, err: () => err, stop };
}

describe("sacla serve --madoca", () => {
  it("shows what is controlled, and other programs control it by name", async () => {
    const { toy, port } = await madocaServer();
    const experiment = experimentFile("shown.json", port);
    toy.faults.set("bl3_st2_pm002", "locked");
    const served = await serving(
      "sim:?clock=virtual",
      "--madoca",
      experiment,
      "--zmq",
      "tcp://127.0.0.1:*",
      "--leases",
      path("shown.jsonl"),
    );
    expect(served.out).toMatch(
      new RegExp(`^controls beamline 3 by MADOCA at 127\\.0\\.0\\.1:${port}, with the names of night shift\n`),
    );
    expect(served.out).toMatch(/\ndelay +bl3_st2_pm001 +bl_3_st2_pm001 +axis +ready +0 +ps +-10 … 100/);
    expect(served.out).toMatch(/\n +bl3_st2_pm002 +bl_3_st2_pm002 +axis +locked \(MADOCA says locked_0pulse\)/);
    expect(served.out).toMatch(/\npump +bl3_lh1_shutter1 +bl_3_lh1_shutter1 +shutter +ready +closed/);
    expect(served.out).toMatch(/\n +bl3_st2_pd1_gain .* 0, 1, 2, 3/);
    expect(served.out).toMatch(/\nbeam: on\nruns: in RunControlGUI, not from here\nserving sim:/);
    const url = /SACLA_URL=(\S+)/.exec(served.out)?.[1] ?? "";
    const base = ["--url", url, "--experiment", experiment];
    const moved = await cli(["move", "delay=20", "--yes", ...base]);
    expect([moved.code, moved.out]).toEqual([0, expect.stringContaining("delay is at 20")]);
    expect(toy.calls).toContain(`move ${axis} 3000`);
    const locked = await cli(["move", "bl3_st2_pm002=5", "--yes", ...base]);
    expect([locked.code, locked.out]).toEqual([1, expect.stringContaining("it is locked: MADOCA says locked_0pulse")]);
    // Data are the source's.
    expect((await cli(["runs", "--url", url, "--bl", "3"])).out).toContain("1520000");
    expect((await cli(["run", "state", ...base])).err).toContain("RunControlGUI");
    expect(await served.stop()).toBe(0);
  });

  it("makes safe what is under way when it is stopped, and what a killed one left", async () => {
    const { toy, port } = await madocaServer();
    const experiment = experimentFile("safe.json", port);
    const leases = path("safe.jsonl");
    const args = ["sim:?clock=virtual", "--madoca", experiment, "--http", "127.0.0.1:0", "--leases", leases, "--json"];
    const served = await serving(...args);
    const { addresses, madoca } = JSON.parse(served.out) as {
      addresses: string[];
      madoca: { devices: { device: string }[] };
    };
    expect(madoca.devices.map(({ device }) => device)).toEqual(toyDevices.map(({ name }) => name));
    const facility = await connect(addresses[0], { retry: { deadlineMs: 1000 } });
    closers.push(() => facility.close());
    const control = await facility.ec.control(3, { name: "here", reason: "a long way" });
    const { done } = await control.axis(axis).start(90_000);
    await control.shutter("bl3_lh1_shutter1").open();
    expect([toy.isMoving(axis), toy.isOpen("bl3_lh1_shutter1")]).toEqual([true, true]);
    expect(await served.stop()).toBe(0);
    expect([toy.isMoving(axis), toy.isOpen("bl3_lh1_shutter1")]).toEqual([false, false]);
    await expect(done).rejects.toThrow();
    expect(served.err()).toMatch(/"how":"closed".*"lease ended"/);

    // What a process that was killed leaves in its file.
    const line = (entry: object): string => JSON.stringify({ time: "2026-11-22T00:00:00.000Z", bl: 3, ...entry });
    const killed = [
      { event: "taken", name: "dead", reason: "crash" },
      { event: "touched", device: "bl3_lh1_shutter1", kind: "shutter" },
    ];
    writeFileSync(leases, killed.map(line).join("\n"));
    await toy.setShutter("bl3_lh1_shutter1", true);
    const next = await serving(...args);
    await until(() => !toy.isOpen("bl3_lh1_shutter1"));
    await until(() => next.err().includes("killed"));
    expect(readFileSync(leases, "utf8")).toContain('"how":"killed"');
  });

  it("touches nothing while another one serves with the same file of leases, and says who", async () => {
    const { toy, port } = await madocaServer();
    const experiment = experimentFile("second.json", port);
    const args = ["sim:?clock=virtual", "--madoca", experiment, "--leases", path("second.jsonl"), "--json"];
    const first = await serving(...args, "--http", "127.0.0.1:0");
    const [url = ""] = (JSON.parse(first.out) as { addresses: string[] }).addresses;
    const facility = await connect(url, { retry: { deadlineMs: 1000 } });
    closers.push(() => facility.close());
    const control = await facility.ec.control(3, { name: "first", reason: "a long way" });
    await control.axis(axis).start(90_000);
    await control.shutter("bl3_lh1_shutter1").open();
    const [calls, written] = [toy.calls.length, readFileSync(path("second.jsonl"), "utf8")];
    const second = await cli(["serve", ...args, "--http", "127.0.0.1:0"]);
    expect([second.code, JSON.parse(second.out)]).toEqual([
      1,
      {
        error: expect.objectContaining({
          code: "FILE_IN_USE",
          message: expect.stringMatching(/process \d+ of .* at http:\/\/127\.0\.0\.1:\d+\. Another sacla serve/),
          details: expect.objectContaining({ pid: process.pid, addresses: [url] }),
        }),
      },
    ]);
    expect([toy.isMoving(axis), toy.isOpen("bl3_lh1_shutter1")]).toEqual([true, true]);
    expect([toy.calls.length, readFileSync(path("second.jsonl"), "utf8")]).toEqual([calls, written]);
    await control.release();
    expect(await first.stop()).toBe(0);
    // Given back, so that the next one has it without a word.
    const third = await serving(...args, "--http", "127.0.0.1:0");
    expect([await third.stop(), third.err()]).toEqual([0, expect.not.stringContaining("has ended")]);
  });

  it("makes nothing good before it has its addresses, and then says whom it took the file over from", async () => {
    const { toy, port } = await madocaServer();
    const experiment = experimentFile("bound.json", port);
    const leases = path("bound.jsonl");
    const args = ["sim:?clock=virtual", "--madoca", experiment, "--leases", leases, "--json"];
    await (await serving(...args, "--http", "127.0.0.1:0")).stop();
    // Killed with its shutter open.
    const line = (entry: object): string => JSON.stringify({ time: "2026-11-22T00:00:00.000Z", bl: 3, ...entry });
    const lines = [
      line({ event: "taken", name: "dead", reason: "crash" }),
      line({ event: "touched", device: "bl3_lh1_shutter1", kind: "shutter" }),
    ];
    writeFileSync(leases, lines.map((one) => `${one}\n`).join(""));
    const claims = readFileSync(`${leases}.owner`, "utf8").split("\n");
    writeFileSync(`${leases}.owner`, claims.filter((one) => !one.includes('"gone"')).join("\n"));
    asKilled(leases);
    await toy.setShutter("bl3_lh1_shutter1", true);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const taken = typeof address === "object" && address !== null ? address.port : 0;
    const refused = await cli(["serve", ...args, "--http", `127.0.0.1:${taken}`]);
    await new Promise((resolve) => other.close(resolve));
    expect([refused.code, refused.out]).toEqual([1, expect.stringContaining("another program listens there")]);
    expect(refused.err).toMatch(/another program has its process id now/);
    expect(toy.isOpen("bl3_lh1_shutter1")).toBe(true);
    const next = await serving(...args, "--http", `127.0.0.1:${taken}`);
    await until(() => !toy.isOpen("bl3_lh1_shutter1"));
    await until(() => next.err().includes("killed"));
    expect(await next.stop()).toBe(0);
  });

  it("serves nothing when no lease can be written down", async () => {
    const { toy, port } = await madocaServer();
    const experiment = experimentFile("nowhere.json", port);
    const leases = join(folder, "not-there", "leases.jsonl");
    const args = ["sim:?clock=virtual", "--madoca", experiment, "--leases", leases, "--http", "127.0.0.1:0"];
    const { code, err } = await cli(["serve", ...args]);
    expect([code, err]).toEqual([1, expect.stringMatching(/WRITE_FAILED: .*its folder is not there.*--leases/)]);
    expect(toy.calls).toEqual([]);
  });

  it("serves nothing when the server does not answer, or not as MADOCA does, and says what to look at", async () => {
    const { toy, server, port } = await madocaServer();
    const refused = async (experiment: string, ...args: string[]) => {
      const { code, out, err } = await cli(
        ["serve", "sim:?clock=virtual", "--madoca", experiment, "--leases", path("none.jsonl"), ...args],
        {
          signal: AbortSignal.abort(),
        },
      );
      expect(out).toBe("");
      return [code, err];
    };
    const nobody = experimentFile("nobody.json", 1);
    expect(await refused(nobody)).toEqual([
      1,
      expect.stringMatching(/UNREACHABLE: The MADOCA server 127\.0\.0\.1:1.*Nothing is served\..*nobody\.json/),
    ]);
    server.scripted.set(`get/${objectOf("bl3_st2_pm004")}/query`, "silence");
    const silent = experimentFile("silent.json", port);
    expect(await refused(silent)).toEqual([
      1,
      expect.stringMatching(/TIMEOUT: .*get\/bl_3_st2_pm004\/query.*Nothing is served/),
    ]);
    server.scripted.clear();
    const web = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const webPort = await new Promise<number>((resolve) =>
      web.listen(0, "127.0.0.1", () => {
        const address = web.address();
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      }),
    );
    expect(await refused(experimentFile("web.json", webPort))).toEqual([
      1,
      expect.stringMatching(/BAD_MESSAGE: .*HTTP\/1\.1 400.*Nothing is served/),
    ]);
    web.close();
    const unknown = experimentFile("unknown.json", port, {
      axes: { x: { device: "bl3_st2_pm040", unit: "mm", pulsesPerUnit: 1000, limits: [0, 1] } },
    });
    expect(await refused(unknown)).toEqual([1, expect.stringMatching(/UNKNOWN_DEVICE: .*bl3_st2_pm040/)]);
    expect(await refused(experimentFile("without.json", port, { madoca: undefined }))).toEqual([
      2,
      expect.stringContaining('has no part "madoca"'),
    ]);
    expect(toy.calls).toEqual([]);
    expect(existsSync(path("none.jsonl"))).toBe(false);
  });

  it("does what docs/control.md shows, line by line, against the simulated MADOCA server", async () => {
    const page = readFileSync(new URL("../../../docs/control.md", import.meta.url), "utf8");
    const shown = page.slice(page.indexOf("<!-- madoca -->"), page.indexOf("<!-- /madoca -->"));
    const [, json = ""] = /```json\n([\s\S]*?)```/.exec(shown) ?? [];
    const lines = [...shown.matchAll(/^sacla ([^#\n]+?)(?: +#.*)?$/gm)].map(([, line = ""]) => line.trim().split(" "));
    const [rehearsal, serve, ...commands] = lines;
    expect([rehearsal?.[0], serve?.[0], commands.length]).toEqual(["madoca-rehearsal", "serve", 6]);
    const file = path("madoca.json");
    // The port of the page may be taken on this computer.
    writeFileSync(file, json.replace("10101", String(await freePort())));
    const here = (line: readonly string[] = []): string[] => line.map((word) => (word === "madoca.json" ? file : word));
    const server = await running(here(rehearsal));
    expect(server.out).toContain("with 3 simulated devices");
    const served = await running([...here(serve), "--zmq", "tcp://127.0.0.1:*", "--leases", path("docs.jsonl")]);
    expect(served.out).toMatch(/\ndelay +bl3_st2_pm001 +bl_3_st2_motor_1 +axis +ready +80 +ps +-10 … 300\n/);
    const base = ["--url", /SACLA_URL=(\S+)/.exec(served.out)?.[1] ?? "", "--experiment", file];
    const answers: [code: number, out: string][] = [];
    for (const command of commands) {
      const { code, out, err } = await cli([...command, ...base]);
      answers.push([code, out + err]);
    }
    expect(answers).toEqual([
      [0, expect.stringMatching(/pulses +bl3_selector1 +selector +ready +1 /)],
      [0, expect.stringContaining("delay is at 82")],
      [0, expect.stringContaining("pulses is single")],
      [0, expect.stringContaining("xrays is open")],
      [0, expect.stringContaining("xrays is closed")],
      [1, expect.stringContaining("its limits are -10 to 300 ps")],
    ]);
    expect([await served.stop(), await server.stop()]).toEqual([0, 0]);
  });

  it("is rehearsed on this computer alone, with devices that are simulated", async () => {
    const rehearse = async (experiment: string) => {
      const { code, err } = await cli(["madoca-rehearsal", experiment], { signal: AbortSignal.abort() });
      return [code, err];
    };
    const port = await freePort();
    expect(await rehearse(experimentFile("toys.json", port))).toEqual([
      1,
      expect.stringMatching(/UNKNOWN_DEVICE: Beamline 3 has no axis "bl3_st2_pm002"/),
    ]);
    const far = experimentFile("far.json", port, { madoca: { host: "server.example", devices: [] } });
    expect(await rehearse(far)).toEqual([2, expect.stringContaining('"127.0.0.1"')]);
    expect(await rehearse(experimentFile("no-part.json", port, { madoca: undefined }))).toEqual([
      2,
      expect.stringContaining("to rehearse"),
    ]);
    const { port: taken } = await madocaServer();
    const none = experimentFile("taken.json", taken, { madoca: { host: "localhost", port: taken, devices: [] } });
    expect(await rehearse(none)).toEqual([1, expect.stringMatching(/UNREACHABLE: .*EADDRINUSE/)]);
  });

  it("puts real devices beside simulated data only when told so", async () => {
    const { code, err } = await cli(["serve", "--madoca", experimentFile("real.json", 1)], {
      signal: AbortSignal.abort(),
    });
    expect([code, err]).toEqual([2, expect.stringContaining("sim: to rehearse")]);
  });
});
