import { describe, expect, it } from "vitest";
import { isSaclaError, SaclaError } from "../../../src/core/errors.ts";
import type { Logger } from "../../../src/core/logger.ts";
import {
  type AuditEntry,
  type Client,
  loopbackClient,
  type ServedTable,
  Service,
  type ServiceOptions,
  wholeTable,
} from "../../../src/server/service.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { callMethods } from "../../../src/transport/methods.ts";
import { bareShot, ScriptedEndpoint } from "../../support/scripted-endpoint.ts";
import { tinySource } from "../../support/tiny-source.ts";

const [nobody, reader, controller]: Client[] = [
  { name: "nobody", role: null },
  { name: "ann", role: "read" },
  { name: "bob", role: "control" },
];
const status = { bl: 3, run: 10 };
const never = { signal: new AbortController().signal };
const table: ServedTable = {
  ...wholeTable,
  calls: { ...wholeTable.calls, "ec.move": { ...callMethods["db.readRunstatus"], changes: true } },
};

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "no error";
  } catch (error) {
    return isSaclaError(error) ? error.code : `not ours: ${String(error)}`;
  }
}

/** A service with one method that changes something, and what it did and wrote down. */
function changing(work: () => Promise<unknown> = () => Promise.resolve(1), options: ServiceOptions = {}) {
  const done: unknown[] = [];
  const audit: AuditEntry[] = [];
  const tiny = endpointOf(tinySource());
  const endpoint: Endpoint = {
    call: (method, params, callOptions) => {
      if ((method as string) !== "ec.move") return tiny.call(method, params, callOptions);
      done.push(params);
      return work() as never;
    },
    stream: (method, params, streamOptions) => tiny.stream(method, params, streamOptions),
    close: () => tiny.close(),
  };
  const log = { write: (entry: AuditEntry) => Promise.resolve(void audit.push(entry)), close: () => Promise.resolve() };
  return { service: new Service(endpoint, { audit: log, ...options }, table), done, audit };
}

describe("what a service lets a client do", () => {
  it("nobody: nothing; read: what reads; control: all; everybody: the health", async () => {
    const { service } = changing();
    const read = { method: "db.readRunstatus", value: status };
    const change = { method: "ec.move", value: status, key: "1" };
    const codes: string[][] = [];
    for (const client of [nobody, reader, controller] as Client[]) {
      codes.push([
        await codeOf(service.call(client, read, never)),
        await codeOf(
          service
            .stream(
              client,
              {
                method: "st.frames",
                value: { ...status, detIds: ["OPAL-234363"], tags: Uint32Array.of(1000), roi: null },
              },
              never,
            )
            .next(),
        ),
        await codeOf(service.call(client, change, never)),
      ]);
    }
    expect(codes).toEqual([
      ["NOT_AUTHENTICATED", "NOT_AUTHENTICATED", "NOT_AUTHENTICATED"],
      ["no error", "no error", "NOT_ALLOWED"],
      ["no error", "no error", "no error"],
    ]);
    expect(await service.health()).toMatchObject({ status: "ok", source: "the tiny source" });
  });

  it("asks the limits first", async () => {
    const refuse = new SaclaError("TOO_MANY_REQUESTS", "slowly");
    const taken: number[] = [];
    let left = 0;
    const limits = {
      requestBytes: 100,
      charge: (_: unknown, bytes: number) => {
        if (taken.push(bytes) > 1) throw refuse;
      },
      enter: () => () => void left++,
    };
    const { service, done } = changing(undefined, { limits } as unknown as ServiceOptions);
    expect(
      await codeOf(service.call(reader as Client, { method: "db.readRunstatus", value: status, bytes: 7 }, never)),
    ).toBe("no error");
    expect(
      await codeOf(service.call(controller as Client, { method: "ec.move", value: status, key: "1" }, never)),
    ).toBe("TOO_MANY_REQUESTS");
    expect([taken, done, left]).toEqual([[7, 0], [], 1]);
  });
});

