import { afterEach, describe, expect, it } from "vitest";
import { curveKeyPair, Dealer } from "zeromq";
import { isSaclaError } from "../../../src/core/errors.ts";
import { withControl } from "../../../src/ec/index.ts";
import { type Client, type ServedTable, Service, wholeTable } from "../../../src/server/service.ts";
import { serveZmq } from "../../../src/server/zmq-server.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { type AnswerMessage, decodeMessage, encodeMessage } from "../../../src/transport/codec.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { callMethods } from "../../../src/transport/methods.ts";
import { type ZmqOptions, zmqEndpoint } from "../../../src/transport/zmq/client.ts";
import { CallProofs, keyBytes, keyText, provenOwner, provenRoutingId } from "../../../src/transport/zmq/keys.ts";
import { bigFrames } from "../../support/big-frames.ts";
import { changingTable, movingEndpoint } from "../../support/changing-table.ts";
import { tinySource } from "../../support/tiny-source.ts";
import { ToyDriver } from "../../support/toy-driver.ts";

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const server = curveKeyPair();
const [reader, controller, stranger] = [curveKeyPair(), curveKeyPair(), curveKeyPair()];
const clients = new Map<string, Client>([
  [reader.publicKey, { name: "the reader", role: "read" }],
  [controller.publicKey, { name: "the controller", role: "control" }],
]);

/** The method table with one method that changes something. */
const table: ServedTable = {
  ...wholeTable,
  calls: { ...wholeTable.calls, "ec.move": { ...callMethods["db.readRunstatus"], changes: true } },
};

async function serveCurve(endpoint: Endpoint = endpointOf(tinySource())): Promise<string> {
  const keys = { server, clientOfCurve: (publicKey: string) => clients.get(publicKey) ?? null };
  const started = await serveZmq(new Service(endpoint, {}, table), "tcp://127.0.0.1:*", { keys });
  open.push(() => started.close());
  return started.address;
}

function connectAs(
  address: string,
  pair?: { publicKey: string; secretKey: string },
  serverKey = server.publicKey,
): Endpoint {
  const options: ZmqOptions = pair === undefined ? {} : { curve: { ...pair, serverKey } };
  const client = zmqEndpoint(address, { connectTimeoutMs: 20_000, ...options });
  open.push(() => client.close());
  return client;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "no error";
  } catch (error) {
    return isSaclaError(error) ? error.code : String(error);
  }
}

const status = { bl: 3, run: 10 };

/** Asks by hand, so that a key and methods beyond the client's table can be sent. */
async function askRaw(
  address: string,
  pair: { publicKey: string; secretKey: string },
  method: string,
  key?: string,
  routingId?: string,
  proof?: string,
  value: object = status,
  receiveTimeout = 10_000,
): Promise<AnswerMessage> {
  const curve = { curveServerKey: server.publicKey, curvePublicKey: pair.publicKey, curveSecretKey: pair.secretKey };
  const socket = new Dealer({
    linger: 0,
    receiveTimeout,
    ...(routingId === undefined ? {} : { routingId }),
    ...curve,
  });
  socket.connect(address);
  try {
    await socket.send(encodeMessage({ kind: "call", id: 1, method, value, key, proof }));
    return decodeMessage(await socket.receive(), { copy: true }) as AnswerMessage;
  } finally {
    socket.close();
  }
}

