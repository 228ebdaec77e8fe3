import { connect as connectSocket } from "node:net";
import fc from "fast-check";
import { errorCatalogue } from "../../src/core/errors.ts";
import { serveHttp } from "../../src/server/http-server.ts";
import { Service } from "../../src/server/service.ts";
import type { Endpoint } from "../../src/transport/endpoint.ts";
import { callMethods, streamMethods } from "../../src/transport/methods.ts";
import { PACKED_TYPE, packParts } from "../../src/transport/packed.ts";
import { usedMb } from "../../test/support/fuzz-protocol.ts";

/** What came of asking a server nonsense. */
export interface HttpFuzzReport {
  readonly sent: number;
  /** Answers by status; 0: the server cut the connection of somebody who did not speak HTTP. */
  readonly statuses: Readonly<Record<number, number>>;
  /** Answers that were neither right nor a coded error, with what was asked; there should be none. */
  readonly wrong: readonly string[];
  /** What is in use after a collection of garbage, MB: after a tenth of the requests, at the end. */
  readonly usedMb: readonly [early: number, late: number];
}

/** One nonsensical request. */
interface Nonsense {
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | null;
  /** Sent as it is, without HTTP around it. */
  readonly raw: Uint8Array | null;
}

const BATCH = 500;
const AT_A_TIME = 16;
const ANSWER_MS = 20_000;
/** A tenth of what is sent first, so that caches and compiled code are there when memory is looked at. */
const WARM_UP = 0.1;

/**
 * Sends `count` mutated and made-up requests to a server over `endpoint`, which it closes. Every answer must be a right
 * one or a coded error, and the server must answer others afterwards.
 */
export async function fuzzHttp(endpoint: Endpoint, count: number, seed: number): Promise<HttpFuzzReport> {
  const service = new Service(endpoint);
  const server = await serveHttp(service, { port: 0, requestBytes: 100_000 });
  const statuses: Record<number, number> = {};
  const wrong: string[] = [];
  let early = usedMb();
  try {
    for (let sent = 0; sent < count; sent += BATCH) {
      const left = fc.sample(nonsense, { numRuns: Math.min(BATCH, count - sent), seed: seed + sent });
      const ask = async (): Promise<void> => {
        for (let next = left.pop(); next !== undefined; next = left.pop()) {
          const { status, complaint } = await askOne(server.address, next);
          statuses[status] = (statuses[status] ?? 0) + 1;
          if (complaint !== null)
            wrong.push(`${complaint}: ${JSON.stringify({ ...next, body: text(next.body), raw: text(next.raw) })}`);
        }
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, ask));
      if (sent < WARM_UP * count) early = usedMb();
    }
    const health = await fetch(`${server.address}/health`, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (health.status !== 200) wrong.push(`health is ${health.status} afterwards`);
    return { sent: count, statuses, wrong, usedMb: [early, usedMb()] };
  } finally {
    await service.close();
    await server.close();
    await endpoint.close();
  }
}

const text = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : Buffer.from(bytes).toString("latin1").slice(0, 300);

async function askOne(
  address: string,
  { path, method, headers, body, raw }: Nonsense,
): Promise<{ status: number; complaint: string | null }> {
  // Not AbortSignal.timeout: thousands of them would be in memory until their time has come.
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(new Error("silent")), ANSWER_MS);
  try {
    if (raw !== null) return judge(...(await askRaw(address, raw)));
    const response = await fetch(`${address}${path}`, {
      method,
      headers,
      body,
      redirect: "manual",
      signal: patience.signal,
    });
    return judge(
      response.status,
      response.headers.get("content-type") ?? "",
      new Uint8Array(await response.arrayBuffer()),
      method,
    );
  } catch (error) {
    return { status: -1, complaint: `no answer (${String(error)}; ${String((error as Error).cause ?? "")})` };
  } finally {
    clearTimeout(timer);
  }
}

/** The answer to bytes that may be no HTTP at all; status 0 when the connection was closed without one. */
async function askRaw(
  address: string,
  raw: Uint8Array,
): Promise<[status: number, type: string, body: Uint8Array, method: string]> {
  const { hostname, port } = new URL(address);
  const socket = connectSocket(Number(port), hostname);
  socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error("silent")));
  socket.end(raw);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const whole = Buffer.concat(chunks).toString("latin1");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(whole)?.[1] ?? 0);
  const type = /content-type: ([^\r]*)/i.exec(whole)?.[1] ?? "";
  return [status, type, Buffer.from(whole.slice(whole.indexOf("\r\n\r\n") + 4), "latin1"), "RAW"];
}