describe("a call that changes something", () => {
  const change = (key?: string, value: object = status) => ({ method: "ec.move", value, key });

  it("is done once for each key of each client, and a repetition gets the first answer", async () => {
    let answer = 0;
    const { service, done } = changing(() => Promise.resolve(answer++ % 3));
    const ask = (client: Client | undefined, key: string): Promise<unknown> =>
      service.call(client as Client, change(key), never);
    expect(await Promise.all([ask(controller, "a"), ask(controller, "a")])).toEqual([0, 0]);
    expect(await ask(controller, "b")).toBe(1);
    expect(await ask(loopbackClient, "a")).toBe(2);
    expect(await ask(controller, "a")).toBe(0);
    expect(done).toHaveLength(3);
    expect(await codeOf(service.call(controller as Client, change("a", { bl: 3, run: 11 }), never))).toBe(
      "BAD_ARGUMENT",
    );
    expect(await codeOf(service.call(controller as Client, change(), never))).toBe("BAD_ARGUMENT");
  });

  it("gives a failure again rather than do it again", async () => {
    const { service, done } = changing(() => Promise.reject(new SaclaError("UNSUPPORTED", "stuck")));
    for (let i = 0; i < 2; i++)
      expect(await codeOf(service.call(controller as Client, change("a"), never))).toBe("UNSUPPORTED");
    expect(done).toHaveLength(1);
  });

  it("is finished although the client has gone, and can then be learnt with the same key", async () => {
    let finish: (value: number) => void = () => {};
    const { service, done } = changing(
      () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    );
    const gone = new AbortController();
    const first = codeOf(service.call(controller as Client, change("a"), { signal: gone.signal }));
    await expect.poll(() => done.length).toBe(1);
    gone.abort();
    expect(await first).toBe("ABORTED");
    const again = service.call(controller as Client, change("a"), never);
    finish(2);
    expect(await again).toBe(2);
    expect(done).toHaveLength(1);
  });

  it("is written down before it is done and when it has ended, also when it was not allowed", async () => {
    const { service, audit } = changing();
    await service.call(controller as Client, change("a"), never);
    await codeOf(service.call(reader as Client, change("b"), never));
    expect(audit.map(({ client, role, method, key, outcome }) => [client, role, method, key, outcome])).toEqual([
      ["bob", "control", "ec.move", "a", expect.stringMatching(/^asked$/)],
      ["bob", "control", "ec.move", "a", expect.stringMatching(/^(ok|done)$/)],
      ["ann", "read", "ec.move", "b", "NOT_ALLOWED"],
    ]);
    expect(audit[0]?.value).toEqual(status);
    expect(Number.isNaN(Date.parse(audit[0]?.time ?? ""))).toBe(false);
  });

  it("is not done when it cannot be written down", async () => {
    const full = {
      write: () => Promise.reject(new SaclaError("WRITE_FAILED", "full")),
      close: () => Promise.resolve(),
    };
    const { service, done } = changing(undefined, { audit: full });
    expect(await codeOf(service.call(controller as Client, change("a"), never))).toBe("WRITE_FAILED");
    expect(done).toEqual([]);
  });
});

describe("a service", () => {
  it("checks what is asked and what the source answers", async () => {
    const service = new Service(new ScriptedEndpoint({ calls: ["not a number"], streams: [[{ tag: "x" } as never]] }));
    expect(await codeOf(service.call(loopbackClient, { method: "db.readRunstatus", value: {} }, never))).toBe(
      "BAD_ARGUMENT",
    );
    expect(await codeOf(service.call(loopbackClient, { method: "toString", value: {} }, never))).toBe("UNKNOWN_METHOD");
    expect(await codeOf(service.call(loopbackClient, { method: "db.readRunstatus", value: status }, never))).toBe(
      "BAD_MESSAGE",
    );
    const frames = { method: "st.frames", value: { ...status, detIds: ["A"], tags: Uint32Array.of(1), roi: null } };
    expect(await codeOf(service.stream(loopbackClient, frames, never).next())).toBe("BAD_MESSAGE");
  });

  it("stops the source when the time is up", async () => {
    const source = new ScriptedEndpoint({ calls: ["hang"], streams: [[bareShot(1), "hang"]] });
    const service = new Service(source);
    expect(
      await codeOf(service.call(loopbackClient, { method: "db.readRunstatus", value: status, timeoutMs: 50 }, never)),
    ).toBe("TIMEOUT");
    expect(source.asked[0]?.options.signal?.aborted).toBe(true);
    const items = service.stream(
      loopbackClient,
      {
        method: "st.frames",
        value: { ...status, detIds: ["A"], tags: Uint32Array.of(1, 2), roi: null },
        timeoutMs: 50,
      },
      never,
    );
    expect((await items.next()).done).toBe(false);
    expect(await codeOf(items.next())).toBe("TIMEOUT");
  });

  it("writes faults of its own into the log, and the client's mistakes not", async () => {
    const lines: string[] = [];
    const write = (_: object, message: string): void => void lines.push(message);
    const logger: Logger = { debug: write, info: write, warn: write, error: write };
    const service = new Service(new ScriptedEndpoint({ calls: [new TypeError("x is not a function")] }), { logger });
    expect(await codeOf(service.call(loopbackClient, { method: "db.readRunstatus", value: status }, never))).toBe(
      "INTERNAL",
    );
    expect(lines).toEqual(["a request failed inside the server"]);
    expect(await codeOf(service.call(loopbackClient, { method: "db.readRunstatus", value: {} }, never))).toBe(
      "BAD_ARGUMENT",
    );
    expect(lines).toHaveLength(1);
  });

  it("answers UNREACHABLE after close, and ends its streams so", async () => {
    const service = new Service(new ScriptedEndpoint({ streams: [["hang"]] }));
    const stream = codeOf(
      service
        .stream(
          loopbackClient,
          { method: "st.frames", value: { ...status, detIds: ["A"], tags: Uint32Array.of(1), roi: null } },
          never,
        )
        .next(),
    );
    await new Promise((resolve) => setImmediate(resolve));
    await service.close();
    expect(await stream).toBe("UNREACHABLE");
    expect(await codeOf(service.call(loopbackClient, { method: "db.readRunstatus", value: status }, never))).toBe(
      "UNREACHABLE",
    );
  });

  it("says when its source does not answer", async () => {
    const service = new Service(new ScriptedEndpoint({ calls: [new SaclaError("UNREACHABLE", "nobody there")] }));
    expect(await service.health()).toMatchObject({
      status: "failing",
      error: { code: "UNREACHABLE", message: "nobody there" },
    });
  });
});
