/**
 * Readers that do their worst to a server, in a process of their own: big columns and images as JSON and packed, over
 * HTTP and ZeroMQ, streams that are never read, requests that are too large. Prints what has been asked, one JSON line
 * in two seconds, until it is killed. Arguments: the addresses ZMQ HTTP, and CLIENTS SEED.
 */

import { request } from "node:http";
import { connect as connectSocket } from "node:net";
import { Dealer } from "zeromq";
import { connect } from "../../src/connect.ts";
import { Random } from "../../src/core/random.ts";
import { encodeMessage, type WireMessage } from "../../src/transport/codec.ts";

const [zmq = "", http = "", clients = "16", seed = "1"] = process.argv.slice(2);
const counts = { asked: 0, answered: 0, refused: 0, failed: 0, bytes: 0, unread: 0 };
const { hostname, port } = new URL(http);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

await using facility = await connect(zmq);
const bl = 3;
const run = (await facility.endpoint.call("db.listRuns", { bl, last: 2 }))[0] ?? 0;
const hightag = await facility.endpoint.call("db.readHightagnumber", { bl, run });
const tags = await facility.endpoint.call("db.readTaglistByrun", { bl, run });
const signals = (await facility.endpoint.call("db.readEquiplist", {})).slice(0, 220);
const detectors = (await facility.endpoint.call("db.readDetidlist", { bl, run })).filter((id) => /-\d$|OPAL/.test(id));
const many = Uint32Array.from({ length: 9000 }, (_, i) => (tags[0] ?? 0) + 2 * i);
const columns = { equipIds: signals, hightag, tags: many };
const frames = { bl, run, detIds: detectors, tags, roi: null };

/** One HTTP request whose answer is read and thrown away; the status. */
function ask(method: string, body: unknown, accept: string): Promise<number> {
  counts.asked++;
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: hostname,
        port,
        method: "POST",
        path: `/v1/${method.replace(".", "/")}`,
        headers: { "content-type": "application/json", accept },
      },
      (answer) => {
        answer.on("data", (bytes: Buffer) => {
          counts.bytes += bytes.byteLength;
        });
        answer.on("end", () => resolve(answer.statusCode ?? 0)).on("error", reject);
      },
    );
    asked.on("error", reject);
    asked.end(
      JSON.stringify(body, (_, value: unknown) => (ArrayBuffer.isView(value) ? [...(value as Uint32Array)] : value)),
    );
  });
}

async function asking(method: string, body: unknown, accept: string): Promise<void> {
  for (;;) {
    try {
      const status = await ask(method, body, accept);
      if (status === 200) counts.answered++;
      else counts.refused++;
    } catch {
      counts.failed++;
    }
    await pause(20);
  }
}

/** A stream of images that is asked for and never read. */
async function neverRead(accept: string): Promise<void> {
  for (;;) {
    const body = JSON.stringify({ ...frames, tags: [...tags] });
    const socket = connectSocket({ host: hostname, port: Number(port) });
    socket.on("error", () => {});
    socket.pause();
    socket.write(
      `POST /v1/st/frames HTTP/1.1\r\nHost: ${hostname}\r\nAccept: ${accept}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    counts.unread++;
    await pause(30_000);
    socket.destroy();
  }
}

/** Requests over one ZeroMQ connection, whose answers are read or not. */
async function overZmq(message: (id: number) => WireMessage, isRead: boolean): Promise<void> {
  for (let id = 0; ; ) {
    const dealer = new Dealer({ linger: 0, receiveHighWaterMark: 1 });
    dealer.connect(zmq);
    const until = performance.now() + 30_000;
    try {
      if (!isRead) {
        for (let i = 0; i < 8; i++) await dealer.send(encodeMessage(message(id++)));
        counts.unread += 8;
        await pause(30_000);
      }
      while (isRead && performance.now() < until) {
        counts.asked++;
        await dealer.send(encodeMessage(message(id++)));
        for (;;) {
          const [head, ...parts] = await dealer.receive();
          counts.bytes += parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
          const kind = /"kind":"(\w+)"/.exec(head?.subarray(0, 100).toString() ?? "")?.[1];
          if (kind === "item") {
            await dealer.send(encodeMessage({ kind: "credit", id: id - 1, credit: 1 }));
            continue;
          }
          if (kind === "error") counts.refused++;
          else counts.answered++;
          break;
        }
      }
    } catch {
      counts.failed++;
    }
    dealer.close();
    await pause(20);
  }
}

const call =
  (method: string, value: unknown) =>
  (id: number): WireMessage => ({ kind: "call", id, method, value });
const stream =
  (value: unknown, credit: number) =>
  (id: number): WireMessage => ({ kind: "stream", id, method: "st.frames", value, credit });
const packed = "application/x-sacla";
const kinds: readonly (() => Promise<void>)[] = [
  () => asking("db.readColumns", columns, "application/json"),
  () => overZmq(call("db.readColumns", columns), true),
  () => neverRead("text/event-stream"),
  () => asking("db.readColumns", columns, packed),
  () => overZmq(stream(frames, 64), false),
  () => asking("st.frames", { ...frames, tags: tags.subarray(0, 20) }, packed),
  () => overZmq(stream({ ...frames, tags: tags.subarray(0, 50) }, 4), true),
  // Too large in each way: values, detectors, bytes of the request.
  () =>
    asking(
      "db.readColumns",
      { ...columns, tags: Uint32Array.from({ length: 100_000 }, (_, i) => i) },
      "application/json",
    ),
  () => neverRead(packed),
  () => overZmq(call("db.readColumns", columns), false),
  () => asking("st.frames", { ...frames, detIds: Array.from({ length: 150 }, () => detectors[0]) }, packed),
  () => asking("db.readSyncdatalist", { equipId: signals[0], hightag, tags: many }, "application/json"),
];
const random = new Random(Number(seed));
for (let i = 0; i < Number(clients); i++) setTimeout(() => void kinds[i % kinds.length]?.(), 2000 * random.uniform());
setInterval(() => console.log(JSON.stringify({ ...counts, bytes: Math.round(counts.bytes / 2 ** 20) })), 2000);
