import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { connect as connectSocket, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type HttpServer, type HttpServerOptions, serveHttp } from "../../../src/server/http-server.ts";
import { ServerMetrics } from "../../../src/server/metrics.ts";
import { Service, wholeTable } from "../../../src/server/service.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { encodeMessage, type RequestMessage } from "../../../src/transport/codec.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { httpEndpoint } from "../../../src/transport/http/client.ts";
import { PACKED_TYPE, packParts } from "../../../src/transport/packed.ts";
import { bigFrames } from "../../support/big-frames.ts";
import { changingTable, movingEndpoint } from "../../support/changing-table.ts";
import { httpServer } from "../../support/http.ts";
import { hasPrograms, itNeeding } from "../../support/optional.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function start(
  endpoint: Endpoint = endpointOf(tinySource()),
  options: Partial<HttpServerOptions> = {},
): Promise<HttpServer> {
  const metrics = new ServerMetrics();
  const server = await httpServer(endpoint, { metrics, ...options }, { metrics });
  open.push(server);
  return server;
}

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly body: unknown;
}

async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    body: text.startsWith("{") || text.startsWith("[") || /^[\d"]/.test(text) ? JSON.parse(text) : text,
  };
}

const json = (body: unknown): RequestInit => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});
const packed = (message: RequestMessage): RequestInit => ({
  method: "POST",
  headers: { "Content-Type": PACKED_TYPE },
  body: packParts(encodeMessage(message)),
});
const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";

/** A request written by hand, on a socket that is not read. */
async function rawRequest(address: string, path: string, headers: readonly string[] = []): Promise<Socket> {
  const { hostname, port, host } = new URL(address);
  const socket = connectSocket(Number(port), hostname);
  socket.pause();
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  socket.on("error", () => {});
  socket.write([`GET ${path} HTTP/1.1`, `Host: ${host}`, ...headers, "", ""].join("\r\n"));
  return socket;
}

