import { delay, HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type AnswerMessage, encodeMessage } from "../../../src/transport/codec.ts";
import { type HttpOptions, httpEndpoint } from "../../../src/transport/http/client.ts";
import { PACKED_TYPE, packParts } from "../../../src/transport/packed.ts";

const base = "http://sacla.test:5580";
const net = setupServer();
beforeAll(() => net.listen({ onUnhandledRequest: "error" }));
afterEach(() => net.resetHandlers());
afterAll(() => net.close());

const packed = (message: AnswerMessage): Uint8Array<ArrayBuffer> => packParts(encodeMessage(message));
const answer = (
  body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null,
  status = 200,
  headers: Record<string, string> = { "Content-Type": PACKED_TYPE },
): Response => new HttpResponse(body, { status, headers }) as Response;
const result = (value: unknown): Response => answer(packed({ kind: "result", id: 0, value }));

/** Whatever is asked, answered by `make`. */
function serving(make: (request: Request) => Response | Promise<Response>): void {
  net.use(http.all(`${base}/*`, async ({ request }) => await make(request)));
}

async function status(
  options: HttpOptions = {},
  call: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<number> {
  return await httpEndpoint(base, options).call("db.readRunstatus", { bl: 3, run: 10 }, call);
}

const asked = { bl: 3, run: 10, detIds: ["A"], tags: Uint32Array.of(7, 8, 9), roi: null };
const item = (seq: number, tag = 7 + seq): Uint8Array =>
  packed({ kind: "item", id: 0, seq, value: { tag, frames: [], missing: [] } });

async function tagsSeen(
  options: HttpOptions = {},
  call: { timeoutMs?: number } = {},
): Promise<{ tags: number[]; error: unknown }> {
  const tags: number[] = [];
  try {
    for await (const shot of httpEndpoint(base, options).stream("st.frames", asked, call)) tags.push(shot.tag);
    return { tags, error: null };
  } catch (error) {
    return { tags, error };
  }
}

/** A body of these pieces; then it ends, breaks or says nothing more. */
function body(pieces: readonly Uint8Array[], then: "ends" | "breaks" | "waits" = "ends"): ReadableStream<Uint8Array> {
  const left = [...pieces];
  // One piece at a time, and only when it is read: a stream that breaks forgets what nobody has taken yet.
  return new ReadableStream(
    {
      async pull(controller) {
        const next = left.shift();
        if (next !== undefined) controller.enqueue(next);
        else if (then === "ends") controller.close();
        else if (then === "breaks") controller.error(new Error("the cable was cut"));
        else await new Promise(() => {});
      },
    },
    { highWaterMark: 0 },
  );
}

describe("the HTTP client", () => {
  it("asks as docs/protocol.md says: short reads with GET, long ones with POST", async () => {
    const seen: { method: string; url: string; headers: Record<string, string>; bytes: number }[] = [];
    serving(async (request) => {
      seen.push({
        method: request.method,
        url: request.url,
        headers: Object.fromEntries(request.headers),
        bytes: (await request.arrayBuffer()).byteLength,
      });
      return request.url.includes("Runstatus") ? result(0) : result(new Float64Array(2000));
    });
    expect(await status({ token: "t0" }, { timeoutMs: 5000 })).toBe(0);
    const tags = new Uint32Array(2000).fill(4_000_000_000);
    await httpEndpoint(`${base}/prefix/`).call("db.readSyncdatalistFloat", { equipId: "x", hightag: 1, tags });
    expect(seen[0]).toMatchObject({
      method: "GET",
      url: `${base}/v1/db/readRunstatus?bl=3&run=10`,
      headers: { accept: PACKED_TYPE, authorization: "Bearer t0", "sacla-timeout-ms": "5000" },
    });
    expect(seen[1]).toMatchObject({
      method: "POST",
      url: `${base}/prefix/v1/db/readSyncdatalistFloat`,
      headers: { "content-type": PACKED_TYPE },
    });
    expect(seen[1]?.headers).not.toHaveProperty("authorization");
    expect(seen[1]?.bytes).toBeGreaterThan(8000);
  });

  it("throws the error a server answers, packed or JSON, whatever the status", async () => {
    const error = { code: "UNKNOWN_RUN", message: "no run 10", details: { run: 10 } } as const;
    for (const make of [
      () => answer(packed({ kind: "error", id: 0, error }), 404),
      () => answer(packed({ kind: "error", id: 0, error }), 503),
      () => answer(packed({ kind: "error", id: 0, error })),
      () => answer(JSON.stringify({ error }), 404, { "Content-Type": "application/json" }),
    ]) {
      serving(make);
      await expect(status()).rejects.toMatchObject({ code: "UNKNOWN_RUN", message: "no run 10", details: { run: 10 } });
    }
    serving(() =>
      answer(JSON.stringify({ error: { ...error, code: "NEWER_THAN_ME" } }), 418, {
        "Content-Type": "application/json",
      }),
    );
    await expect(status()).rejects.toMatchObject({ code: "INTERNAL", message: "no run 10" });
  });

  it("says by the status what a proxy or gateway in between has answered", async () => {
    const page = "<html><title>Sign in</title></html>";
    for (const [code, httpStatus] of [
      ["NOT_AUTHENTICATED", 401],
      ["NOT_ALLOWED", 403],
      ["TOO_LARGE", 413],
      ["UNREACHABLE", 502],
      ["UNREACHABLE", 503],
      ["UNREACHABLE", 504],
      ["BAD_MESSAGE", 500],
      ["BAD_MESSAGE", 404],
    ] as const) {
      serving(() => answer(page, httpStatus, { "Content-Type": "text/html" }));
      await expect(status(), String(httpStatus)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(/sacla\.test.*text\/html/),
      });
      serving(() => answer(null, httpStatus, {}));
      await expect(status(), `${httpStatus} without a body`).rejects.toMatchObject({ code });
    }
    serving(() => answer("slow down", 429, { "Content-Type": "text/plain", "Retry-After": "3" }));
    await expect(status()).rejects.toMatchObject({ code: "TOO_MANY_REQUESTS", details: { retryAfterMs: 3000 } });
  });

  it("takes nothing for an answer that is none", async () => {
    const whole = packed({ kind: "result", id: 0, value: 0 });
    const wrong: [string, Response][] = [
      ["a page", answer("<html>hello</html>", 200, { "Content-Type": "text/html" })],
      ["JSON", answer("0", 200, { "Content-Type": "application/json" })],
      ["no content type", answer(whole, 200, {})],
      ["nothing", answer(null)],
      ["a truncated message", answer(whole.subarray(0, whole.length - 8))],
      ["a message and more", answer(Uint8Array.from([...whole, ...whole]))],
      ["noise", answer(Uint8Array.from({ length: 100 }, (_, i) => (i * 37) % 256))],
      [
        "another version",
        answer(packParts([new TextEncoder().encode('{"sacla":2,"kind":"result","id":0,"value":0}')])),
      ],
      ["an item", answer(packed({ kind: "item", id: 0, seq: 0, value: 0 }))],
      ["another kind of value", result("stopped")],
      ["a value out of range", result(17)],
      [
        "an error that is none",
        answer(packParts([new TextEncoder().encode('{"sacla":1,"kind":"error","id":0,"error":7}')]), 500),
      ],
    ];
    for (const [what, response] of wrong) {
      serving(() => response);
      await expect(status(), what).rejects.toMatchObject({ code: "BAD_MESSAGE" });
    }
  });

  it("follows no redirect, which could take the token elsewhere", async () => {
    let elsewhere = 0;
    net.use(
      http.all(`${base}/*`, () => HttpResponse.redirect("http://login.test/", 302)),
      http.all("http://login.test/", () => {
        elsewhere++;
        return result(0);
      }),
    );
    await expect(status({ token: "secret" })).rejects.toMatchObject({
      code: "UNREACHABLE",
      details: { status: 302, location: "http://login.test/" },
    });
    expect(elsewhere).toBe(0);
  });

  it("ends with TIMEOUT, ABORTED or CLOSED while the answer is awaited, and tells the server", async () => {
    let [asked, ended] = [0, 0];
    serving(async (request) => {
      asked++;
      request.signal.addEventListener("abort", () => ended++);
      await delay("infinite");
      return result(0);
    });
    // Long enough for the server to be asked before the time is up.
    const late = Promise.allSettled([status({}, { timeoutMs: 2000 }), status({ timeoutMs: 2000 })]);
    const stop = new AbortController();
    const stopped = Promise.allSettled([status({}, { signal: stop.signal })]);
    const endpoint = httpEndpoint(base);
    const open = Promise.allSettled([endpoint.call("db.readRunstatus", { bl: 3, run: 10 })]);
    await expect.poll(() => asked).toBe(4);
    stop.abort();
    await endpoint.close();
    const codes = [...(await late), ...(await stopped), ...(await open)].map(
      (outcome) => outcome.status === "rejected" && outcome.reason.code,
    );
    expect(codes).toEqual(["TIMEOUT", "TIMEOUT", "ABORTED", "CLOSED"]);
    await expect.poll(() => ended).toBe(4);
  });

  it("is UNREACHABLE with the reason when nobody answers or the answer breaks off", async () => {
    serving(() => HttpResponse.error() as Response);
    await expect(status()).rejects.toMatchObject({ code: "UNREACHABLE", message: expect.stringContaining(base) });
    const whole = packed({ kind: "result", id: 0, value: 0 });
    serving(() => answer(body([whole.subarray(0, 20)], "breaks")));
    await expect(status()).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringContaining("the cable was cut"),
    });
    const down: typeof fetch = () =>
      Promise.reject(
        new TypeError("fetch failed", { cause: Object.assign(new Error("connect"), { code: "ECONNREFUSED" }) }),
      );
    await expect(status({ fetch: down })).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it("asks once more, with the same key, when its connection was closed before an answer came", async () => {
    const keys: (string | null)[] = [];
    const ask = (code: string, times: number): Promise<unknown> => {
      const flaky: typeof fetch = (_url, init) => {
        keys.push(new Headers(init?.headers).get("idempotency-key"));
        if (keys.length <= times)
          return Promise.reject(
            new TypeError("fetch failed", { cause: Object.assign(new Error("other side closed"), { code }) }),
          );
        return Promise.resolve(answer(packed({ kind: "result", id: 0, value: {} })));
      };
      keys.length = 0;
      return httpEndpoint(base, { fetch: flaky }).call("ec.stop", { bl: 3, axis: "x" }, { key: "k1" });
    };
    for (const code of ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"]) {
      await expect(ask(code, 1)).resolves.toEqual({});
      expect(keys).toEqual(["k1", "k1"]);
    }
    await expect(ask("UND_ERR_SOCKET", 2)).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(keys).toHaveLength(2);
    await expect(ask("ECONNREFUSED", 1)).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(keys).toHaveLength(1);
  });

  it("puts the secret of a lease in no address", async () => {
    const seen: { method: string; url: string }[] = [];
    serving((request) => {
      seen.push(request);
      return answer(packed({ kind: "result", id: 0, value: {} }));
    });
    await httpEndpoint(base).call("lease.renew", { bl: 3, lease: "4f9c" });
    expect(seen.map(({ method, url }) => [method, url])).toEqual([["POST", `${base}/v1/lease/renew`]]);
  });

  it("gives a key to a call that changes something: the caller's, else a new one; and to no other", async () => {
    const seen: [method: string, key: string | null][] = [];
    serving((request) => {
      seen.push([request.method, request.headers.get("idempotency-key")]);
      return answer(packed({ kind: "error", id: 0, error: { code: "NOT_ALLOWED", message: "no", details: {} } }), 403);
    });
    const stop = (key?: string) => httpEndpoint(base).call("ec.stop", { bl: 3, axis: "x" }, { key });
    for (const call of [stop("k1"), stop(), stop(), status()])
      await expect(call).rejects.toMatchObject({ code: "NOT_ALLOWED" });
    expect(seen.map(([method]) => method)).toEqual(["POST", "POST", "POST", "GET"]);
    const [first, second, third, read] = seen.map(([, key]) => key);
    expect([first, read]).toEqual(["k1", null]);
    expect([second?.length, third?.length, second === third]).toEqual([36, 36, false]);
  });

  it("refuses addresses that are none, and shows no password", () => {
    for (const url of ["sim:", "tcp://host:1", "not an address", "http://host/?x=1", "https://u:hush@host/"]) {
      expect(() => httpEndpoint(url), url).toThrow(
        expect.objectContaining({ code: "BAD_URL", message: expect.not.stringContaining("hush") }),
      );
    }
    expect(() => httpEndpoint(base, { tokn: "x" } as HttpOptions)).toThrow(/tokn/);
  });
});

