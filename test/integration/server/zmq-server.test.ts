import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { afterEach, describe, expect, it } from "vitest";
import { Dealer } from "zeromq";
import { isSaclaError, type SaclaError } from "../../../src/core/errors.ts";
import { Service } from "../../../src/server/service.ts";
import { serveZmq, type ZmqServer, type ZmqServerOptions } from "../../../src/server/zmq-server.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { type AnswerMessage, decodeMessage, encodeMessage, type RequestMessage } from "../../../src/transport/codec.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import type { ShotFrames } from "../../../src/transport/methods.ts";
import { type ZmqOptions, zmqEndpoint } from "../../../src/transport/zmq/client.ts";
import { bigFrames } from "../../support/big-frames.ts";
import { times } from "../../support/full.ts";
import { startOctal } from "../../support/octal-process.ts";
import { OCTAL_BL, OCTAL_RUN, octalSensors, octalTag } from "../../support/octal-source.ts";
import { bareShot, ScriptedEndpoint } from "../../support/scripted-endpoint.ts";
import { tinySource } from "../../support/tiny-source.ts";
import { until } from "../../support/until.ts";

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function serveOn(
  endpoint: Endpoint,
  options: ZmqServerOptions = {},
  address = "tcp://127.0.0.1:*",
): Promise<ZmqServer> {
  const server = await serveZmq(new Service(endpoint), address, options);
  open.push(() => server.close());
  return server;
}

function clientOf(address: string, options: ZmqOptions = {}): Endpoint {
  const client = zmqEndpoint(address, options);
  open.push(() => client.close());
  return client;
}

/** A client that writes its messages by hand. */
class RawClient {
  readonly socket: Dealer;

  constructor(address: string) {
    this.socket = new Dealer({ linger: 0, receiveTimeout: 10_000 });
    this.socket.connect(address);
    open.push(() => this.socket.close());
  }

  async send(message: RequestMessage): Promise<void> {
    await this.socket.send(encodeMessage(message));
  }

  async receive(): Promise<AnswerMessage> {
    return decodeMessage(await this.socket.receive(), { copy: true }) as AnswerMessage;
  }
}

const tags = (n: number): Uint32Array => Uint32Array.from({ length: n }, (_, i) => 1000 + 2 * i);
const frames = (n: number) => ({ bl: 3, run: 10, detIds: ["A"], tags: tags(n), roi: null });

async function failureOf(work: Promise<unknown>): Promise<SaclaError> {
  try {
    await work;
  } catch (error) {
    if (isSaclaError(error)) return error;
    throw error;
  }
  throw new Error("did not fail");
}

async function all(items: AsyncIterable<ShotFrames>): Promise<number[]> {
  const seen: number[] = [];
  for await (const { tag } of items) seen.push(tag);
  return seen;
}

