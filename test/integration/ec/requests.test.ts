import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { type AcceleratorSide, RequestLog, withControl } from "../../../src/ec/index.ts";
import { requestsOf } from "../../../src/ec/requests/request-state.ts";
import { verdict } from "../../../src/ec/requests/verdict.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import type { Evidence } from "../../../src/transport/request-methods.ts";
import { chicane, chicaneSignal, HostileMachine, says } from "../../support/hostile-machine.ts";
import { asKilled } from "../../support/owned-file.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";
import { until } from "../../support/until.ts";

const bl = 3;
const folder = temporaryFolder();
const closing: Endpoint[] = [];
afterEach(async () => {
  for (const endpoint of closing.splice(0)) await endpoint.close();
});

async function open(answer?: AcceleratorSide["answer"], requests?: RequestLog) {
  const machine = new HostileMachine(new Random(1));
  const served = serve(machine, answer, requests);
  const { lease } = await served.call("lease.take", { bl, name: "night shift", reason: "test", ttlMs: 60_000 });
  return { machine, endpoint: served, lease };
}

function serve(machine: HostileMachine, answer?: AcceleratorSide["answer"], requests?: RequestLog): Endpoint {
  const options = requests === undefined ? {} : { requests };
  const endpoint = inProcess(
    withControl(
      endpointOf(tinySource()),
      machine.driver(() => true, answer),
      options,
    ),
  );
  closing.push(endpoint);
  return endpoint;
}

const propose = async (endpoint: Endpoint, lease: string, to: number, answerMs = 5000) =>
  await endpoint.call("request.propose", {
    ...{ bl, lease, parameter: chicane.name, to, reason: "pump-probe", verification: null, answerMs },
  });
const stateOf = async (endpoint: Endpoint, id: number) =>
  (await endpoint.call("request.list", { bl, last: 20 })).find((request) => request.id === id);
const becomes = async (endpoint: Endpoint, id: number, state: string) => {
  await until(async () => (await stateOf(endpoint, id))?.state === state);
  return await stateOf(endpoint, id);
};
const eventsOf = async (endpoint: Endpoint) =>
  (await endpoint.call("request.log", { bl, after: 0, most: 1000 })).map(({ event }) => event);
const evidence = (machine: HostileMachine, mean: number, standardError = 0.5): Evidence => {
  const first = [202501, machine.tag + 10] as const;
  return { signal: chicaneSignal, mean, standardError, shots: 20, first, last: first };
};
const answer = (endpoint: Endpoint, id: number, what: ReturnType<typeof says>) =>
  endpoint.call("request.answer", { bl, id, ...what });

