import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Keys, newToken, revokeKey, type Server, serve } from "../../../src/server/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { httpServer } from "../../support/http.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";

describe("the page's routes", () => {
  const folder = temporaryFolder();
  const path = join(folder, "keys.json");
  const { token } = newToken(path, "reader", "read");
  let server: Server;
  let address = "";

  beforeAll(async () => {
    server = await serve(inProcess(endpointOf(tinySource())), {
      http: { host: "127.0.0.1", port: 0 },
      keys: Keys.open(path),
    });
    [address = ""] = server.addresses;
  });
  afterAll(async () => await server.close());

  const logIn = async (body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    await fetch(`${address}/session`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  const cookieOf = (answer: Response): string => (answer.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  const statusWith = async (cookie: string, headers: Record<string, string> = {}): Promise<number> =>
    (await fetch(`${address}/v1/db/listBeamlines`, { headers: { Cookie: cookie, ...headers } })).status;

  it("give the page to everybody, with a policy that lets nothing in from elsewhere", async () => {
    const answer = await fetch(`${address}/`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toContain("text/html");
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toContain("unsafe");
    expect(policy).toContain("frame-ancestors 'none'");
  });

  it("tell that the page is being loaded when somebody known loads it", async () => {
    let loads = 0;
    const onPage = (): void => {
      loads++;
    };
    const own = await httpServer(inProcess(endpointOf(tinySource())), { keys: Keys.open(path), onPage });
    const load = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${own.address}/`, { headers })).status;
    expect(await load({})).toBe(200);
    expect(await load({ Authorization: "Bearer sacla_none" })).toBe(200);
    expect(loads).toBe(0);
    expect(await load({ Authorization: `Bearer ${token}` })).toBe(200);
    expect(loads).toBe(1);
    await own.close();
  });

  it("give no file but the page's", async () => {
    // fetch would tidy the path up.
    const statusOf = async (file: string): Promise<number | undefined> =>
      await new Promise((resolve, reject) => {
        request(`${address}`, { path: file }, (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        })
          .on("error", reject)
          .end();
      });
    for (const file of ["/assets/../index.js", "/assets/..%2f..%2fpackage.json", "/assets/", "/package.json"])
      expect(await statusOf(file), file).toBe(404);
  });

  it("log a browser in with a cookie that no script and no other site sees, and that holds no token", async () => {
    const answer = await logIn({ token });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ name: "reader", role: "read", hasKeys: true });
    const cookie = answer.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict; Max-Age=86400$/);
    expect(cookie).not.toContain(token);
    expect(await statusWith(cookieOf(answer))).toBe(200);
    expect(await statusWith("")).toBe(401);
  });

  it("let a session read and change nothing when its key reads", async () => {
    const cookie = cookieOf(await logIn({ token }));
    const answer = await fetch(`${address}/v1/ec/stop`, {
      method: "POST",
      headers: { Cookie: cookie, "Content-Type": "application/json", "Idempotency-Key": "1" },
      body: JSON.stringify({ bl: 3, axis: "x" }),
    });
    expect(answer.status).toBe(403);
  });

  it("refuse wrong tokens, forged and old sessions, and pages of other origins", async () => {
    for (const wrong of [{ token: `${token}x` }, { token: token.slice(0, 15) }, { token: 5 }, {}, null])
      expect((await logIn(wrong)).status, JSON.stringify(wrong)).toBe(401);
    const cookie = cookieOf(await logIn({ token }));
    const [name, session = ""] = cookie.split("=");
    const [id, ends, signature] = session.split(".");
    expect(await statusWith(`${name}=${id}.${Number(ends) + 1}.${signature}`), "longer").toBe(401);
    expect(await statusWith(`${name}=${id}.${ends}.${"A".repeat(43)}`), "forged").toBe(401);
    expect(await statusWith(`${name}=`), "empty").toBe(401);
    expect((await logIn({ token }, { Origin: "http://elsewhere.example" })).status).toBe(403);
    expect(await statusWith(cookie, { Origin: "http://127.0.0.1:1" }), "another port").toBe(403);
  });

  it("end a session when it is logged out, and all of a key when it is revoked", async () => {
    const out = await fetch(`${address}/session`, { method: "DELETE" });
    expect(out.headers.get("set-cookie")).toMatch(/Max-Age=0/);
    const other = newToken(path, "leaving", "control");
    const cookie = cookieOf(await logIn({ token: other.token }));
    expect(await statusWith(cookie)).toBe(200);
    revokeKey(path, "leaving");
    expect(await statusWith(cookie)).toBe(401);
  });
});

describe("the page without keys", () => {
  it("asks for no token on this computer", async () => {
    await using server = await serve(inProcess(endpointOf(tinySource())), { http: { host: "127.0.0.1", port: 0 } });
    const answer = await fetch(`${server.addresses[0]}/session`);
    expect(await answer.json()).toEqual({ name: "loopback", role: "control", hasKeys: false });
  });
});