describe("a stream over ZeroMQ", () => {
  it("makes no more items than the client has granted credit for", async () => {
    const source = bigFrames(100);
    const { address } = await serveOn(source.endpoint);
    const items = clientOf(address, { credit: 3 }).stream("st.frames", frames(50))[Symbol.asyncIterator]();
    expect((await items.next()).value?.tag).toBe(1000);
    await until(() => source.made() >= 3);
    // A server without manners would use the time to make more.
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(source.made()).toBe(3);
    await items.next();
    await until(() => source.made() === 4);
    await items.return?.();
    await until(() => source.open() === 0);
  });

  it("keeps only two on the way when they are large and go into the reader's memory", async () => {
    const source = bigFrames(2100);
    const { address } = await serveOn(source.endpoint);
    const room = new Float32Array(2100 * 2100);
    const items = clientOf(address, { credit: 4 })
      .stream("st.frames", frames(50), { memory: () => room })
      [Symbol.asyncIterator]();
    for (let i = 0; i < 6; i++) expect((await items.next()).value?.tag).toBe(1000 + 2 * i);
    await until(() => source.made() === 8);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(source.made()).toBe(8);
    await items.return?.();
  });

  it("brings each frame whole although the source and the server fill their buffers again and again", async () => {
    const count = times(300, 60);
    const server = await startOctal(count);
    open.push(() => server.process.kill());
    const client = clientOf(server.address, { credit: 2 });
    const params = {
      bl: OCTAL_BL,
      run: OCTAL_RUN,
      detIds: [...octalSensors.slice(0, 3)],
      tags: tags(count),
      roi: null,
    };
    let next = 1000;
    for await (const shot of client.stream("st.frames", params)) {
      expect(shot.frames.map(({ detId, data }) => octalTag(detId, data))).toEqual([next, next, next]);
      next += 2;
    }
    expect(next).toBe(1000 + 2 * count);
  });

  it("copies a frame once, into the reader's memory", async () => {
    const { address } = await serveOn(bigFrames(10).endpoint);
    const room = new Float32Array(100);
    const seen: number[] = [];
    for await (const { tag, frames: got } of clientOf(address).stream("st.frames", frames(20), {
      memory: () => room,
    })) {
      expect(got[0]?.data).toBe(room);
      expect([...new Set(room)]).toEqual([tag]);
      seen.push(tag);
    }
    expect(seen).toEqual([...tags(20)]);
  });

  it("tells the source when the reader leaves, aborts or closes", async () => {
    const source = bigFrames(10);
    const { address } = await serveOn(source.endpoint);
    for await (const _ of clientOf(address).stream("st.frames", frames(50))) break;
    await until(() => source.open() === 0);
    const stop = new AbortController();
    const items = clientOf(address).stream("st.frames", frames(50), { signal: stop.signal })[Symbol.asyncIterator]();
    await items.next();
    stop.abort();
    expect((await failureOf(items.next())).code).toBe("ABORTED");
    await until(() => source.open() === 0);
    const leaving = clientOf(address);
    const left = leaving.stream("st.frames", frames(50))[Symbol.asyncIterator]();
    await left.next();
    const waiting = failureOf(all({ [Symbol.asyncIterator]: () => left }));
    await leaving.close();
    expect((await waiting).code).toBe("CLOSED");
    await until(() => source.open() === 0);
  });

  it("fails with the source's error after the items before it", async () => {
    const source = new ScriptedEndpoint({ streams: [[bareShot(1000), bareShot(1002), new Error("the disk is gone")]] });
    const { address } = await serveOn(source);
    const items = clientOf(address).stream("st.frames", frames(3))[Symbol.asyncIterator]();
    expect([(await items.next()).value?.tag, (await items.next()).value?.tag]).toEqual([1000, 1002]);
    expect(await failureOf(items.next())).toMatchObject({ code: "INTERNAL", message: "the disk is gone" });
  });

  it("ends with TIMEOUT when an item takes longer than the reader waits", async () => {
    const source = new ScriptedEndpoint({ streams: [[bareShot(1000), "hang"]] });
    const { address } = await serveOn(source);
    const items = clientOf(address).stream("st.frames", frames(2), { timeoutMs: 2000 })[Symbol.asyncIterator]();
    expect((await items.next()).value?.tag).toBe(1000);
    expect((await failureOf(items.next())).code).toBe("TIMEOUT");
  });
});