describe("a request", () => {
  it("is kept when operators accept it, the machine arrives, and 0-D signals show it", async () => {
    const { machine, endpoint, lease } = await open();
    const { id, from, to, state } = await propose(endpoint, lease, 60);
    expect([from, to, state]).toEqual([0, 60, "waiting"]);
    expect(machine.sets).toEqual([]);
    await answer(endpoint, id, says("accept"));
    const verifying = await becomes(endpoint, id, "verifying");
    expect(verifying?.operator).toBe("shift leader");
    expect(verifying?.verifyFrom?.[1]).toBeGreaterThan(1000);
    // Shots from before it had settled, of another signal, and a mean elsewhere prove nothing.
    const good = evidence(machine, 60);
    const keep = (shown: Evidence) => endpoint.call("request.keep", { bl, lease, id, evidence: shown });
    await expect(keep({ ...good, first: [202501, 1000] })).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(keep({ ...good, signal: "another/one" })).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(keep({ ...good, mean: 64.5 })).rejects.toMatchObject({ code: "NOT_VERIFIED" });
    expect((await keep(good)).state).toBe("kept");
    expect(machine.sets).toEqual([60]);
    expect(await eventsOf(endpoint)).toEqual(["proposed", "accepted", "ramping", "arrived", "kept"]);
  });

  it("stands in its log with who said what, why and at which shot", async () => {
    const { endpoint, lease } = await open();
    const { id } = await propose(endpoint, lease, 60);
    await answer(endpoint, id, says("decline", null, "injection comes first"));
    const log = await endpoint.call("request.log", { bl, after: 0, most: 1000 });
    expect(log).toMatchObject([
      {
        event: "proposed",
        by: "night shift",
        why: "pump-probe",
        data: { parameter: chicane.name, from: 0, asked: 60 },
      },
      { event: "declined", by: "shift leader", why: "injection comes first" },
    ]);
    for (const { shot } of log) expect(shot?.[1]).toBeGreaterThanOrEqual(1000);
    expect(requestsOf(log).get(id)).toEqual(await stateOf(endpoint, id));
  });

  it("is not put to the operators outside the range, over the step, too often, while the machine is tuned", async () => {
    const { machine, endpoint, lease } = await open();
    await expect(propose(endpoint, lease, 301)).rejects.toMatchObject({
      code: "LIMIT",
      message: expect.stringMatching(/0 to 300 fs/),
    });
    await expect(propose(endpoint, lease, 101)).rejects.toMatchObject({
      code: "LIMIT",
      message: expect.stringMatching(/Ask for 100 first/),
    });
    machine.mode = "tuning";
    await expect(propose(endpoint, lease, 60)).rejects.toMatchObject({ code: "INTERLOCK" });
    machine.mode = "normal";
    const { id } = await propose(endpoint, lease, 60);
    await expect(propose(endpoint, lease, 70)).rejects.toMatchObject({
      code: "DEVICE_BUSY",
      message: expect.stringMatching(/Request 4/),
    });
    await answer(endpoint, id, says("decline"));
    machine.perMinute = 1;
    await expect(propose(endpoint, lease, 70)).rejects.toMatchObject({ code: "TOO_MANY_REQUESTS" });
    await expect(propose(endpoint, "made up", 70)).rejects.toMatchObject({ code: "LEASE_LOST" });
    expect(machine.sets).toEqual([]);
    expect((await eventsOf(endpoint)).filter((event) => event === "refused")).toHaveLength(5);
  });

  it("takes another value only when its requester agrees", async () => {
    const { machine, endpoint, lease } = await open();
    const { id } = await propose(endpoint, lease, 80);
    await expect(answer(endpoint, id, says("change", 400))).rejects.toMatchObject({ code: "LIMIT" });
    await expect(answer(endpoint, id, says("change"))).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    expect(await answer(endpoint, id, says("change", 40, "half of it"))).toMatchObject({ state: "offered", to: 40 });
    expect(machine.sets).toEqual([]);
    await endpoint.call("request.agree", { bl, lease, id });
    await becomes(endpoint, id, "verifying");
    expect(machine.sets).toEqual([40]);
    const { state, asked, to } = await endpoint.call("request.keep", {
      ...{ bl, lease, id, evidence: evidence(machine, 40) },
    });
    expect([state, asked, to]).toEqual(["kept", 80, 40]);
  });

  it("expires without an answer, and takes none afterwards", async () => {
    const { machine, endpoint, lease } = await open();
    const { id } = await propose(endpoint, lease, 60, 30);
    expect((await becomes(endpoint, id, "expired"))?.why).toMatch(/no answer/);
    await expect(answer(endpoint, id, says("accept"))).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    expect(machine.sets).toEqual([]);
  });

  it("is put back when it is cancelled, stopped by the operators, or its lease ends", async () => {
    const { machine, endpoint, lease } = await open();
    const underWay = async (): Promise<number> => {
      const { id } = await propose(endpoint, lease, 60);
      await answer(endpoint, id, says("accept"));
      await becomes(endpoint, id, "verifying");
      return id;
    };
    const first = await underWay();
    await endpoint.call("request.cancel", { bl, id: first, by: "night shift", why: "wrong delay" });
    expect((await becomes(endpoint, first, "rolled-back"))?.why).toBe("night shift: wrong delay");
    await expect(
      endpoint.call("request.keep", { bl, lease, id: first, evidence: evidence(machine, 60) }),
    ).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    const second = await underWay();
    await answer(endpoint, second, says("stop", null, "klystron"));
    expect((await becomes(endpoint, second, "rolled-back"))?.why).toMatch(/shift leader stopped it: klystron/);
    const third = await underWay();
    await endpoint.call("lease.release", { bl, lease });
    expect((await becomes(endpoint, third, "rolled-back"))?.why).toMatch(/lease.*released/);
    expect(machine.value).toBe(0);
    const next = await endpoint.call("lease.take", { bl, name: "day shift", reason: "test", ttlMs: 60_000 });
    expect(next.previous?.done).toEqual([`request ${third}: ${chicane.name} is put back to 0`]);
  });

  it("is put back when the machine does not come, and tried again until it does", async () => {
    const { machine, endpoint, lease } = await open();
    machine.hostility = { stuck: 1, refused: 0, silent: 0, broken: 0 };
    const { id } = await propose(endpoint, lease, 60);
    await answer(endpoint, id, says("accept"));
    expect((await becomes(endpoint, id, "rolling-back"))?.why).toMatch(/stays at 30/);
    machine.hostility = { stuck: 0, refused: 0, silent: 0, broken: 0 };
    await becomes(endpoint, id, "rolled-back");
    expect(machine.value).toBe(0);
  });

  it("is the only way: what belongs to the accelerator cannot be set", async () => {
    const { machine, endpoint, lease } = await open();
    await expect(endpoint.call("ec.set", { bl, lease, setting: chicane.name, value: 60 })).rejects.toMatchObject({
      code: "LIMIT",
      message: expect.stringContaining("sacla requests ask bl3_chicane1=VALUE"),
    });
    expect(machine.sets).toEqual([]);
  });
});