function judge(
  status: number,
  type: string,
  body: Uint8Array,
  method: string,
): { status: number; complaint: string | null } {
  // Nothing was asked, or by HEAD: nothing is answered. A chunked answer to raw bytes is not taken apart here.
  if (status === 0 || method === "HEAD" || (status >= 200 && status < 300)) return { status, complaint: null };
  if (status < 400) return { status, complaint: `status ${status}` };
  const content = Buffer.from(body).toString("latin1");
  const code = /"code":"([A-Z0-9_]+)"/.exec(content)?.[1];
  const isCoded =
    code !== undefined && Object.hasOwn(errorCatalogue, code) && (type === "application/json" || type === PACKED_TYPE);
  // What a client sends must never look like a fault of the server.
  if (isCoded && code !== "INTERNAL") return { status, complaint: null };
  return { status, complaint: `status ${status} with ${type}: ${content.slice(0, 200)}` };
}

const tables: Readonly<Record<string, { readonly params: object }>> = { ...callMethods, ...streamMethods };
const methods = Object.keys(tables);
/** What the tiny source of the tests understands, by the name of the parameter. */
const right: Readonly<Record<string, unknown>> = {
  bl: 3,
  run: 10,
  runs: [10],
  last: 3,
  detId: "OPAL-234363",
  detIds: ["OPAL-234363"],
  equipId: "xfel_bl_3_tc_bm_1_pd/charge",
  equipIds: ["xfel_bl_3_tc_bm_1_pd/charge"],
  hightag: 202502,
  tag: 1000,
  tags: [1000],
  starttag: 1000,
  endtag: 1010,
  time: "12:00:00",
  day: 20,
  month: 6,
  year: 2014,
  roi: null,
};