describe("ZeroMQ with keys", () => {
  it("lets known keys in and nobody else, and says why", async () => {
    const address = await serveCurve();
    expect(await connectAs(address, reader).call("db.readRunstatus", status)).toBe(0);
    expect(await codeOf(connectAs(address, stranger).call("db.readRunstatus", status))).toBe("NOT_AUTHENTICATED");
    expect(await codeOf(connectAs(address).call("db.readRunstatus", status))).toBe("NOT_AUTHENTICATED");
    expect(await codeOf(connectAs(address, reader, stranger.publicKey).call("db.readRunstatus", status))).toBe(
      "NOT_AUTHENTICATED",
    );
    const plain = await serveZmq(new Service(endpointOf(tinySource())), "tcp://127.0.0.1:*");
    open.push(() => plain.close());
    expect(await codeOf(connectAs(plain.address, reader).call("db.readRunstatus", status))).toBe("NOT_AUTHENTICATED");
  });

  it("carries streams", async () => {
    const address = await serveCurve(bigFrames(200).endpoint);
    const seen: number[] = [];
    for await (const { tag, frames } of connectAs(address, reader).stream("st.frames", {
      bl: 3,
      run: 10,
      detIds: ["A"],
      tags: Uint32Array.of(1, 2, 3),
      roi: null,
    })) {
      expect([...new Set(frames[0]?.data)]).toEqual([tag]);
      seen.push(tag);
    }
    expect(seen).toEqual([1, 2, 3]);
  });

  it("knows who asks by the proof in the routing id: control for the controller's key, read for a known key alone", async () => {
    const moved: unknown[] = [];
    const tiny = endpointOf(tinySource());
    const endpoint: Endpoint = {
      ...tiny,
      call: (method, params, options) => {
        if ((method as string) !== "ec.move") return tiny.call(method, params, options);
        moved.push(params);
        return Promise.resolve(0) as never;
      },
    };
    const address = await serveCurve(endpoint);
    const as = (pair: { publicKey: string; secretKey: string }, routingId?: string) => {
      const proof = routingId && new CallProofs(pair, server.publicKey, routingId).make("key");
      return askRaw(address, pair, "ec.move", "key", routingId, proof);
    };
    expect(await as(controller, provenRoutingId(controller, server.publicKey))).toMatchObject({
      kind: "result",
      value: 0,
    });
    expect(await as(reader, provenRoutingId(reader, server.publicKey))).toMatchObject({
      error: { code: "NOT_ALLOWED" },
    });
    expect(await as(controller)).toMatchObject({ error: { code: "NOT_ALLOWED" } });
    // A reader who has seen the controller's public key cannot speak in its name.
    const forged = provenRoutingId({ publicKey: controller.publicKey, secretKey: reader.secretKey }, server.publicKey);
    expect(await as(reader, forged)).toMatchObject({ error: { code: "NOT_ALLOWED" } });
    expect(moved).toHaveLength(1);
  });

  it("lets the controller's own client change something, and not the reader's", async () => {
    const address = await serveCurve(withControl(endpointOf(tinySource()), new ToyDriver()));
    const taking = { bl: 3, name: "night", reason: "test", ttlMs: 60_000 };
    const { lease } = await connectAs(address, controller).call("lease.take", taking);
    expect(lease).toHaveLength(36);
    expect(await codeOf(connectAs(address, reader).call("lease.take", taking))).toBe("NOT_ALLOWED");
    expect(await codeOf(connectAs(address, controller).call("lease.release", { bl: 3, lease }))).toBe("no error");
  });

  it("does not take another client for the owner of a routing id that has become known", async () => {
    const { endpoint, moves } = movingEndpoint();
    const keys = { server, clientOfCurve: (publicKey: string) => clients.get(publicKey) ?? null };
    const started = await serveZmq(new Service(endpoint, {}, changingTable), "tcp://127.0.0.1:*", { keys });
    open.push(() => started.close());
    const known = provenRoutingId(controller, server.publicKey);
    const proofs = new CallProofs(controller, server.publicKey, known);
    const move = async (pair: { publicKey: string; secretKey: string }, key: string, proof?: string) => {
      // Until the server sees that the connection before has gone, libzmq leaves a second one with its id unheard.
      for (let tries = 0; ; tries++) {
        try {
          const answer = await askRaw(started.address, pair, "test.move", key, known, proof, { to: 7 }, 500);
          return answer.kind === "error" ? [answer.error.code, answer.error.message] : answer.kind;
        } catch (error) {
          if (tries === 15) throw error;
        }
      }
    };
    expect(await move(controller, "first", proofs.make("first"))).toBe("result");
    // The owner has gone, and a reader comes with the id. It has no secret of the owner's.
    const refused = ["NOT_ALLOWED", expect.stringContaining('"the controller, whose key the call does not prove,"')];
    const own = new CallProofs(reader, server.publicKey, known).make("second");
    for (const proof of [undefined, own, proofs.make("first"), "x"])
      expect([proof, await move(reader, "second", proof)]).toEqual([proof, refused]);
    expect(moves).toEqual([7]);
  });
});

describe("a key that is revoked while its connection lasts", () => {
  it("is refused from the next request on, and file trouble ends nothing for good", async () => {
    const pair = curveKeyPair();
    let found: () => Client | null = () => ({ name: "the visitor", role: "read" });
    const started = await serveZmq(new Service(endpointOf(tinySource())), "tcp://127.0.0.1:*", {
      keys: { server, clientOfCurve: () => found() },
    });
    open.push(() => started.close());
    const client = connectAs(started.address, pair);
    const ask = (): Promise<string> => codeOf(client.call("db.readRunstatus", status));
    expect(await ask()).toBe("no error");
    found = () => null;
    expect(await ask()).toBe("NOT_AUTHENTICATED");
    found = () => {
      throw new Error("the file is open to others");
    };
    expect(await ask()).toBe("NOT_AUTHENTICATED");
    found = () => ({ name: "the visitor", role: "read" });
    expect(await ask()).toBe("no error");
  });

  it("does not end the server when the keys cannot be read as a connection begins", async () => {
    let isLetIn = false;
    let isBroken = true;
    const clientOfCurve = (): Client => {
      // The first question is libzmq's own, whether to let the key in.
      if (isLetIn && isBroken) throw new Error("the file is open to others");
      isLetIn = true;
      return { name: "the visitor", role: "read" };
    };
    const started = await serveZmq(new Service(endpointOf(tinySource())), "tcp://127.0.0.1:*", {
      keys: { server, clientOfCurve },
    });
    open.push(() => started.close());
    const client = connectAs(started.address, curveKeyPair());
    expect(await codeOf(client.call("db.readRunstatus", status))).toBe("NOT_AUTHENTICATED");
    isBroken = false;
    expect(await codeOf(client.call("db.readRunstatus", status))).toBe("no error");
  });
});

describe("keys", () => {
  it("are 32 bytes in Z85, as ZeroMQ's RFC 32 has it", () => {
    // Its test vector.
    const bytes = Uint8Array.of(0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b);
    expect(keyText(bytes)).toBe("HelloWorld");
    expect(keyText(keyBytes("key", server.publicKey))).toBe(server.publicKey);
    for (const wrong of ["", "a".repeat(39), "a".repeat(41), `${"a".repeat(39)}~`, "#".repeat(40)]) {
      expect(() => keyBytes("secretKey", wrong)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    }
  });

  it("prove who has them to the holder of the other secret alone", () => {
    const id = provenRoutingId(reader, server.publicKey);
    expect(provenOwner(server, id)).toBe(reader.publicKey);
    expect(provenOwner(stranger, id)).toBeNull();
    for (const at of [0, 45, id.length - 1])
      expect(provenOwner(server, `${id.slice(0, at)}${id[at] === "a" ? "b" : "a"}${id.slice(at + 1)}`)).toBeNull();
    for (const wrong of ["", "x", controller.publicKey, "a".repeat(105), `${id}a`])
      expect(provenOwner(server, wrong)).toBeNull();
    expect(provenRoutingId(reader, server.publicKey)).not.toBe(id);
  });
});
