import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Dealer } from "zeromq";
import { openAudit } from "../../../src/server/audit.ts";
import { type HttpServer, serveHttp } from "../../../src/server/http-server.ts";
import { Keys, newCurveKey, newToken, type Role } from "../../../src/server/index.ts";
import { ServerMetrics } from "../../../src/server/metrics.ts";
import { Service } from "../../../src/server/service.ts";
import { serveZmq, type ZmqServer } from "../../../src/server/zmq-server.ts";
import { decodeMessage, encodeMessage, type RequestMessage } from "../../../src/transport/codec.ts";
import { CallProofs, type CurvePair, provenRoutingId } from "../../../src/transport/zmq/keys.ts";
import { changingTable, movingEndpoint } from "../../support/changing-table.ts";
import { temporaryFolder } from "../../support/temporary.ts";

type Who = "unknown client" | Role;
const folder = temporaryFolder();
const keyFile = join(folder, "keys.json");
const tokens: Record<Who, string | undefined> = {
  "unknown client": undefined,
  read: newToken(keyFile, "reader", "read").token,
  control: newToken(keyFile, "controller", "control").token,
  operator: newToken(keyFile, "operator", "operator").token,
};
newCurveKey(keyFile, "zmq reader", "read", join(folder, "read.key"));
newCurveKey(keyFile, "zmq controller", "control", join(folder, "control.key"));
newCurveKey(keyFile, "zmq operator", "operator", join(folder, "operator.key"));
newCurveKey(join(folder, "other.json"), "stranger", "control", join(folder, "stranger.key"));

const { endpoint, moves } = movingEndpoint();
const audited = join(folder, "audit.jsonl");
let http: HttpServer;
let zmq: ZmqServer;
let service: Service;
beforeAll(async () => {
  const keys = Keys.open(keyFile);
  const metrics = new ServerMetrics();
  service = new Service(endpoint, { audit: await openAudit(audited), metrics }, changingTable);
  http = await serveHttp(service, { port: 0, keys, metrics });
  zmq = await serveZmq(service, "tcp://127.0.0.1:*", { keys });
});
afterAll(async () => {
  await http.close();
  await zmq.close();
  await service.close();
});

/** What came of asking over HTTP: the answer, or the code of the error. */
async function overHttp(
  who: Who,
  path: string,
  init: RequestInit = {},
  token: string | undefined = tokens[who],
): Promise<string> {
  const authorization: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const response = await fetch(`${http.address}${path}`, {
    ...init,
    headers: { ...authorization, ...(init.headers as Record<string, string>) },
  });
  const text = await response.text();
  if (response.ok) return text;
  const { error } = JSON.parse(text) as { error: { code: string } };
  const expected = { NOT_AUTHENTICATED: 401, NOT_ALLOWED: 403 }[error.code];
  expect([error.code, response.status, response.headers.get("www-authenticate") !== null]).toEqual([
    error.code,
    expected ?? response.status,
    expected === 401,
  ]);
  return error.code;
}

let asked = 0;
const nextKey = (): string => `key ${asked++}`;

function clientKeys(who: Who): CurvePair & { serverKey: string } {
  const name = who === "unknown client" ? "stranger" : who;
  const { publicKey, secretKey } = JSON.parse(readFileSync(join(folder, `${name}.key`), "utf8")) as CurvePair;
  return { publicKey, secretKey, serverKey: Keys.open(keyFile).server.publicKey };
}

/** The kinds of the answers to one message over ZeroMQ with CURVE, with the codes of errors. */
async function overZmq(who: Who, request: RequestMessage): Promise<string> {
  const own = clientKeys(who);
  const routingId = provenRoutingId(own, own.serverKey);
  const proofs = new CallProofs(own, own.serverKey, routingId);
  const dealer = new Dealer({
    linger: 0,
    curveServerKey: own.serverKey,
    curvePublicKey: own.publicKey,
    curveSecretKey: own.secretKey,
    routingId,
    // Only a stranger waits this long.
    receiveTimeout: who === "unknown client" ? 1000 : 10_000,
  });
  try {
    dealer.connect(zmq.address);
    const isProven = request.kind === "call" && request.key !== undefined;
    await dealer.send(encodeMessage(isProven ? { ...request, proof: proofs.make(request.key ?? "") } : request));
    const kinds: string[] = [];
    for (;;) {
      const message = decodeMessage(await dealer.receive(), { copy: true });
      kinds.push(message.kind === "error" ? message.error.code : message.kind);
      if (message.kind !== "item") return kinds.join(" ");
    }
  } catch (error) {
    return (error as { code?: string }).code === "EAGAIN" ? "no connection" : String(error);
  } finally {
    dealer.close();
  }
}