describe("the HTTP server", () => {
  it("answers people: JSON in and out, GET with a query or POST with a body", async () => {
    const { address } = await start();
    expect(await ask(`${address}/v1/db/readRunstatus?bl=3&run=10`)).toEqual({
      status: 200,
      type: "application/json",
      body: 0,
    });
    expect(await ask(`${address}/v1/db/readTaglistByrun?bl=3&run=10`)).toMatchObject({
      body: [1000, 1002, 1004, 1006, 1008, 1010],
    });
    const columns = { equipIds: [bm1], hightag: 202502, tags: [1002, 1004, 1006] };
    const answer = { body: [{ equipId: bm1, unit: "C", values: [0, { $number: "NaN" }, 7e-9], status: [0, 1, 0] }] };
    expect(await ask(`${address}/v1/db/readColumns`, json(columns))).toMatchObject(answer);
    const query = new URLSearchParams({ equipIds: JSON.stringify([bm1]), hightag: "202502", tags: "[1002,1004,1006]" });
    expect(await ask(`${address}/v1/db/readColumns?${query}`)).toMatchObject(answer);
    expect(await ask(`${address}/v1/db/readTaglistBydetid?bl=3&run=10&detId=MPCCD-2N0-1-006-2`)).toMatchObject({
      body: [1000, 1002, 1004, 1008, 1010],
    });
  });

  it("answers what is wrong with a status and a coded error, in the form that was asked for", async () => {
    const { address } = await start(undefined, { requestBytes: 2000 });
    const url = (path: string): string => `${address}/v1/db/${path}`;
    const cases: [status: number, code: string, url: string, init?: RequestInit][] = [
      [404, "UNKNOWN_RUN", url("readRuninfo?bl=3&run=99")],
      [404, "UNKNOWN_METHOD", url("dropTables")],
      [404, "UNKNOWN_METHOD", `${address}/../../etc/passwd`],
      [404, "UNKNOWN_METHOD", url("readRuninfo?bl=3&run=10"), { method: "DELETE" }],
      [400, "BAD_ARGUMENT", url("readRuninfo?bl=3")],
      [400, "BAD_ARGUMENT", url("readRuninfo?bl=3&run=ten")],
      [400, "BAD_ARGUMENT", url("readRuninfo?bl=3&run=10&extra=1")],
      [400, "BAD_ARGUMENT", url("readRuninfo?bl=3&bl=3&run=10")],
      [400, "BAD_ARGUMENT", url("readRuninfo?bl=3&run=10"), json({})],
      [400, "BAD_ARGUMENT", url("readRuninfo"), json([1, 2])],
      [400, "BAD_ARGUMENT", url("readRuninfo?bl=3&run=10"), { headers: { "Sacla-Timeout-Ms": "soon" } }],
      [400, "BAD_ARGUMENT", url("readRuninfo?bl=3&run=10"), { headers: { "Idempotency-Key": "k".repeat(201) } }],
      [400, "BAD_MESSAGE", url("readRuninfo"), { method: "POST", body: "{}" }],
      [
        400,
        "BAD_MESSAGE",
        url("readRuninfo"),
        { method: "POST", headers: { "Content-Type": "application/json" }, body: "{" },
      ],
      [
        400,
        "BAD_MESSAGE",
        url("readRuninfo"),
        { method: "POST", headers: { "Content-Type": PACKED_TYPE }, body: "noise" },
      ],
      [
        400,
        "BAD_MESSAGE",
        url("readRuninfo"),
        packed({ kind: "call", id: 0, method: "db.readRunstatus", value: { bl: 3, run: 10 } }),
      ],
      [400, "BAD_MESSAGE", url("readRuninfo"), packed({ kind: "ping", id: 0 })],
      [413, "TOO_LARGE", url("readRuninfo"), json({ x: "x".repeat(3000) })],
      [503, "RUN_NOT_READY", `${address}/v1/st/collect?detId=OPAL-234363&bl=3&runs=[12]&tag=3000`],
      [404, "FRAME_MISSING", `${address}/v1/st/collect?detId=MPCCD-2N0-1-006-2&bl=3&runs=[10]&tag=1006`],
      [404, "TAG_OUTSIDE_RUN", `${address}/v1/st/frames?bl=3&run=10&detIds=["OPAL-234363"]&tags=[7]&roi=null`],
    ];
    for (const [status, code, where, init] of cases) {
      const answer = await ask(where, init);
      expect([where, answer.status, answer.type, answer.body]).toMatchObject([
        where,
        status,
        "application/json",
        { error: { code, message: expect.any(String) } },
      ]);
    }
    const response = await fetch(url("readRuninfo?bl=3&run=99"), { headers: { Accept: PACKED_TYPE } });
    expect([response.status, response.headers.get("content-type")]).toEqual([404, PACKED_TYPE]);
    // Sent in pieces, without saying how much it will be.
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(500)) });
    const chunked = { ...json({}), body: endless, duplex: "half" } as RequestInit;
    expect(await ask(url("readRuninfo"), chunked)).toMatchObject({
      status: 413,
      body: { error: { code: "TOO_LARGE" } },
    });
  });

  it("gives streams as Server-Sent Events to whoever does not ask for packed ones", async () => {
    const { address } = await start();
    const query = 'bl=3&run=10&detIds=["MPCCD-2N0-1-006-2"]&tags=[1004,1006]&roi={"rows":[1,2],"columns":[0,2]}';
    const { status, type, body } = await ask(`${address}/v1/st/frames?${query}`, {
      headers: { Accept: "text/event-stream" },
    });
    expect([status, type]).toEqual([200, "text/event-stream"]);
    const events = String(body)
      .trim()
      .split("\n\n")
      .map((event) =>
        Object.fromEntries(
          event.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
        ),
      );
    expect(events.map(({ event, id }) => [event, id])).toEqual([
      ["item", "0"],
      ["item", "1"],
      ["end", undefined],
    ]);
    expect(events.slice(0, 2).map(({ data }) => JSON.parse(data ?? ""))).toEqual([
      { tag: 1004, frames: [{ detId: "MPCCD-2N0-1-006-2", shape: [1, 2], data: [4210, 4211] }], missing: [] },
      { tag: 1006, frames: [], missing: [{ detId: "MPCCD-2N0-1-006-2", reason: "frame-missing" }] },
    ]);
  });

  it("tells a failure in the middle of a stream as its last message", async () => {
    const { endpoint } = bigFrames(2, (tag) => {
      if (tag === 8) throw new Error("the disk is gone");
    });
    const { address } = await start(endpoint);
    const path = `${address}/v1/st/frames?bl=3&run=10&detIds=["A"]&tags=[7,8,9]&roi=null`;
    expect((await ask(path)).body).toMatch(
      /event: item\n.*\n.*\n\nevent: error\ndata: .*"INTERNAL".*the disk is gone.*\n\n$/,
    );
    const seen: number[] = [];
    const reading = (async () => {
      const tags = Uint32Array.of(7, 8, 9);
      for await (const { tag } of httpEndpoint(address).stream("st.frames", {
        bl: 3,
        run: 10,
        detIds: ["A"],
        tags,
        roi: null,
      }))
        seen.push(tag);
    })();
    await expect(reading).rejects.toMatchObject({
      code: "INTERNAL",
      message: expect.stringContaining("the disk is gone"),
    });
    expect(seen).toEqual([7]);
  });

  it("describes itself, its health and what it has done", async () => {
    const { address } = await start();
    await ask(`${address}/v1/db/readRunstatus?bl=3&run=10`);
    await ask(`${address}/v1/db/readRuninfo?bl=3&run=99`);
    await ask(`${address}/v1/st/frames?bl=3&run=10&detIds=["OPAL-234363"]&tags=[1000]&roi=null`);
    expect(await ask(`${address}/health`)).toMatchObject({
      status: 200,
      body: { status: "ok", source: "the tiny source" },
    });
    const { paths } = (await ask(`${address}/v1/openapi.json`)).body as { paths: object };
    const routes = [...Object.keys(wholeTable.calls), ...Object.keys(wholeTable.streams)].map(
      (name) => `/v1/${name.replace(".", "/")}`,
    );
    expect(Object.keys(paths).sort()).toEqual([...routes, "/health", "/metrics", "/v1/openapi.json"].sort());
    const { type, body } = await ask(`${address}/metrics`);
    expect(type).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(body).toMatch(/sacla_requests_total\{method="db\.readRunstatus",outcome="ok"\} 1\n/);
    expect(body).toMatch(/sacla_requests_total\{method="db\.readRuninfo",outcome="UNKNOWN_RUN"\} 1\n/);
    expect(body).toMatch(/sacla_requests_total\{method="st\.frames",outcome="ok"\} 1\n/);
    expect(body).toMatch(/sacla_open_streams 0\n/);
    expect(body).toMatch(/sacla_sent_bytes_total [1-9]/);
  });

  it("is failing while its source is", async () => {
    const tiny = endpointOf(tinySource());
    const { address } = await start({
      ...tiny,
      call: () => Promise.reject(new Error("storage gone")),
      stream: tiny.stream,
      close: async () => {},
    });
    expect(await ask(`${address}/health`)).toMatchObject({
      status: 503,
      body: { status: "failing", error: { message: "storage gone" } },
    });
  });

  it("without keys answers only under the names of this computer", async () => {
    const { address } = await start();
    for (const [host, status] of [
      ["localhost:1", 200],
      ["127.0.0.1", 200],
      ["[::1]:80", 200],
      ["evil.example", 403],
      ["127.0.0.1.evil.example", 403],
    ] as const) {
      const { hostname, port } = new URL(address);
      const asked = connectSocket(Number(port), hostname);
      asked.write(`GET /v1/db/listBeamlines HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      let text = "";
      for await (const chunk of asked) text += String(chunk);
      expect([host, text.split("\r\n")[0]]).toEqual([host, expect.stringContaining(` ${status} `)]);
    }
    const response = await fetch(`${address}/v1/db/listBeamlines`, { headers: { Origin: "http://evil.example" } });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  });

  it("answers programs and its own pages, not a page of another origin; following a link only reads", async () => {
    const moving = movingEndpoint();
    const service = new Service(moving.endpoint, {}, changingTable);
    const server = await serveHttp(service, { port: 0 });
    open.push(server);
    const { address } = server;
    const { host } = new URL(address);
    /** The status of a question that a browser sends for a page, with the headers of the browser. */
    const statusOf = async (method: "GET" | "POST", headers: Record<string, string>): Promise<number> => {
      const isPost = method === "POST";
      const { hostname, port } = new URL(address);
      const body = '{"to":5}';
      const more = isPost
        ? ["Content-Type: application/json", `Idempotency-Key: ${randomUUID()}`, `Content-Length: ${body.length}`]
        : [];
      const lines = [
        `${method} /v1/${isPost ? "test/move" : "db/listBeamlines"} HTTP/1.1`,
        `Host: ${host}`,
        "Connection: close",
        ...more,
        ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      ];
      const asked = connectSocket(Number(port), hostname);
      asked.write(`${lines.join("\r\n")}\r\n\r\n${isPost ? body : ""}`);
      let text = "";
      for await (const chunk of asked) text += String(chunk);
      return Number(text.split(" ")[1]);
    };
    const other = "http://evil.example";
    const rows: readonly [headers: Record<string, string>, get: number, post: number][] = [
      [{}, 200, 200],
      [{ Origin: `http://${host}`, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors" }, 200, 200],
      [{ "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate" }, 200, 200],
      [{ Origin: other }, 403, 403],
      [{ Origin: "null" }, 403, 403],
      [{ Origin: "http://localhost:8888", "Sec-Fetch-Site": "same-site" }, 403, 403],
      // The name of the page leads to this computer, but the browser still says the name.
      [{ Origin: `${other}:${new URL(address).port}` }, 403, 403],
      [{ "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors" }, 403, 403],
      [{ "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate" }, 200, 403],
    ];
    for (const [headers, get, post] of rows) {
      const before = moving.moves.length;
      expect([headers, await statusOf("GET", headers), await statusOf("POST", headers)]).toEqual([headers, get, post]);
      expect(moving.moves.length - before).toBe(post === 200 ? 1 : 0);
    }
  });

  it("takes the secret of a lease in no address, and does not repeat one that was sent there", async () => {
    const { address } = await start();
    const secret = "4f9c-not-for-logs";
    for (const init of [{}, { method: "POST" }]) {
      const response = await fetch(`${address}/v1/lease/renew?bl=3&lease=${secret}`, init);
      const text = await response.text();
      expect([response.status, text]).toEqual([400, expect.stringMatching(/POST/)]);
      expect(text).not.toContain(secret);
    }
  });

  it("says clearly why it cannot start", async () => {
    const { address } = await start();
    const service = new Service(endpointOf(tinySource()));
    const port = Number(new URL(address).port);
    await expect(serveHttp(service, { port })).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringContaining("another program listens"),
    });
    await expect(serveHttp(service, { port: 0, host: "203.0.113.7" })).rejects.toMatchObject({
      code: "NOT_ALLOWED",
      message: expect.stringContaining("sacla keys new"),
    });
    await expect(serveHttp(service, { port: 0, host: "0.0.0.0" })).rejects.toMatchObject({ code: "NOT_ALLOWED" });
    await expect(serveHttp(service, { port: 70_000 })).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(serveHttp(service, { port: 0, tls: { cert: "no", key: "pem" } })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
  });

  it("leaves the program's own fetch classes alone", async () => {
    const before = [globalThis.Request, globalThis.Response];
    await start();
    expect([globalThis.Request, globalThis.Response]).toEqual(before);
  });
});

