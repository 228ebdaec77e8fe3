import { connect as connectSocket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { curveKeyPair } from "zeromq";
import { serveKaraboBridge } from "../../../src/server/index.ts";
import { Service } from "../../../src/server/service.ts";
import { serveZmq } from "../../../src/server/zmq-server.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { encodeMessage } from "../../../src/transport/codec.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { zmqEndpoint } from "../../../src/transport/zmq/client.ts";
import { tinySource } from "../../support/tiny-source.ts";
import { WAIT_MS } from "../../support/until.ts";

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** The tiny source, and what it was asked. */
function watched(): { endpoint: Endpoint; asked: string[] } {
  const tiny = endpointOf(tinySource());
  const asked: string[] = [];
  const call: Endpoint["call"] = (method, params, options) => {
    asked.push(method);
    return tiny.call(method, params, options);
  };
  return { endpoint: { call, stream: tiny.stream.bind(tiny), close: () => tiny.close() }, asked };
}

const question = encodeMessage({ kind: "call", id: 1, method: "db.listBeamlines", value: {} })[0] ?? new Uint8Array(0);
const bytes = (...parts: (string | readonly number[] | Uint8Array)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part))));
const zeros = (n: number): number[] => new Array<number>(n).fill(0);
const signature = [0xff, ...zeros(8), 0x7f];
const DEALER = 5;

/** How programs greeted before ZMTP 3, each with the same harmless question behind; and what a browser sends. */
const greetings: Readonly<Record<string, Buffer>> = {
  "ZMTP 1.0": bytes([1, 0, question.length + 1, 0], question),
  "ZMTP 1.0 with a revision": bytes(signature, [0, DEALER, 1, 0, question.length + 1, 0], question),
  "ZMTP 2.0": bytes(signature, [1, DEALER, 0, 0, 0, question.length], question),
  "ZMTP 3.0 with another mechanism": bytes(signature, [3, 0], "PLAIN", zeros(15), [0], zeros(31)),
  "an HTTP request": bytes("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"),
};

/** Sends a greeting; what comes back until the other side hangs up, or null when it does not within the time. */
async function greet(address: string, greeting: Buffer): Promise<Buffer | null> {
  const { hostname, port } = new URL(address.replace("tcp:", "http:"));
  const socket = connectSocket(Number(port), hostname);
  const chunks: Buffer[] = [];
  return await new Promise((resolve) => {
    const timer = setTimeout(() => {
      socket.destroy();
      resolve(null);
    }, WAIT_MS);
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    });
    socket.write(greeting);
  });
}

describe("a ZeroMQ port", () => {
  it("closes every connection that does not greet as of today, and asks nothing for it, without keys and with", async () => {
    for (const pair of [undefined, curveKeyPair()]) {
      const { endpoint, asked } = watched();
      const keys = pair === undefined ? undefined : { server: pair, clientOfCurve: () => null };
      const server = await serveZmq(new Service(endpoint), "tcp://127.0.0.1:*", { keys });
      open.push(() => server.close());
      for (const [name, greeting] of Object.entries(greetings)) {
        const answer = await greet(server.address, greeting);
        expect([name, answer === null]).toEqual([name, false]);
        expect([name, answer?.includes("result")]).toEqual([name, false]);
      }
      expect(asked).toEqual([]);
    }
  });

  it("without keys lets in a client of today", async () => {
    const { endpoint } = watched();
    const server = await serveZmq(new Service(endpoint), "tcp://127.0.0.1:*");
    open.push(() => server.close());
    await using client = zmqEndpoint(server.address);
    expect(await client.call("db.listBeamlines", {})).toEqual(await endpoint.call("db.listBeamlines", {}));
  });

  it("of the karabo-bridge output does the same", async () => {
    const { endpoint, asked } = watched();
    await using bridge = await serveKaraboBridge(endpoint, {
      address: "tcp://127.0.0.1:*",
      shots: { bl: 3, detectors: [] },
    });
    for (const [name, greeting] of Object.entries(greetings))
      expect([name, (await greet(bridge.address, greeting)) === null]).toEqual([name, false]);
    expect(asked).toEqual([]);
  });
});