/** For each row of the table, how it is done and what the answer looks like when it is allowed. */
const rows: Record<string, { ask(who: Who): Promise<string>; yes: RegExp; no?: RegExp }> = {
  "HTTP | `/health`: ok or failing": { ask: (who) => overHttp(who, "/health"), yes: /"status":"ok"/ },
  "HTTP | `/health`: source, uptime, reason of a failure": {
    ask: (who) => overHttp(who, "/health"),
    yes: /"source":"the tiny source".*uptime/,
    no: /^\{"status":"ok"\}$/,
  },
  "HTTP | `/v1/openapi.json`": { ask: (who) => overHttp(who, "/v1/openapi.json"), yes: /"openapi":"3\.1\.0"/ },
  "HTTP | `/metrics`": { ask: (who) => overHttp(who, "/metrics"), yes: /sacla_requests_total/ },
  "HTTP | a call that reads": { ask: (who) => overHttp(who, "/v1/db/readRunstatus?bl=3&run=10"), yes: /^0$/ },
  "HTTP | a stream": {
    ask: (who) => overHttp(who, '/v1/st/frames?bl=3&run=10&detIds=["OPAL-234363"]&tags=[1000]&roi=null'),
    yes: /event: item[\s\S]*event: end/,
  },
  "HTTP | a call that changes something": {
    ask: (who) =>
      overHttp(who, "/v1/test/move", {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": nextKey() },
        body: '{"to":5}',
      }),
    yes: /^5$/,
  },
  "HTTP | an answer to a request to the accelerator": {
    ask: (who) =>
      overHttp(who, "/v1/test/answer", {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": nextKey() },
        body: '{"to":8}',
      }),
    yes: /^8$/,
  },
  "ZeroMQ | a call that reads": {
    ask: (who) => overZmq(who, { kind: "call", id: 1, method: "db.readRunstatus", value: { bl: 3, run: 10 } }),
    yes: /^result$/,
  },
  "ZeroMQ | a stream": {
    ask: (who) =>
      overZmq(who, {
        kind: "stream",
        id: 1,
        credit: 2,
        method: "st.frames",
        value: { bl: 3, run: 10, detIds: ["OPAL-234363"], tags: Uint32Array.of(1000), roi: null },
      }),
    yes: /^item end$/,
  },
  "ZeroMQ | a call that changes something": {
    ask: (who) => overZmq(who, { kind: "call", id: 1, method: "test.move", value: { to: 6 }, key: nextKey() }),
    yes: /^result$/,
  },
  "ZeroMQ | an answer to a request to the accelerator": {
    ask: (who) => overZmq(who, { kind: "call", id: 1, method: "test.answer", value: { to: 9 }, key: nextKey() }),
    yes: /^result$/,
  },
};

const page = readFileSync(new URL("../../../docs/serving.md", import.meta.url), "utf8");
const table = page
  .slice(page.indexOf("## Permissions"), page.indexOf("## Limits"))
  .split("\n")
  .filter((line) => /^\| (HTTP|ZeroMQ) /.test(line))
  .map((line) => line.slice(2, -2).split(" | "));

describe("who may do what", () => {
  it("is as docs/serving.md says, in every cell", async () => {
    expect(table.map(([over, what]) => `${over} | ${what}`)).toEqual(Object.keys(rows));
    for (const [over, what, ...cells] of table) {
      const row = rows[`${over} | ${what}`];
      if (row === undefined) throw new Error("unreachable: the rows were compared");
      for (const [i, who] of (["unknown client", "read", "control", "operator"] as const).entries()) {
        const cell = cells[i] ?? "";
        const before = moves.length;
        const answer = await row.ask(who);
        const expected = cell === "yes" ? row.yes : cell === "no" ? row.no : new RegExp(`^${cell}$`);
        expect([over, what, who, answer]).toEqual([
          over,
          what,
          who,
          expect.stringMatching(expected ?? /^the page says no, but the test cannot tell$/),
        ]);
        // Allowed or not, nothing moves but by an allowed change.
        expect(moves.length - before, `${over} ${what} ${who}`).toBe(
          cell === "yes" && /changes|answer to/.test(what ?? "") ? 1 : 0,
        );
      }
    }
  });

  it("takes no token but a whole and valid one", async () => {
    const good = tokens.read ?? "";
    const path = "/v1/db/readRunstatus?bl=3&run=10";
    const wrong = [
      "",
      "x",
      good.slice(0, -1),
      `${good}x`,
      good.toUpperCase(),
      good.replace(/_[a-z0-9]{8}_/, "_aaaaaaaa_"),
      tokens.control?.replace(/_[a-z0-9]{8}_/, good.slice(5, 15)) ?? "",
    ];
    for (const token of wrong)
      expect([token, await overHttp("unknown client", path, {}, token)]).toEqual([token, "NOT_AUTHENTICATED"]);
    expect(await overHttp("unknown client", path, { headers: { Authorization: `Basic ${good}` } })).toBe(
      "NOT_AUTHENTICATED",
    );
    expect(await overHttp("unknown client", path, { headers: { Authorization: `bearer  ${good}` } })).toBe("0");
  });

  it("reads no body of somebody it does not know", async () => {
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
    const init = {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: endless,
      duplex: "half",
    } as RequestInit;
    // The server may cut the connection while the body is still coming.
    expect(await overHttp("unknown client", "/v1/test/move", init).catch(() => "NOT_AUTHENTICATED")).toBe(
      "NOT_AUTHENTICATED",
    );
  });

  it("does a change once for each key of each client, only with POST, and writes each down", async () => {
    const start = moves.length;
    const headers = { "Content-Type": "application/json", "Idempotency-Key": "once" };
    const change = (to: number): Promise<string> =>
      overHttp("control", "/v1/test/move", { method: "POST", headers, body: JSON.stringify({ to }) });
    expect([await change(7), await change(7), await change(8)]).toEqual(["7", "7", "BAD_ARGUMENT"]);
    expect(await overHttp("control", "/v1/test/move?to=9")).toBe("BAD_MESSAGE");
    expect(
      await overHttp("control", "/v1/test/move", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: '{"to":9}',
      }),
    ).toBe("BAD_ARGUMENT");
    expect(moves.slice(start)).toEqual([7]);
    const lines = readFileSync(audited, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const ofKey = lines.filter(({ key }) => key === "once");
    expect(ofKey.map(({ outcome }) => outcome)).toEqual(["asked", "ok"]);
    expect(ofKey[0]).toMatchObject({ client: "controller", role: "control", method: "test.move", value: { to: 7 } });
    expect(lines).toContainEqual(
      expect.objectContaining({ client: "reader", role: "read", method: "test.move", outcome: "NOT_ALLOWED" }),
    );
    expect(lines).toContainEqual(expect.objectContaining({ client: "zmq controller", outcome: "ok" }));
  });
});