describe("a call over ZeroMQ", () => {
  it("carries its deadline to the source, and stops it there when the caller gives up", async () => {
    const source = new ScriptedEndpoint({ calls: ["hang"] });
    const { address } = await serveOn(source);
    const client = clientOf(address);
    expect((await failureOf(client.call("db.readRunstatus", { bl: 3, run: 10 }, { timeoutMs: 2000 }))).code).toBe(
      "TIMEOUT",
    );
    const { timeoutMs, signal } = source.asked[0]?.options ?? {};
    expect(timeoutMs).toBeGreaterThan(0);
    expect(timeoutMs).toBeLessThanOrEqual(2000);
    await until(() => signal?.aborted === true);
    const stop = new AbortController();
    const call = failureOf(client.call("db.readRunstatus", { bl: 3, run: 10 }, { signal: stop.signal }));
    await until(() => source.asked.length === 2);
    stop.abort();
    expect((await call).code).toBe("ABORTED");
    await until(() => source.asked[1]?.options.signal?.aborted === true);
  });

  it("answers many at a time, each with its own answer, more than the server takes at once", async () => {
    const { address } = await serveOn(endpointOf(tinySource()));
    const client = clientOf(address);
    const runs = Array.from({ length: 500 }, (_, i) => (i % 3) + 10);
    const answers = await Promise.all(runs.map((run) => client.call("db.readStartTagnumber", { bl: 3, run })));
    expect(answers.map(([, tag]) => tag)).toEqual(runs.map((run) => 1000 * (run - 9)));
  });

  it("fails with UNREACHABLE where nobody listens, and works as soon as somebody does", async () => {
    const first = await serveOn(endpointOf(tinySource()));
    await first.close();
    const client = clientOf(first.address, { connectTimeoutMs: 200 });
    const failure = await failureOf(client.call("db.readRunstatus", { bl: 3, run: 10 }));
    expect(failure.code).toBe("UNREACHABLE");
    expect(failure.message).toContain(first.address);
    await serveOn(endpointOf(tinySource()), {}, first.address);
    await expect.poll(() => client.call("db.readRunstatus", { bl: 3, run: 10 }).catch(() => -9)).toBe(0);
  });

  it("ends at once when the client is closed while there is no connection yet", async () => {
    const gone = await serveOn(endpointOf(tinySource()));
    await gone.close();
    const client = clientOf(gone.address, { connectTimeoutMs: 600_000 });
    const call = failureOf(client.call("db.readRunstatus", { bl: 3, run: 10 }));
    await client.close();
    expect((await call).code).toBe("CLOSED");
  });

  it("is refused for an address or keys that cannot be", async () => {
    for (const url of ["http://127.0.0.1:1", "tcp://127.0.0.1", "nonsense", "tcp://x:port"]) {
      expect(() => zmqEndpoint(url)).toThrow(expect.objectContaining({ code: "BAD_URL" }));
    }
    const curve = { publicKey: "short", secretKey: "a".repeat(40), serverKey: "a".repeat(40) };
    expect(() => zmqEndpoint("tcp://127.0.0.1:1", { curve })).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
    expect(() => zmqEndpoint("tcp://127.0.0.1:1", { credit: 65 })).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
  });
});

