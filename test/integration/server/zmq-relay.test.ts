import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { Dealer, Router } from "zeromq";
import { Service } from "../../../src/server/service.ts";
import { serveZmq, type ZmqServer } from "../../../src/server/zmq-server.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { type AnswerMessage, decodeMessage, encodeMessage } from "../../../src/transport/codec.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";

const folder = temporaryFolder();
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const it of open.splice(0).reverse()) await it.close();
});

let count = 0;

/** A relay, a server behind it whose answers a test writes by hand, and a client that does the same with its requests. */
async function relayed(): Promise<{ front: ZmqServer; behind: Router; client: Dealer }> {
  const front = await serveZmq(new Service(endpointOf(tinySource())), "tcp://127.0.0.1:*", {
    relay: { owns: (method) => method === "facility.describe" },
  });
  const behind = new Router({ linger: 0, mandatory: true, sendTimeout: 0, sendHighWaterMark: 1 });
  const address = `ipc://${join(folder, `behind${count++}`)}`;
  await behind.bind(address);
  front.relayTo(address);
  const client = new Dealer({ linger: 0, receiveTimeout: 20_000, receiveHighWaterMark: 1 });
  client.connect(front.address);
  open.push(front, behind, client);
  return { front, behind, client };
}

async function receive(client: Dealer): Promise<AnswerMessage> {
  return decodeMessage(await client.receive(), { copy: true }) as AnswerMessage;
}

it("tells whoever waits that the server behind has gone, wherever in the header the id of the request stands", async () => {
  const { front, behind, client } = await relayed();
  const value = { bl: 3, run: 10, note: "x".repeat(1000) };
  await client.send(JSON.stringify({ sacla: 1, value, kind: "call", method: "db.readRunstatus", id: 7 }));
  await behind.receive();
  front.relayTo(undefined);
  expect(await receive(client)).toMatchObject({ kind: "error", id: 7, error: { code: "UNREACHABLE" } });
  // And who asks while there is none.
  await client.send(encodeMessage({ kind: "call", id: 8, method: "db.readRunstatus", value }));
  expect(await receive(client)).toMatchObject({ kind: "error", id: 8, error: { code: "UNREACHABLE" } });
});

it("gives a client that reads late one answer to each request, though the server behind has gone by then", async () => {
  const { front, behind, client } = await relayed();
  const calls = 400;
  const pixels = new Uint8Array(100_000);
  for (let id = 0; id < calls; id++)
    await client.send(encodeMessage({ kind: "call", id, method: "db.readRunstatus", value: { bl: 3, run: 10 } }));
  // As many as there is room for, on all of the way.
  const [name = Buffer.alloc(0)] = await behind.receive();
  let answered = 0;
  for (let full = 0; answered < calls && full < 20; ) {
    const answer = encodeMessage({ kind: "result", id: answered, value: pixels });
    await behind.send([name, ...answer]).then(
      () => answered++,
      async () => {
        full++;
        await new Promise((resolve) => setTimeout(resolve, 20));
      },
    );
  }
  expect(answered).toBeLessThan(calls);
  front.relayTo(undefined);
  const last = new Map<number | null, string>();
  while (last.size < calls) {
    const { id, kind } = await receive(client);
    expect(last.has(id)).toBe(false);
    last.set(id, kind);
  }
  expect(new Set(last.values())).toEqual(new Set(["result", "error"]));
});

it("answers what it answers itself, also when nothing can be passed on", async () => {
  const { front, client } = await relayed();
  front.relayTo(`ipc:///${"no such place".repeat(20)}`);
  await client.send(encodeMessage({ kind: "call", id: 1, method: "db.readRunstatus", value: { bl: 3, run: 10 } }));
  expect(await receive(client)).toMatchObject({ kind: "error", id: 1, error: { code: "INTERNAL" } });
  await client.send(encodeMessage({ kind: "call", id: 2, method: "facility.describe", value: {} }));
  expect(await receive(client)).toMatchObject({ kind: "result", id: 2 });
});
