import { type ChildProcess, execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { connect } from "../../src/connect.ts";
import { isSaclaError } from "../../src/core/errors.ts";
import type { Endpoint } from "../../src/transport/endpoint.ts";
import { withRecording } from "../../src/transport/wrappers/with-recording.ts";
import { makeCertificate } from "../support/certificate.ts";
import { type Finished, sacla } from "../support/cli.ts";
import { cli } from "../support/fake-io.ts";
import { cases, itInFull } from "../support/full.ts";
import { itNeeding, pythonWith } from "../support/optional.ts";
import { childrenOf, isAlive } from "../support/processes.ts";
import { temporaryFolder } from "../support/temporary.ts";

const folder = temporaryFolder();
const fixture = fileURLToPath(new URL("../../fixtures/tiny-octal.h5", import.meta.url));
const isLinux = existsSync("/proc/self/task");
const BL = 3;
const LIVE = "MPCCD-2N0-M02-001";
const MONITOR = "xfel_bl_3_tc_bm_1_pd/charge";
const karabo = pythonWith("karabo_bridge");

interface Ready {
  readonly addresses: readonly string[];
  readonly karaboBridge?: string;
}
interface Serving extends Ready {
  readonly child: ChildProcess;
  /** Where its local sockets are. */
  readonly temporary: string;
  readonly ended: Promise<Finished>;
}

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
});

let servers = 0;

/** `sacla serve` in a process of its own, once it says that it is ready. */
async function serving(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Serving> {
  const temporary = join(folder, `tmp${servers++}`);
  mkdirSync(temporary);
  let ready: (text: string) => void = () => {};
  const said = new Promise<string>((resolve) => {
    ready = resolve;
  });
  let child: ChildProcess | undefined;
  const ended = sacla(folder, ["serve", ...args, "--json"], { TMPDIR: temporary, ...env }, (process, out) => {
    if (child === undefined) running.push(process);
    child = process;
    if (out.endsWith("\n")) ready(out);
  });
  const first = await Promise.race([said, ended]);
  if (typeof first !== "string" || child === undefined) throw new Error(`it ended: ${JSON.stringify(first)}`);
  return { ...(JSON.parse(first) as Ready), child, temporary, ended };
}

/** It ended as documented and left neither a process nor a file. */
async function expectGone({ child, ended, temporary }: Serving, reading: readonly number[]): Promise<string> {
  const { code, err } = await ended;
  const left = readdirSync(temporary).filter((name) => name.startsWith("sacla-"));
  expect([code, child.signalCode, left, reading.filter(isAlive)]).toEqual([0, null, [], []]);
  return err;
}

const readingOf = ({ child }: Serving): number[] => childrenOf(child.pid ?? 0, "reading-process");

/** The newest run that has ended: on `sim:` the one after it begins and ends as time goes on. */
async function endedRun({ endpoint }: { readonly endpoint: Endpoint }): Promise<number> {
  const [number = 0] = await endpoint.call("db.listRuns", { bl: BL, last: 2 });
  return number;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => "ok",
    (error: unknown) => (isSaclaError(error) ? error.code : String(error)),
  );
}

/** `sacla serve` of one source; `use` gets its address. */
async function served(source: string, use: (address: string) => Promise<void>): Promise<void> {
  const server = await serving([source, "--zmq", `ipc://${join(folder, `s${servers++}`)}`]);
  try {
    await use(server.addresses[0] ?? "");
  } finally {
    server.child.kill("SIGINT");
  }
  await expectGone(server, []);
}

