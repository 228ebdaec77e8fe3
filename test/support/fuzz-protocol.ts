import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { Dealer } from "zeromq";
import { errorCatalogue } from "../../src/core/errors.ts";
import { serveHttp } from "../../src/server/http-server.ts";
import { Service } from "../../src/server/service.ts";
import { serveZmq } from "../../src/server/zmq-server.ts";
import { endpointOf } from "../../src/source/source-endpoint.ts";
import { decodeMessage, encodeMessage, type WireMessage } from "../../src/transport/codec.ts";
import { PACKED_TYPE, packParts, unpackParts } from "../../src/transport/packed.ts";
import { tinySource } from "./tiny-source.ts";

type Parts = readonly Uint8Array[];

/** A carrier that can be sent any bytes. */
export interface FuzzedCarrier {
  readonly name: string;
  /**
   * Sends the messages and gives what is answered, in any order. Rejects when the server does not answer a good
   * question after them within 20 s.
   */
  exchange(messages: readonly Parts[]): Promise<WireMessage[]>;
  close(): Promise<void>;
}

export interface FuzzReport {
  readonly carrier: string;
  readonly messages: number;
  /** Answers by kind, errors by code. */
  readonly answers: Record<string, number>;
  /** What is in use after a collection of garbage, MB: after a fifth of the messages, at the end. */
  readonly usedMb: readonly [early: number, late: number];
  readonly rssMb: number;
}

const vectors = JSON.parse(readFileSync(new URL("../../fixtures/protocol/messages.json", import.meta.url), "utf8")) as {
  readonly good: readonly { readonly parts: readonly string[] }[];
};
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value);
const goodParts = vectors.good.map(({ parts }) => parts.map((part) => Uint8Array.from(Buffer.from(part, "base64"))));

const small = fc.oneof(fc.constantFrom(0, 1, 2, 3, 7, -1, 0.5, 1e300), fc.jsonValue({ maxDepth: 2 }));
const value = fc.oneof(
  fc.record({ bl: small, run: small }),
  fc.record({ bl: fc.constant(3), run: fc.constant(10) }),
  fc.record({
    bl: fc.constant(3),
    run: fc.constant(10),
    detIds: fc.constant(["OPAL-234363"]),
    tags: fc.constant({ $frame: 0, dtype: "u4" }),
    roi: fc.constantFrom(null, {}),
  }),
  fc.record({
    equipId: fc.string(),
    hightag: small,
    tags: fc.record({ $frame: fc.integer({ min: -1, max: 2 }), dtype: fc.constantFrom("u4", "f8", "x") }),
  }),
  fc.jsonValue({ maxDepth: 3 }),
);
const mostly = <T>(right: fc.Arbitrary<T>): fc.Arbitrary<unknown> => fc.oneof({ arbitrary: right, weight: 8 }, small);
/** Headers with the right keys and often the right values. */
const likely = fc
  .record(
    {
      sacla: fc.constantFrom(...Array<number>(18).fill(1), 2, "1"),
      kind: fc.constantFrom(
        ...Array<string>(12).fill("call"),
        "stream",
        "stream",
        "stream",
        "credit",
        "cancel",
        "ping",
        "result",
        "item",
        "end",
        "error",
        "pong",
        "",
        5,
      ),
      id: mostly(fc.nat(50)),
      method: fc.constantFrom(
        "db.readRunstatus",
        "db.readRuninfo",
        "db.readSyncdatalist",
        "st.frames",
        "facility.describe",
        "__proto__",
        "constructor",
        "",
      ),
      value,
      credit: mostly(fc.integer({ min: 1, max: 70 })),
      seq: small,
      timeoutMs: mostly(fc.nat(100)),
      key: mostly(fc.string({ minLength: 1 })),
      error: small,
    },
    { requiredKeys: ["sacla", "kind", "id", "method", "value"] },
  )
  .map((header) => utf8(JSON.stringify(header)));

/** A good message with a byte changed, a part left out, doubled or cut short. */
const damaged = fc
  .tuple(fc.constantFrom(...goodParts), fc.nat(), fc.nat(255), fc.constantFrom("flip", "drop", "double", "cut", "none"))
  .map(([parts, at, byte, how]) => {
    const changed = parts.map((part) => part.slice());
    const i = at % changed.length;
    const part = changed[i] ?? new Uint8Array(0);
    if (how === "flip") part[at % Math.max(1, part.length)] = byte;
    if (how === "drop") changed.splice(i, 1);
    if (how === "double") changed.push(part);
    if (how === "cut") changed[i] = part.subarray(0, at % (part.length + 1));
    return changed;
  });