/** Something where a parameter is wanted. */
const value = fc.oneof(
  fc.constantFrom<unknown>(
    ...Object.values(right),
    -1,
    1.5,
    2 ** 32,
    1e308,
    "",
    "10",
    true,
    undefined,
    { $number: "NaN" },
    { $frame: 0, dtype: "u4" },
  ),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constant(JSON.parse('{"__proto__":{"x":1}}') as unknown),
);
/** A method with its parameters, most of them right; or what nobody would send. */
const question = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .constantFrom(...methods)
      .chain((name) => fc.record({ name: fc.constant(name), params: mostlyRight(name) })),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      name: fc.constantFrom(...methods, "db.none", "st.", "constructor.x", "__proto__.y"),
      params: fc.oneof(fc.dictionary(fc.string(), value, { maxKeys: 4 }), value),
    }),
  },
);
function mostlyRight(name: string): fc.Arbitrary<unknown> {
  const params = tables[name]?.params ?? {};
  const entries =
    "entries" in params && typeof params.entries === "object" && params.entries !== null ? params.entries : {};
  const known = Object.keys(entries).map(
    (key) =>
      [key, fc.oneof({ weight: 9, arbitrary: fc.constant(right[key]) }, { weight: 1, arbitrary: value })] as const,
  );
  return fc.record(Object.fromEntries(known));
}
const pathOf = (name: string): string => `/v1/${name.replace(".", "/")}`;
const path = fc.constantFrom(...methods).map(pathOf);
const headers = fc.record(
  {
    Accept: fc.constantFrom(PACKED_TYPE, "application/json", "text/event-stream", "*/*", "nonsense"),
    "Sacla-Timeout-Ms": fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom("0", "1e9", "5000") },
      { weight: 1, arbitrary: fc.stringMatching(/^[!-~]{0,20}$/) },
    ),
    "Idempotency-Key": fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom("a", "b") },
      { weight: 1, arbitrary: fc.stringMatching(/^[!-~]{0,220}$/) },
    ),
    Authorization: fc.stringMatching(/^[!-~]{0,50}$/),
  },
  { requiredKeys: [] },
);
const bytesOf = (content: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(content);

/** A packed message, then damaged: bytes changed, cut off, put in between. */
const packed = fc
  .record({
    asked: question,
    kind: fc.constantFrom(
      "call",
      "call",
      "call",
      "stream",
      "credit",
      "cancel",
      "ping",
      "result",
      "item",
      "end",
      "error",
    ),
    frames: fc.array(fc.uint8Array({ maxLength: 16 }), { maxLength: 2 }),
    damage: fc.array(fc.record({ at: fc.nat(400), byte: fc.nat(255), what: fc.constantFrom("set", "cut", "insert") }), {
      maxLength: 2,
    }),
  })
  .map(({ asked: { name, params }, kind, frames, damage }) => {
    const header = bytesOf(JSON.stringify({ sacla: 1, kind, id: 0, credit: 1, seq: 0, method: name, value: params }));
    let bytes = packParts([header, ...frames.map((frame) => new Uint8Array(frame))]);
    for (const { at, byte, what } of damage) {
      const place = at % (bytes.length + 1);
      if (what === "set" && place < bytes.length) bytes[place] = byte;
      if (what === "cut") bytes = bytes.slice(0, place);
      if (what === "insert") bytes = Uint8Array.from([...bytes.subarray(0, place), byte, ...bytes.subarray(place)]);
    }
    return { path: pathOf(name), type: PACKED_TYPE, body: bytes };
  });
const json = question.map(({ name, params }) => ({
  path: pathOf(name),
  type: "application/json",
  body: bytesOf(JSON.stringify(params) ?? ""),
}));
const noise = fc
  .record({
    path,
    type: fc.constantFrom(PACKED_TYPE, "application/json", "text/plain"),
    body: fc.uint8Array({ maxLength: 300 }),
  })
  .map(({ body, ...rest }) => ({ ...rest, body: new Uint8Array(body) }));
const large = fc.constantFrom(
  { path: "/v1/db/readRuninfo", type: PACKED_TYPE, body: new Uint8Array(120_000) },
  { path: "/v1/db/readRuninfo", type: "application/json", body: bytesOf("[".repeat(90_000)) },
);

const get = fc.record({ asked: question, headers }).map(({ asked: { name, params }, headers: with_ }): Nonsense => {
  const isObject = typeof params === "object" && params !== null && !Array.isArray(params);
  const entries = Object.entries(isObject ? params : { x: params });
  const query = new URLSearchParams(
    entries.map(([key, entry]): [string, string] => [
      key,
      typeof entry === "string" ? entry : (JSON.stringify(entry) ?? ""),
    ]),
  );
  return { path: `${pathOf(name)}?${query}`, method: "GET", headers: with_, body: null, raw: null };
});
const post = fc
  .record({
    sent: fc.oneof(
      { weight: 4, arbitrary: json },
      { weight: 4, arbitrary: packed },
      { weight: 1, arbitrary: noise },
      { weight: 1, arbitrary: large },
    ),
    headers,
  })
  .map(
    ({ sent: { path: at, type, body }, headers: with_ }): Nonsense => ({
      path: at,
      method: "POST",
      headers: { ...with_, "Content-Type": type },
      body,
      raw: null,
    }),
  );
const odd = fc
  .record({
    path: fc.oneof(
      path,
      fc.webPath(),
      fc.constantFrom("/", "/health", "/metrics", "/v1/openapi.json", "/v1/", "/%00", "/%zz"),
    ),
    headers,
    method: fc.constantFrom("HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "GET"),
  })
  .map(
    ({ path: at, headers: with_, method: verb }): Nonsense => ({
      path: at,
      method: verb,
      headers: with_,
      body: null,
      raw: null,
    }),
  );
const raw = fc
  .oneof(
    fc.uint8Array({ maxLength: 200 }).map((noise) => new Uint8Array(noise)),
    fc
      .record({ at: path, line: fc.stringMatching(/^[ -~\r\n]{0,80}$/) })
      .map(({ at, line }) => bytesOf(`POST ${at} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${line}\r\n\r\n`)),
    fc
      .constantFrom(
        "Content-Length: 5\r\n\r\nab",
        "Content-Length: -5\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        `X: ${"x".repeat(20_000)}\r\n\r\n`,
        "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
      )
      .map((rest) =>
        bytesOf(
          `POST /v1/db/readRuninfo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
            `Content-Type: application/json\r\n${rest}`,
        ),
      ),
  )
  .map((bytes): Nonsense => ({ path: "", method: "", headers: {}, body: null, raw: bytes }));

const nonsense: fc.Arbitrary<Nonsense> = fc.oneof(
  { weight: 4, arbitrary: get },
  { weight: 6, arbitrary: post },
  { weight: 1, arbitrary: odd },
  { weight: 1, arbitrary: raw },
);
