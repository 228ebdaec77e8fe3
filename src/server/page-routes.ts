import type { Context, Hono } from "hono";
import { SaclaError } from "../core/errors.ts";
import { isRecord } from "../core/guards.ts";
import type { Keys } from "./keys.ts";
import { pageFile } from "./page-files.ts";
import type { Client } from "./service.ts";
import { sessionCookie, sessionOf } from "./sessions.ts";

/**
 * Nothing runs, is loaded or is asked but from this server itself, no text becomes a script, and no other page shows
 * this one in a frame. Styles that scripts set on elements are allowed by every policy.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const safety: Readonly<Record<string, string>> = {
  "Content-Security-Policy": POLICY,
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
};

const NOT_BUILT = `<!doctype html><html lang="en"><title>sacla</title>
<p>The page has not been built here. In the folder of the sources run: <code>npm run build:page</code>.</p>
<p>The server works: <a href="/v1/openapi.json">its routes</a>.</p></html>`;

/** A name with a hash of the content, as the build gives them. */
const KEPT = "public, max-age=31536000, immutable";

/** Longest request to log in. */
const LOGIN_BYTES = 4096;

/** What the routes of the page need of the server. */
interface PageServer {
  readonly keys: Keys | undefined;
  /** Whether the browser speaks TLS to this server. */
  isTls(c: Context): boolean;
  /** Who asks. @throws NOT_AUTHENTICATED @throws NOT_ALLOWED for a page of another origin */
  known(c: Context): Client;
  /** @throws NOT_ALLOWED for a page of another origin */
  checkOrigin(c: Context): void;
  /** Somebody known loads the page, and will soon ask for what it shows. */
  onPage?(): void;
}

/** Whether a path is one of the page's: its files, and how one logs in. */
export function isPagePath(path: string): boolean {
  return path === "/" || path.startsWith("/assets/") || path === "/session";
}

/**
 * The page at `/`. Its files are no secret. `GET /session` says who asks; `POST` with `{"token": …}` logs the browser
 * in, by a cookie that no script can read; `DELETE` logs it out.
 */
export function addPageRoutes(
  app: Hono,
  server: PageServer,
  guarded: (c: Context, handle: () => Promise<Response>) => Promise<Response>,
): void {
  app.get("/", (c) => {
    if (isKnown(c, server)) server.onPage?.();
    return file(c, "index.html") ?? html(NOT_BUILT);
  });
  app.get("/assets/:name", (c) => file(c, `assets/${c.req.param("name")}`) ?? c.notFound());
  app.get("/session", (c) => guarded(c, async () => session(server.known(c), server.keys)));
  app.post("/session", (c) => guarded(c, async () => await login(c, server)));
  app.delete("/session", (c) =>
    guarded(c, async () => {
      server.checkOrigin(c);
      const { keys } = server;
      const headers: Record<string, string> =
        keys === undefined ? {} : { "Set-Cookie": sessionCookie(keys, null, server.isTls(c)) };
      return new Response(null, { status: 204, headers });
    }),
  );
}

function isKnown(c: Context, server: PageServer): boolean {
  try {
    server.known(c);
    return true;
  } catch {
    return false;
  }
}

async function login(c: Context, server: PageServer): Promise<Response> {
  server.checkOrigin(c);
  const { keys } = server;
  if (keys === undefined) return session(server.known(c), keys);
  if (Number(c.req.header("content-length") ?? Infinity) > LOGIN_BYTES)
    throw new SaclaError("TOO_LARGE", `A request to log in has at most ${LOGIN_BYTES} bytes, and says how many.`);
  const body: unknown = await c.req.json().catch(() => undefined);
  const token = isRecord(body) ? body["token"] : undefined;
  const secret = typeof token === "string" && token.startsWith("sacla_") ? keys.tokenSecret(token) : undefined;
  if (secret === undefined)
    throw new SaclaError("NOT_AUTHENTICATED", "This token is not known here; sacla keys new makes one.");
  const answer = session({ name: secret.name, role: secret.role }, keys);
  answer.headers.set("Set-Cookie", sessionCookie(keys, sessionOf(secret, Date.now()), server.isTls(c)));
  return answer;
}

function session({ name, role }: Client, keys: Keys | undefined): Response {
  return Response.json({ name, role, hasKeys: keys !== undefined }, { headers: { "Cache-Control": "no-store" } });
}

function file(c: Context, name: string): Response | undefined {
  const found = pageFile(name, c.req.header("accept-encoding") ?? "");
  if (found === undefined) return undefined;
  const headers: Record<string, string> = {
    ...safety,
    "Content-Type": found.contentType,
    "Cache-Control": name === "index.html" ? "no-cache" : KEPT,
    Vary: "Accept-Encoding",
  };
  if (found.encoding !== null) headers["Content-Encoding"] = found.encoding;
  return new Response(found.bytes, { headers });
}

function html(text: string): Response {
  return new Response(text, { headers: { ...safety, "Content-Type": "text/html; charset=utf-8" } });
}
