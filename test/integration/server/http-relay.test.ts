import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { httpServer } from "../../support/http.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";

const folder = temporaryFolder();
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

let count = 0;

/** A relay and the server behind it; gives the address of the relay. */
async function relayed(behind: RequestListener): Promise<string> {
  const socketPath = join(folder, `behind${count++}`);
  const server: Server = createServer(behind);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
  const relay = await httpServer(endpointOf(tinySource()), { relay: { socketPath, owns: () => false } });
  closing.push(() => relay.close());
  return relay.address;
}

async function bodyOf(asked: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const chunk of asked as AsyncIterable<Buffer>) bytes += chunk.byteLength;
  return bytes;
}

async function post(address: string, body: string): Promise<[number, string]> {
  const answer = await fetch(`${address}/v1/some/thing`, { method: "POST", body });
  return [answer.status, await answer.text()];
}

it("gives an answer that comes before the body has been read, and harms no other request", async () => {
  const address = await relayed((_asked, answer) => {
    answer.writeHead(404).end("no such route");
  });
  const big = "x".repeat(2 ** 20);
  for (let i = 0; i < 8; i++)
    expect(await Promise.all([big, "small", big, "small"].map((body) => post(address, body)))).toEqual(
      Array.from({ length: 4 }, () => [404, "no such route"]),
    );
});

it("passes on a request only when its body has come to its end", async () => {
  const seen: string[] = [];
  const address = await relayed((asked, answer) => {
    seen.push(`begun ${asked.headers["content-length"]}`);
    bodyOf(asked).then((bytes) => answer.end(`${bytes} bytes`));
  });
  const { hostname, port } = new URL(address);
  const socket: Socket = connect(Number(port), hostname);
  let answered = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    answered += text;
  });
  socket.write(`POST /v1/some/thing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
  // Others are not kept waiting meanwhile.
  expect(await post(address, "12345")).toEqual([200, "5 bytes"]);
  expect(seen).toEqual(["begun 5"]);
  socket.write("2\r\nde\r\n0\r\n\r\n");
  await expect.poll(() => answered).toContain("5 bytes");
  socket.destroy();
});

it("refuses a body that is too long, with or without its length in the header", async () => {
  const address = await relayed((_asked, answer) => {
    answer.end("begun");
  });
  const piece = new Uint8Array(2 ** 20);
  const pieces = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (let i = 0; i < 17; i++) controller.enqueue(piece);
      controller.close();
    },
  });
  const init = { method: "POST", body: pieces, duplex: "half" } as RequestInit;
  for (const answer of [
    await fetch(`${address}/v1/some/thing`, { method: "POST", body: new Uint8Array(17 * 2 ** 20) }),
    await fetch(`${address}/v1/some/thing`, init),
  ]) {
    expect(answer.status).toBe(413);
    expect(await answer.json()).toMatchObject({ error: { code: "TOO_LARGE", details: { allowed: 16 * 2 ** 20 } } });
  }
});

it("says 503 with a code when the server behind is gone, before or while it reads", async () => {
  const address = await relayed((asked) => {
    asked.socket.destroy();
  });
  const answer = await fetch(`${address}/v1/some/thing`, { method: "POST", body: "x" });
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await answer.json()).toMatchObject({ error: { code: "UNREACHABLE" } });
  await closing.splice(0, 1)[0]?.();
  expect((await post(address, "x"))[0]).toBe(503);
});