const MIB = 2 ** 20;
const manyTags = (count: number): string =>
  `bl=3&run=10&detIds=["A"]&roi=null&tags=${JSON.stringify(Array.from({ length: count }, (_, i) => i))}`;

/** Waits until `count` has stood still for a while. */
async function settled(count: () => number): Promise<number> {
  for (let last = -1, same = 0; same < 10; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    same = count() === last && count() > 0 ? same + 1 : 0;
    last = count();
  }
  return count();
}

describe("a stream that is not read", () => {
  it.each([
    ["packed", PACKED_TYPE, 1024, 60, 4 * MIB],
    ["Server-Sent Events", "text/event-stream", 500, 120, 2 * 500 * 500],
  ])(
    "makes no more items than the system's buffers hold, and the rest when it is read (%s)",
    async (_, accept, side, count, itemBytes) => {
      const big = bigFrames(side);
      const { address } = await start(big.endpoint);
      const socket = await rawRequest(address, `/v1/st/frames?${manyTags(count)}`, [
        `Accept: ${accept}`,
        "Connection: close",
      ]);
      const made = await settled(big.made);
      const before = process.memoryUsage();
      await settled(big.made);
      expect(big.made()).toBe(made);
      expect(made * itemBytes).toBeLessThan(40 * MIB);
      expect(made).toBeLessThan(count / 2);
      expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(8 * MIB);
      let [bytes, tail] = [0, ""];
      for await (const chunk of socket) {
        bytes += (chunk as Buffer).length;
        tail = (tail + (chunk as Buffer).subarray(-200).toString("latin1")).slice(-200);
      }
      expect(tail).toMatch(accept === PACKED_TYPE ? /"kind":"end"/ : /event: end/);
      expect(bytes).toBeGreaterThan(count * itemBytes);
      expect([big.made(), big.open()]).toEqual([count, 0]);
    },
  );

  it("holds up nobody else, ends when its reader goes, and is given up after a time", async () => {
    const big = bigFrames(1024);
    const { address } = await start(big.endpoint, { stallMs: 2500 });
    const going = await rawRequest(address, `/v1/st/frames?${manyTags(60)}`, [`Accept: ${PACKED_TYPE}`]);
    const staying = await rawRequest(address, `/v1/st/frames?${manyTags(60)}`, [`Accept: ${PACKED_TYPE}`]);
    await expect.poll(big.open).toBe(2);
    expect(await ask(`${address}/v1/db/readRunstatus?bl=3&run=10`)).toMatchObject({ body: 0 });
    going.destroy();
    await expect.poll(big.open).toBeLessThan(2);
    await expect.poll(big.open).toBe(0);
    staying.destroy();
    expect(await ask(`${address}/metrics`)).toMatchObject({ body: expect.stringContaining("sacla_open_streams 0\n") });
  });

  it("keeps no stream open for a HEAD", async () => {
    const big = bigFrames(4);
    const { address } = await start(big.endpoint);
    expect((await fetch(`${address}/v1/st/frames?${manyTags(3)}`, { method: "HEAD" })).status).toBe(400);
    expect([big.made(), big.open()]).toEqual([0, 0]);
  });
});