describe("the ZeroMQ server", () => {
  it("killed in the middle of a stream: UNREACHABLE with the tags that are missing; the next request finds its successor", async () => {
    const server = await startOctal(1000, { delayMs: 5 });
    open.push(() => server.process.kill());
    const client = clientOf(server.address, { connectTimeoutMs: 200_000 });
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { tag } of client.stream("st.frames", {
        bl: OCTAL_BL,
        run: OCTAL_RUN,
        detIds: [...octalSensors],
        tags: tags(1000),
        roi: null,
      })) {
        seen.push(tag);
        if (seen.length === 5) server.process.kill();
      }
    })();
    const failure = await failureOf(reading);
    expect(failure.code).toBe("UNREACHABLE");
    expect(seen.length).toBeLessThan(1000);
    expect(failure.details).toMatchObject({ received: seen.length, missingCount: 1000 - seen.length });
    expect((failure.details["missing"] as number[])[0]).toBe(1000 + 2 * seen.length);
    const later = client.call("db.readRunstatus", { bl: OCTAL_BL, run: OCTAL_RUN });
    const successor = await startOctal(10, { address: server.address });
    open.push(() => successor.process.kill());
    expect(await later).toBe(0);
  });

  it("stopped without a word: the client takes it for gone after some pings", async () => {
    const server = await startOctal(10);
    open.push(() => server.process.kill());
    const client = clientOf(server.address, { pingMs: 1000 });
    expect(await client.call("db.readRunstatus", { bl: OCTAL_BL, run: OCTAL_RUN })).toBe(0);
    server.process.kill("SIGSTOP");
    const failure = await failureOf(client.call("db.readRunstatus", { bl: OCTAL_BL, run: OCTAL_RUN }));
    expect(failure.code).toBe("UNREACHABLE");
    expect(failure.message).toContain("silent");
  });

  it("closing tells whoever has something open", async () => {
    const source = new ScriptedEndpoint({ calls: ["hang"], streams: [[bareShot(1000), "hang"]] });
    const server = await serveOn(source);
    const client = clientOf(server.address);
    const call = failureOf(client.call("db.readRunstatus", { bl: 3, run: 10 }));
    const stream = failureOf(all(client.stream("st.frames", frames(2))));
    await until(() => source.asked.length === 2);
    await server.close();
    await server.close();
    expect([(await call).code, (await stream).code]).toEqual(["UNREACHABLE", "UNREACHABLE"]);
    await until(() => source.asked.every(({ options }) => options.signal?.aborted === true));
  });

  it("ends what a client that vanished had open, and not what a slow one has that still pings", async () => {
    const source = bigFrames(10);
    const server = await serveOn(source.endpoint, { silenceMs: 2000 });
    const slow = clientOf(server.address, { pingMs: 50 }).stream("st.frames", frames(50))[Symbol.asyncIterator]();
    await slow.next();
    const vanishing = new RawClient(server.address);
    await vanishing.send({ kind: "stream", id: 0, method: "st.frames", value: frames(50), credit: 2 });
    await vanishing.receive();
    await until(() => source.open() === 2);
    await until(() => source.open() === 1);
    expect((await slow.next()).value?.tag).toBe(1002);
    expect(server.clients).toBe(1);
  });

  it("gives up a client that asks and never reads, and answers the others meanwhile", async () => {
    const server = await serveOn(endpointOf(tinySource()), { silenceMs: 2000 });
    const flooding = new Dealer({ linger: 0, receiveHighWaterMark: 1, sendHighWaterMark: 0 });
    flooding.connect(server.address);
    open.push(() => flooding.close());
    const value = { equipId: "xfel_bl_3_tc_bm_1_pd/charge", hightag: 202502, tags: new Uint32Array(20_000).fill(1004) };
    let id = 0;
    // On a loaded machine the socket may still be busy with the one before.
    const flood = setInterval(async () => {
      try {
        for (let i = 0; i < 5; i++)
          await flooding.send(encodeMessage({ kind: "call", id: id++, method: "db.readSyncdatalist", value }));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error;
      }
    }, 1);
    open.push(() => clearInterval(flood));
    const client = clientOf(server.address);
    for (let i = 0; i < 30; i++)
      expect(await client.call("db.readRunstatus", { bl: 3, run: 10 }, { timeoutMs: 200_000 })).toBe(0);
    clearInterval(flood);
    await until(() => server.clients === 0);
  });

  it("refuses more than a connection may have open, an id that is taken and too much credit", async () => {
    const server = await serveOn(new ScriptedEndpoint({ calls: ["hang"], streams: [["hang"]] }));
    const raw = new RawClient(server.address);
    const call = (id: number): Promise<void> =>
      raw.send({ kind: "call", id, method: "db.readRunstatus", value: { bl: 3, run: 10 } });
    for (let id = 0; id < 300; id++) await call(id);
    expect(await raw.receive()).toMatchObject({ kind: "error", id: 264, error: { code: "TOO_MANY_REQUESTS" } });
    for (let id = 265; id < 300; id++) expect(await raw.receive()).toMatchObject({ id });
    await call(5);
    expect(await raw.receive()).toMatchObject({ kind: "error", id: 5, error: { code: "BAD_MESSAGE" } });
    await raw.send({ kind: "stream", id: 1000, method: "st.frames", value: frames(1), credit: 65 });
    expect(await raw.receive()).toMatchObject({ kind: "error", id: 1000, error: { code: "BAD_ARGUMENT" } });
    for (let id = 2000; id < 2009; id++)
      await raw.send({ kind: "stream", id, method: "st.frames", value: frames(1), credit: 1 });
    expect(await raw.receive()).toMatchObject({ kind: "error", id: 2008, error: { code: "TOO_MANY_REQUESTS" } });
    await raw.send({ kind: "ping", id: 7 });
    expect(await raw.receive()).toEqual({ kind: "pong", id: 7 });
    // A cancelled call makes room for another.
    for (let id = 0; id < 264; id++) await raw.send({ kind: "cancel", id });
    await call(1);
    await raw.send({ kind: "ping", id: 8 });
    expect(await raw.receive()).toEqual({ kind: "pong", id: 8 });
  });

  it("answers what it cannot understand with BAD_MESSAGE, to the id where there is one", async () => {
    const server = await serveOn(endpointOf(tinySource()));
    const raw = new RawClient(server.address);
    const cases: [unknown, number | null][] = [
      ["{", null],
      [{ sacla: 2, kind: "call", id: 3 }, 3],
      [{ sacla: 1, kind: "result", id: 4, value: 1 }, 4],
      [{ sacla: 1, kind: "error", id: null, error: { code: "INTERNAL", message: "?" } }, null],
    ];
    for (const [header, id] of cases) {
      await raw.socket.send(typeof header === "string" ? header : JSON.stringify(header));
      expect(await raw.receive()).toMatchObject({ kind: "error", id, error: { code: "BAD_MESSAGE" } });
    }
    await raw.send({ kind: "call", id: 5, method: "db.dropTables", value: {} });
    expect(await raw.receive()).toMatchObject({ id: 5, error: { code: "UNKNOWN_METHOD" } });
    await raw.send({ kind: "call", id: 6, method: "st.frames", value: {} });
    expect(await raw.receive()).toMatchObject({ id: 6, error: { code: "UNKNOWN_METHOD" } });
  });

  it("takes no address that is taken, or beyond loopback without keys", async () => {
    const { address } = await serveOn(endpointOf(tinySource()));
    expect((await failureOf(serveOn(endpointOf(tinySource()), {}, address))).code).toBe("UNREACHABLE");
    for (const far of ["tcp://0.0.0.0:*", "tcp://*:7801", "tcp://eth0:7801", "tcp://127.example.org:7801"]) {
      expect((await failureOf(serveOn(endpointOf(tinySource()), {}, far))).code).toBe("NOT_ALLOWED");
    }
  });
});