const frames = fc.array(fc.uint8Array({ maxLength: 16 }), { maxLength: 2 });
const anyMessage: fc.Arbitrary<Parts> = fc.oneof(
  fc.array(fc.uint8Array({ maxLength: 64 }), { minLength: 1, maxLength: 4 }),
  fc.tuple(fc.json().map(utf8), frames).map(([header, rest]) => [header, ...rest]),
  { arbitrary: fc.tuple(likely, frames).map(([header, rest]) => [header, ...rest]), weight: 2 },
  {
    arbitrary: fc
      .tuple(likely, fc.uint32Array({ maxLength: 3 }))
      .map(([header, tags]) => (text(header).includes("$frame") ? [header, new Uint8Array(tags.buffer)] : [header])),
    weight: 4,
  },
  { arbitrary: damaged, weight: 2 },
);

const BATCH = 200;

/** Sends `count` messages. @throws when an answer is not of the protocol, has a code nobody knows, or does not come */
export async function fuzz(carrier: FuzzedCarrier, count: number, seed: number): Promise<FuzzReport> {
  const answers: Record<string, number> = {};
  let early = 0;
  for (let sent = 0; sent < count; sent += BATCH) {
    const messages = fc.sample(anyMessage, { numRuns: Math.min(BATCH, count - sent), seed: seed + sent });
    for (const message of await carrier.exchange(messages)) {
      const what = message.kind === "error" ? message.error.code : message.kind;
      if (message.kind === "error" && !Object.hasOwn(errorCatalogue, message.error.code))
        throw new Error(`an error has the code ${message.error.code}`);
      if (what === "INTERNAL") throw new Error(`a message made the server fail inside: ${JSON.stringify(message)}`);
      answers[what] = (answers[what] ?? 0) + 1;
    }
    if (early === 0 && sent >= count / 5) early = usedMb();
  }
  return {
    carrier: carrier.name,
    messages: count,
    answers,
    usedMb: [early, usedMb()],
    rssMb: Math.round(process.memoryUsage.rss() / 2 ** 20),
  };
}

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

/** Memory in use, MB. Garbage does not count: the heap of Node.js grows by hundreds of MB before it is collected. */
export function usedMb(): number {
  if (typeof collect === "function") collect();
  const { heapUsed, external } = process.memoryUsage();
  return Math.round((heapUsed + external) / 2 ** 20);
}

const MARK = 1_000_000;

/** ZeroMQ; a new connection for every batch, the old ones left as they are. */
export async function fuzzedZmq(): Promise<FuzzedCarrier> {
  const server = await serveZmq(new Service(endpointOf(tinySource())), "tcp://127.0.0.1:*", { silenceMs: 1000 });
  const exchange = async (messages: readonly Parts[]): Promise<WireMessage[]> => {
    const socket = new Dealer({ linger: 0, receiveTimeout: 20_000, sendHighWaterMark: 0, receiveHighWaterMark: 0 });
    socket.connect(server.address);
    try {
      for (const parts of messages) await socket.send([...parts]);
      await socket.send(
        encodeMessage({ kind: "call", id: MARK, method: "db.readRunstatus", value: { bl: 3, run: 10 } }),
      );
      const answers: WireMessage[] = [];
      for (;;) {
        const answer = decodeMessage(await socket.receive(), { copy: true });
        const isMark = "id" in answer && answer.id === MARK;
        if (isMark && answer.kind === "result") return answers;
        if (isMark) throw new Error(`a good question was answered by ${JSON.stringify(answer)}`);
        answers.push(answer);
      }
    } finally {
      socket.close();
    }
  };
  return { name: "ZeroMQ", exchange, close: () => server.close() };
}

/** HTTP: each message as a packed body, to the route it names where it names one. */
export async function fuzzedHttp(): Promise<FuzzedCarrier> {
  const server = await serveHttp(new Service(endpointOf(tinySource())), { port: 0 });
  const post = async (parts: Parts): Promise<WireMessage[]> => {
    const route = /"method":"(\w+)\.(\w+)"/.exec(text(parts[0] ?? new Uint8Array(0)));
    const path = route === null ? "/v1/db/readRunstatus" : `/v1/${route[1]}/${route[2]}`;
    const signal = AbortSignal.timeout(20_000);
    const response = await fetch(server.address + path, {
      method: "POST",
      headers: { "Content-Type": PACKED_TYPE, Accept: PACKED_TYPE },
      body: packParts(parts),
      signal,
    });
    const body = new Uint8Array(await response.arrayBuffer());
    // A stream is several messages one after another; its first bytes say enough.
    if (response.ok) return [];
    return [decodeMessage(unpackParts(body), { copy: true })];
  };
  return {
    name: "HTTP",
    exchange: async (messages) => {
      const answers: WireMessage[] = [];
      for (let i = 0; i < messages.length; i += 8)
        answers.push(...(await Promise.all(messages.slice(i, i + 8).map(post))).flat());
      const health = await fetch(`${server.address}/health`, { signal: AbortSignal.timeout(20_000) });
      if (health.status !== 200) throw new Error(`the health is ${health.status} after ${messages.length} messages`);
      return answers;
    },
    close: () => server.close(),
  };
}
