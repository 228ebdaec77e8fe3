import { describe, expect, it } from "vitest";
import { SaclaError } from "../../../src/core/errors.ts";
import { ClientConnection } from "../../../src/server/client-connection.ts";
import { Limits } from "../../../src/server/limits.ts";
import { type AuditEntry, type Client, loopbackClient, Service } from "../../../src/server/service.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import type { WireMessage } from "../../../src/transport/codec.ts";
import { decodeMessage } from "../../../src/transport/codec.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { tinySource } from "../../support/tiny-source.ts";

const never = { signal: new AbortController().signal };
const controller: Client = { name: "bob", role: "control" };
const safe = [
  { method: "ec.stop", value: { bl: 3, axis: "x" } },
  { method: "ec.setShutter", value: { bl: 3, lease: null, shutter: "s", open: false } },
  { method: "ec.pauseRun", value: { bl: 3 } },
  { method: "ec.stopRun", value: { bl: 3, lease: "secret" } },
  { method: "lease.release", value: { bl: 3, lease: "secret" } },
] as const;
const unsafe = [
  { method: "ec.move", value: { bl: 3, lease: "secret", axis: "x", pulses: 1 } },
  { method: "ec.setShutter", value: { bl: 3, lease: "secret", shutter: "s", open: true } },
] as const;

/** A source whose control only notes what it was asked, and an audit whose disk can be full. */
function controlled() {
  const done: string[] = [];
  const disk: AuditEntry[] = [];
  const logged: object[] = [];
  const state = { isFull: true };
  const tiny = endpointOf(tinySource());
  const endpoint: Endpoint = {
    call: async (method, params, options) => {
      if (!/^(ec|lease)\./.test(method)) return await tiny.call(method, params, options);
      done.push(method);
      return {} as never;
    },
    stream: (method, params, options) => tiny.stream(method, params, options),
    close: () => tiny.close(),
  };
  const audit = {
    write: async (entry: AuditEntry): Promise<void> => {
      if (state.isFull) throw new SaclaError("WRITE_FAILED", "The disk is full.");
      disk.push(entry);
    },
  };
  const note = (fields: object): void => void logged.push(fields);
  const logger = { debug: note, info: note, warn: note, error: note };
  return { done, disk, logged, state, endpoint, audit, logger };
}

describe("what makes safe", () => {
  it("is done although the audit's disk is full, and written down when there is room, in order, nothing lost", async () => {
    const { done, disk, logged, state, endpoint, audit, logger } = controlled();
    const service = new Service(endpoint, { audit, logger });
    for (const [i, { method, value }] of safe.entries())
      expect(await service.call(controller, { method, value, key: `safe ${i}` }, never)).toEqual({});
    for (const { method, value } of unsafe)
      await expect(service.call(controller, { method, value, key: method }, never)).rejects.toMatchObject({
        code: "WRITE_FAILED",
      });
    expect(done).toEqual(safe.map(({ method }) => method));
    const expected = safe.flatMap(({ method }) => [
      [method, "asked"],
      [method, "ok"],
    ]);
    // While the disk is full every entry is in the log of the server.
    await expect.poll(() => logged.length).toBe(expected.length);
    expect(logged.map((fields) => (fields as { entry: AuditEntry }).entry).map((e) => [e.method, e.outcome])).toEqual(
      expected,
    );
    expect(JSON.stringify(logged)).not.toContain("secret");
    state.isFull = false;
    const [move] = unsafe;
    await service.call(controller, { ...move, key: "again" }, never);
    expect(disk.map((entry) => [entry.method, entry.outcome])).toEqual([
      ...expected,
      ["ec.move", "asked"],
      ["ec.move", "ok"],
    ]);
    await service.close();
  });

  it("is answered before the audit has it: a disk that hangs delays nothing", async () => {
    const { done, endpoint } = controlled();
    const service = new Service(endpoint, { audit: { write: () => new Promise<void>(() => {}) } });
    const [stop] = safe;
    expect(await service.call(controller, { ...stop, key: "1" }, never)).toEqual({});
    expect(done).toEqual(["ec.stop"]);
  });

  it("is written by close() at the latest", async () => {
    const { disk, state, endpoint, audit } = controlled();
    const service = new Service(endpoint, { audit });
    const [stop] = safe;
    await service.call(controller, { ...stop, key: "1" }, never);
    state.isFull = false;
    await service.close();
    expect(disk.map(({ outcome }) => outcome)).toEqual(["asked", "ok"]);
  });

  it("and heartbeats are let in by every limit; the role is still asked for", async () => {
    const { endpoint } = controlled();
    const limits = new Limits({ requestsPerSecond: 1, open: 1 });
    const service = new Service(endpoint, { limits });
    limits.enter(controller);
    limits.charge(controller, 1);
    for (const [i, request] of [...safe, ...safe].entries())
      expect(await service.call(controller, { ...request, key: `safe ${i}` }, never)).toEqual({});
    await service.call(controller, { method: "lease.renew", value: { bl: 3, lease: "secret" } }, never);
    await expect(service.call(controller, { ...unsafe[0], key: "m" }, never)).rejects.toMatchObject({
      code: "TOO_MANY_REQUESTS",
    });
    const reader: Client = { name: "ann", role: "read" };
    await expect(service.call(reader, { ...safe[0], key: "r" }, never)).rejects.toMatchObject({ code: "NOT_ALLOWED" });
  });

  it("does not wait for other calls of the same connection, however many there are", async () => {
    const { endpoint } = controlled();
    const hanging: Endpoint = {
      ...endpoint,
      call: async (method, params, options) =>
        method === "db.listRuns" ? await new Promise(() => {}) : await endpoint.call(method, params, options),
      stream: endpoint.stream.bind(endpoint),
    };
    const sent: WireMessage[] = [];
    const connection = new ClientConnection(
      () => loopbackClient,
      new Service(hanging),
      async (parts) => {
        sent.push(decodeMessage(parts, { copy: true }));
        return "sent";
      },
    );
    for (let id = 0; id < 300; id++)
      connection.receive({ kind: "call", id, method: "db.listRuns", value: { bl: 3, last: 1 } }, 10);
    connection.receive({ kind: "call", id: 1000, ...safe[0], key: "1" }, 10);
    connection.receive({ kind: "call", id: 1001, method: "lease.renew", value: { bl: 3, lease: "secret" } }, 10);
    await expect
      .poll(() =>
        sent
          .filter(({ kind }) => kind === "result")
          .map(({ id }) => id)
          .sort(),
      )
      .toEqual([1000, 1001]);
    connection.end();
  });
});