describe("a stream that waits for its source", () => {
  it("gives signs of life, and ends at the source when the reader leaves", async () => {
    const big = bigFrames(2, (tag) => (tag > 7 ? new Promise(() => {}) : undefined));
    const { address } = await start(big.endpoint, { pongMs: 30 });
    const endpoint = httpEndpoint(address, { silenceMs: 5000 });
    const asked = { bl: 3, run: 10, detIds: ["A"], tags: Uint32Array.of(7, 8), roi: null };
    for await (const { tag } of endpoint.stream("st.frames", asked)) {
      expect(tag).toBe(7);
      break;
    }
    const stop = new AbortController();
    const response = await fetch(`${address}/v1/st/frames?bl=3&run=10&detIds=["A"]&roi=null&tags=[8]`, {
      signal: stop.signal,
    });
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += new TextDecoder().decode(chunk as Uint8Array);
      if (text.length > 60) break;
    }
    expect(text).toMatch(/^(: no item yet\n\n){2}/);
    stop.abort();
  });
});

describe("a call that is given up", () => {
  it("reaches the source as an aborted signal", async () => {
    let state = "not asked";
    const tiny = endpointOf(tinySource());
    const stuck: Endpoint = {
      call: (_, __, options) => {
        state = "asked";
        options?.signal?.addEventListener("abort", () => {
          state = "aborted";
        });
        return new Promise(() => {});
      },
      stream: tiny.stream,
      close: async () => {},
    };
    const { address } = await start(stuck);
    const stop = new AbortController();
    const call = httpEndpoint(address).call("db.listBeamlines", {}, { signal: stop.signal });
    // Handled when it is awaited below.
    call.catch(() => {});
    await expect.poll(() => state).toBe("asked");
    stop.abort();
    await expect(call).rejects.toMatchObject({ code: "ABORTED" });
    await expect.poll(() => state).toBe("aborted");
    const late = { headers: { "Sacla-Timeout-Ms": "50" } };
    expect(await ask(`${address}/v1/db/listBeamlines`, late)).toMatchObject({
      status: 504,
      body: { error: { code: "TIMEOUT" } },
    });
  });
});