describe("a process that closes its client and server", () => {
  it.each(["closed", "in the middle of a stream"])("ends by itself: %s", async (when) => {
    const modules = ["server/service.ts", "server/zmq-server.ts", "transport/zmq/client.ts"].map(
      (path) => new URL(`../../../src/${path}`, import.meta.url).href,
    );
    const support = new URL("../../support/big-frames.ts", import.meta.url).href;
    const script = `
      const [{ Service }, { serveZmq }, { zmqEndpoint }, { bigFrames }] = await Promise.all(${JSON.stringify([...modules, support])}.map((m) => import(m)));
      const server = await serveZmq(new Service(bigFrames(500).endpoint), "tcp://127.0.0.1:*");
      const client = zmqEndpoint(server.address);
      const items = client.stream("st.frames", { bl: 3, run: 10, detIds: ["A"], tags: Uint32Array.of(1, 2, 3, 4, 5, 6, 7), roi: null })[Symbol.asyncIterator]();
      await items.next();
      ${when === "closed" ? "while ((await items.next()).done !== true);" : ""}
      await client.close();
      await server.close();
      console.log("closed");`;
    const tsx = createRequire(import.meta.url).resolve("tsx");
    const child = spawn(
      process.execPath,
      ["-C", "sacla-source", "--import", tsx, "--input-type=module", "-e", script],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    open.push(() => void child.kill("SIGKILL"));
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(0);
    expect(said).toBe("closed\n");
  });
});