describe("a process that dies", () => {
  it("leaves a log by which the next one withdraws what waits and puts back what is under way", async () => {
    const path = join(folder, "requests.jsonl");
    const first = await open(undefined, await RequestLog.open(path));
    const { id } = await propose(first.endpoint, first.lease, 60);
    await answer(first.endpoint, id, says("accept"));
    await becomes(first.endpoint, id, "verifying");
    // The lines that the first process had written when it was killed, the last of them half.
    const { machine } = first;
    const dead = join(folder, "dead");
    mkdirSync(dead);
    const copy = join(dead, "requests.jsonl");
    appendFileSync(copy, readFileSync(path, "utf8"));
    appendFileSync(copy, '{"n":5,"time":"2026-');
    appendFileSync(`${copy}.owner`, readFileSync(`${path}.owner`, "utf8"));
    asKilled(copy);
    const log = await RequestLog.open(copy);
    expect([log.entries.length, log.damage]).toEqual([4, ""]);
    const second = serve(machine, undefined, log);
    expect((await becomes(second, id, "rolled-back"))?.why).toMatch(/process.*has ended/);
    expect(machine.value).toBe(0);
    await expect(RequestLog.open(copy)).rejects.toMatchObject({ code: "FILE_IN_USE" });
  });

  it("is followed by one that sees which lines are damaged, and puts back all the same", async () => {
    const path = join(folder, "damaged.jsonl");
    const data = {
      parameter: chicane.name,
      unit: "fs",
      from: 10,
      asked: 60,
      verification: { signal: chicaneSignal, tolerance: 5, ranges: null, settleShots: 3, mostShots: 40 },
    };
    const line = (n: number, event: string, more: object = {}) =>
      `${JSON.stringify({ n, time: "2026-01-01T00:00:00Z", bl, id: 1, event, shot: null, by: "x", why: "y", data: more })}\n`;
    // The lines between are lost.
    appendFileSync(path, `${line(1, "proposed", data)}{"n":2}\n${line(4, "arrived", { verifyFrom: null })}`);
    const log = await RequestLog.open(path);
    expect(log.damage).toMatch(/line 2.*ask the operators/);
    const endpoint = serve(new HostileMachine(new Random(1)), undefined, log);
    expect(await becomes(endpoint, 1, "rolled-back")).toMatchObject({ to: 10 });
  });

  it("has a log that the disk takes no more: nothing begins, and what is under way is put back", async () => {
    const path = join(folder, "full", "requests.jsonl");
    mkdirSync(join(folder, "full"));
    const log = await RequestLog.open(path);
    const { machine, endpoint, lease } = await open(undefined, log);
    const { id } = await propose(endpoint, lease, 60);
    await answer(endpoint, id, says("accept"));
    await becomes(endpoint, id, "verifying");
    const full = vi.spyOn(log, "begin").mockImplementation(() => {
      throw new Error("ENOSPC");
    });
    await expect(
      endpoint.call("request.keep", { bl, lease, id, evidence: evidence(machine, 60) }),
    ).rejects.toMatchObject({ message: expect.stringMatching(/ENOSPC/) });
    await endpoint.call("request.cancel", { bl, id, by: "night shift", why: "disk full" });
    await becomes(endpoint, id, "rolled-back");
    await expect(propose(endpoint, lease, 60)).rejects.toMatchObject({ message: expect.stringMatching(/ENOSPC/) });
    full.mockRestore();
    expect(machine.value).toBe(0);
  });
});

describe("the verdict", () => {
  it("is yes or no only when the whole interval of 95 % is in or out, and open otherwise", () => {
    const range = [55, 65] as const;
    const of = (mean: number, standardError: number, shots = 20) => verdict({ mean, standardError, shots }, range);
    expect([of(60, 1), of(60, 2.6), of(64, 1), of(70, 1), of(66, 0.4), of(60, 1, 9), of(NaN, 1)]).toEqual([
      ...["yes", "open", "open", "no", "no", "open", "open"],
    ]);
    expect(verdict({ mean: 1, standardError: 0, shots: 20 }, null)).toBe("no");
  });
});