describe("sacla serve with its reads in another process", () => {
  it("over CURVE with proofs, tokens and TLS: control, reads and streams as by one server", async () => {
    const keys = join(folder, "keys.json");
    const made = async (name: string, role: string): Promise<{ keyFile: string; token: string }> => {
      const keyFile = join(folder, `${name}.key`);
      await cli(["keys", "new", `${name} node`, "--role", role, "--curve", keyFile, "--keys", keys]);
      const { out } = await cli(["keys", "new", name, "--role", role, "--keys", keys, "--json"]);
      return { keyFile, token: (JSON.parse(out) as { token: string }).token };
    };
    const [leader, guest] = [await made("leader", "control"), await made("guest", "read")];
    const certificate = makeCertificate(folder);
    const server = await serving([
      "sim:",
      ...["--zmq", "tcp://127.0.0.1:*", "--http", "127.0.0.1:0", "--keys", keys],
      ...["--karabo-bridge", "tcp://127.0.0.1:*"],
      ...(certificate === undefined ? [] : ["--tls-cert", certificate.cert, "--tls-key", certificate.key]),
    ]);
    const [zmq = "", http = ""] = server.addresses;
    await using leading = await connect(zmq, { keyFile: leader.keyFile });
    await using reading = await connect(zmq, { keyFile: guest.keyFile });
    // Live shots, to a reader by CURVE: pixels, values and tags that rise.
    const live: number[] = [];
    const following = { bl: BL, detectors: [LIVE], signals: [MONITOR], policy: "every", limit: 3 } as const;
    for await (const shot of reading.live.shots(following)) {
      live.push(shot.tag);
      expect(shot.images[`${LIVE}-1`]?.data.some((value) => value !== 0)).toBe(true);
      expect(Number.isFinite(shot.number(MONITOR))).toBe(true);
      if (live.length === 3) break;
    }
    expect(live.toSorted((a, b) => a - b)).toEqual(live);
    expect(new Set(live).size).toBe(3);
    const { endpoint } = leading;
    const { lease } = await endpoint.call("lease.take", { bl: BL, name: "leader", reason: "test", ttlMs: 60_000 });
    const axis = "bl3_st2_pm001";
    await endpoint.call("ec.move", { bl: BL, lease, axis, pulses: 40_000 });
    const stopping = { bl: BL, axis };
    expect(await codeOf(reading.endpoint.call("ec.stop", stopping))).toBe("NOT_ALLOWED");
    expect(await codeOf(endpoint.call("ec.stop", stopping))).toBe("ok");
    for (const facility of [leading, reading]) {
      const number = await endedRun(facility);
      const detectors = (await facility.db.readDetidlist(BL, number)).filter((id) => id.endsWith("-1")).slice(0, 1);
      const tags = (await facility.db.readTaglistByrun(BL, number)).slice(0, 2);
      const seen: number[] = [];
      for await (const { tag } of facility.shots({ run: { bl: BL, number }, detectors, tags })) seen.push(tag);
      expect(seen).toEqual([...tags]);
    }
    const ask = async (path: string, token?: string): Promise<number | undefined> => {
      if (certificate === undefined) {
        const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
        return (await fetch(`${http}${path}`, { headers })).status;
      }
      return await new Promise((resolve, reject) => {
        const options = { ca: readFileSync(certificate.cert), agent: false, servername: "localhost" };
        const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
        request(`${http}${path}`, { ...options, headers }, (answer) => {
          answer.resume().on("end", () => resolve(answer.statusCode));
        })
          .on("error", reject)
          .end();
      });
    };
    for (const path of ["/v1/db/listRuns?bl=3&last=2", "/v1/ec/devices?bl=3"])
      expect([await ask(path), await ask(path, guest.token), await ask(path, leader.token)]).toEqual([401, 200, 200]);
    expect(server.karaboBridge).toMatch(/^tcp:/);
    server.child.kill("SIGTERM");
    await expectGone(server, []);
  });

  itNeeding(
    karabo !== undefined,
    "no Python with karabo_bridge",
    "gives the client of karabo-bridge live shots",
    async () => {
      const bridge = ["--karabo-bridge", "tcp://127.0.0.1:*", "--karabo-detector", LIVE, "--karabo-signal", MONITOR];
      const server = await serving(["sim:", "--zmq", "tcp://127.0.0.1:*", ...bridge]);
      const client = fileURLToPath(new URL("../support/karabo-client.py", import.meta.url));
      const { stdout } = await promisify(execFile)(karabo ?? "", [client, server.karaboBridge ?? "", "3"]);
      const shots = stdout
        .trim()
        .split("\n")
        .map(
          (line) => JSON.parse(line) as Record<string, { meta: Record<string, number>; data: Record<string, unknown> }>,
        );
      const tags = shots.map((shot) => shot[MONITOR]?.meta["timestamp.tid"] ?? NaN);
      expect(tags.toSorted((a, b) => a - b)).toEqual(tags);
      for (const shot of shots) {
        expect(shot[MONITOR]?.data["value"]).toEqual(expect.any(Number));
        const sensors = Object.keys(shot).filter((name) => name.startsWith(LIVE));
        expect(sensors).toHaveLength(2);
        for (const name of sensors)
          expect(shot[name]?.data["image.data"]).toMatchObject({ sum: expect.any(Number), shape: [1024, 512] });
      }
      server.child.kill("SIGTERM");
      await expectGone(server, []);
    },
  );

  itNeeding(
    isLinux,
    "needs /proc",
    "its reading process dies: control goes on, reads fail with a code and come back",
    async () => {
      const server = await serving(["sim:", "--zmq", "tcp://127.0.0.1:*", "--http", "127.0.0.1:0"]);
      const [zmq = "", http = ""] = server.addresses;
      const patient = { attempts: 1000, firstWaitMs: 100, longestWaitMs: 500 };
      await using once = await connect(zmq, { retry: { attempts: 1 } });
      await using again = await connect(zmq, { retry: patient });
      await using overHttp = await connect(http, { retry: patient });
      const { endpoint } = once;
      const axis = "bl3_st2_pm001";
      const { lease } = await endpoint.call("lease.take", { bl: BL, name: "holder", reason: "test", ttlMs: 300_000 });
      await endpoint.call("ec.setSpeed", { bl: BL, lease, axis, pulsesPerSecond: 1000 });
      const run = await endedRun(again);
      const detectors = (await again.db.readDetidlist(BL, run)).filter((id) => id.endsWith("-1")).slice(0, 1);
      const tags = (await again.db.readTaglistByrun(BL, run)).slice(0, 40);
      const asked = { run: { bl: BL, number: run }, detectors, tags };
      const first = readingOf(server);
      expect(first).toHaveLength(1);
      const streams = [again, overHttp].map(async (facility) => {
        const seen: number[] = [];
        for await (const { tag } of facility.shots(asked)) {
          seen.push(tag);
          if (seen.length === 5 && facility === again) process.kill(first[0] ?? NaN, "SIGKILL");
        }
        return seen;
      });
      let areStreaming = true;
      const streamed = Promise.all(streams).finally(() => {
        areStreaming = false;
      });
      const waiting: unknown = await codeOf(
        (async () => {
          while (areStreaming) await endpoint.call("db.listRuns", { bl: BL, last: 1 });
          await streamed;
        })(),
      );
      expect(waiting).toBe("UNREACHABLE");
      expect((await fetch(`${http}/v1/db/listRuns?bl=3&last=1`)).status).toBe(503);
      // The lease is held, and the axis goes and stops.
      await endpoint.call("lease.renew", { bl: BL, lease });
      await endpoint.call("ec.move", { bl: BL, lease, axis, pulses: 30_000 });
      await endpoint.call("ec.stop", { bl: BL, axis });
      expect(await streamed).toEqual([[...tags], [...tags]]);
      const second = readingOf(server);
      expect([second.length, second[0] === first[0]]).toEqual([1, false]);
      // What was done while it was away has been done in its shots, too.
      const speeds = await endpoint.call("ec.devices", { bl: BL });
      expect(speeds.find(({ name }) => name === axis)).toMatchObject({ speed: 1000 });
      await endpoint.call("lease.renew", { bl: BL, lease });
      server.child.kill("SIGINT");
      const err = await expectGone(server, [...first, ...second]);
      expect(err).toContain('"reason":"it ended by SIGKILL"');
    },
  );

  itNeeding(
    isLinux,
    "needs /proc",
    "ends with 0 at Ctrl+C while its reading process hangs, and leaves nothing",
    async () => {
      const server = await serving(["sim:", "--zmq", "tcp://127.0.0.1:*", "--http", "127.0.0.1:0"]);
      const [, http = ""] = server.addresses;
      const reading = readingOf(server);
      process.kill(reading[0] ?? NaN, "SIGSTOP");
      const open = codeOf(fetch(`${http}/v1/db/listRuns?bl=3&last=1`));
      expect((await fetch(`${http}/v1/ec/beam?bl=3`)).status).toBe(200);
      server.child.kill("SIGINT");
      await expectGone(server, reading);
      expect(await open).not.toBe("ok");
    },
  );

  itNeeding(isLinux, "needs /proc", "its reading process ends when it is killed", async () => {
    const server = await serving(["sim:", "--http", "127.0.0.1:0"]);
    const reading = readingOf(server);
    server.child.kill("SIGKILL");
    await server.ended;
    await expect.poll(() => reading.filter(isAlive)).toEqual([]);
  });

  it("serves a file, a folder, a recording, and another server, which say the same of themselves as directly", async () => {
    const recording = join(folder, "night.recording");
    await using file = await connect(fixture);
    const recorded = await withRecording(file.endpoint, recording);
    await recorded.call("facility.describe", {});
    await recorded.call("db.listRuns", { bl: 2, last: 1 });
    await recorded.close();
    mkdirSync(join(folder, "night"));
    writeFileSync(join(folder, "night", "run.h5"), readFileSync(fixture));
    const sources = [`file:${join(folder, "night")}`, `recording:${recording}`];
    for (const source of cases(sources, 1)) {
      await using direct = await connect(source);
      await served(source, async (first) => {
        // The folder once more through another server.
        const throughTwo =
          source === sources[0] ? served : async (_: string, use: (address: string) => unknown) => use(first);
        await throughTwo(first, async (second) => {
          for (const address of new Set([first, second])) {
            await using there = await connect(address);
            // A server answers what the page asks, too.
            const { methods, ...about } = await there.endpoint.call("facility.describe", {});
            const own = methods.filter((method) => !method.startsWith("page."));
            expect({ ...about, methods: own }, source).toEqual(await direct.endpoint.call("facility.describe", {}));
            expect(await there.endpoint.call("db.listRuns", { bl: 2, last: 1 }), source).toEqual([300001]);
            expect(await codeOf(there.endpoint.call("ec.devices", { bl: 2 })), source).toMatch(
              /UNSUPPORTED|NOT_RECORDED|BAD_MESSAGE/,
            );
          }
        });
      });
    }
  });

  it("says why a source cannot be opened, with the exit code of its error", async () => {
    const failure = async (...args: string[]): Promise<[number | null, string]> => {
      const { code, err } = await sacla(folder, ["serve", ...args, "--zmq", `ipc://${join(folder, "failing")}`]);
      return [code, err];
    };
    const taken = ["--karabo-bridge", `ipc://${join(folder, "no", "such")}`];
    const failures: readonly [args: readonly string[], exit: number, code: string][] = [
      [[join(folder, "none.h5")], 1, "FILE_NOT_FOUND"],
      [["sim:?sed=1"], 2, "BAD_URL"],
      [["sim:", ...taken], 1, "UNREACHABLE"],
    ];
    for (const [args, exit, code] of cases(failures, 0))
      expect(await failure(...args)).toEqual([exit, expect.stringContaining(code)]);
  });

  itInFull("ends with 0 at a Ctrl+C before it is ready", async () => {
    const { code, out } = await cli(["serve", "sim:", "--zmq", `ipc://${join(folder, "early")}`], {
      signal: AbortSignal.abort(),
    });
    expect([code, out]).toEqual([0, ""]);
  });
});