describe("a stream over HTTP", () => {
  it("gives items as they come, in whatever pieces, passing over signs of life", async () => {
    const pong = packed({ kind: "pong", id: 0 });
    const all = [pong, item(0), pong, item(1), item(2), packed({ kind: "end", id: 0 })].flatMap((message) => [
      message.subarray(0, 3),
      message.subarray(3),
    ]);
    serving(() => answer(body(all)));
    expect(await tagsSeen()).toEqual({ tags: [7, 8, 9], error: null });
  });

  it("says which tags have not come when the connection breaks or ends early", async () => {
    for (const then of ["breaks", "ends"] as const) {
      serving(() => answer(body([item(0)], then)));
      const { tags, error } = await tagsSeen();
      expect([then, tags]).toEqual([then, [7]]);
      expect(error).toMatchObject({ code: "UNREACHABLE", details: { received: 1, missing: [8, 9] } });
    }
  });

  it("does not take items twice, out of turn or in part", async () => {
    const cases: [string, Uint8Array[], number[]][] = [
      ["twice", [item(0), item(0)], [7]],
      ["one left out", [item(0), item(2)], [7]],
      ["cut", [item(0), item(1).subarray(0, 30)], [7]],
      ["a result", [packed({ kind: "result", id: 0, value: 0 })], []],
      ["no shot", [packed({ kind: "item", id: 0, seq: 0, value: 7 })], []],
    ];
    for (const [what, pieces, seen] of cases) {
      serving(() => answer(body(pieces)));
      const { tags, error } = await tagsSeen();
      expect(tags, what).toEqual(seen);
      expect(error, what).toMatchObject({ code: "BAD_MESSAGE" });
    }
  });

  it("throws the error that ends it", async () => {
    serving(() =>
      answer(
        body([
          item(0),
          packed({ kind: "error", id: 0, error: { code: "FILE_DAMAGED", message: "torn", details: {} } }),
        ]),
      ),
    );
    expect(await tagsSeen()).toMatchObject({ tags: [7], error: { code: "FILE_DAMAGED", message: "torn" } });
  });

  it("is not waited for without end: TIMEOUT by the caller's limit, UNREACHABLE when the server is silent", async () => {
    serving(() => answer(body([item(0)], "waits")));
    expect(await tagsSeen({}, { timeoutMs: 1000 })).toMatchObject({ tags: [7], error: { code: "TIMEOUT" } });
    expect(await tagsSeen({ silenceMs: 1000 })).toMatchObject({
      tags: [7],
      error: { code: "UNREACHABLE", details: { missing: [8, 9] } },
    });
    serving(() => delay("infinite").then(() => answer(null)));
    expect(await tagsSeen({ silenceMs: 100 })).toMatchObject({ tags: [], error: { code: "UNREACHABLE" } });
  });
});