describe("a server that closes", () => {
  it("tells streams that it is closing, and is done in bounded time whoever does not read", async () => {
    const big = bigFrames(1024);
    const server = await start(big.endpoint);
    await rawRequest(server.address, `/v1/st/frames?${manyTags(60)}`, [`Accept: ${PACKED_TYPE}`]);
    const tags = Uint32Array.from({ length: 1000 }, (_, i) => i);
    let seen = 0;
    const reading = (async () => {
      for await (const _ of httpEndpoint(server.address).stream("st.frames", {
        bl: 3,
        run: 10,
        detIds: ["A"],
        tags,
        roi: null,
      })) {
        seen++;
        if (seen === 3) void server.close();
      }
    })();
    await expect(reading).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringMatching(/closing.*are missing/),
      details: { missingCount: expect.any(Number) },
    });
    await server.close();
    await server.close();
    await expect(httpEndpoint(server.address).call("db.listBeamlines", {})).rejects.toMatchObject({
      code: "UNREACHABLE",
    });
    await expect.poll(big.open).toBe(0);
  });
});

describe("TLS", () => {
  const folder = temporaryFolder();
  itNeeding(hasPrograms("openssl"), "needs openssl", "answers https with the certificate given", async () => {
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        key,
        "-out",
        cert,
      ],
      { stdio: "ignore" },
    );
    const server = await start(undefined, { tls: { cert: readFileSync(cert), key: readFileSync(key) } });
    expect(server.address).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const url = `${server.address.replace("127.0.0.1", "localhost")}/v1/db/readRunstatus?bl=3&run=10`;
    const text = await new Promise<string>((resolve, reject) => {
      httpsRequest(url, { ca: readFileSync(cert), agent: false }, (response) => {
        let all = "";
        response.on("data", (chunk) => {
          all += String(chunk);
        });
        response.on("end", () => resolve(all));
      })
        .on("error", reject)
        .end();
    });
    expect(text).toBe("0");
    await expect(httpEndpoint(server.address).call("db.listBeamlines", {})).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringMatching(/self.signed/i),
    });
  });
});
