import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Keys, TokenSecret } from "./keys.ts";
import type { Client } from "./service.ts";

/** How long a browser stays logged in. Revoking the key ends it at once. */
const SESSION_MS = 24 * 3600 * 1000;

/**
 * What the page in a browser is known by after its user has given a token: the id of the key, when it ends, and an
 * HMAC-SHA256 of both with the stored hash of the token as the key. So no process needs to remember sessions, the token
 * itself is not kept in the browser, and a key that is revoked takes its sessions with it.
 */
export function sessionOf(secret: TokenSecret, now: number): string {
  const ends = now + SESSION_MS;
  return `${secret.id}.${ends}.${signature(secret, ends)}`;
}

/** Who has the session; null when it has ended, its key is revoked, or it is none. */
export function clientOfSession(keys: Keys, session: string, now: number): Client | null {
  const [, id, time, signed] = /^([a-z0-9]{8})\.(\d{13})\.([\w-]{43})$/.exec(session) ?? [];
  const secret = id === undefined ? undefined : keys.tokenSecret(id);
  if (secret === undefined || signed === undefined || Number(time) < now) return null;
  const isRight = timingSafeEqual(Buffer.from(signed), Buffer.from(signature(secret, Number(time))));
  return isRight ? { name: secret.name, role: secret.role } : null;
}

/** The `Set-Cookie` that logs a browser in, or out when there is no session. */
export function sessionCookie(keys: Keys, session: string | null, isTls: boolean): string {
  const age = session === null ? 0 : SESSION_MS / 1000;
  const attributes = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${age}${isTls ? "; Secure" : ""}`;
  return `${cookieName(keys)}=${session ?? ""}; ${attributes}`;
}

/** The session in a `Cookie` header. */
export function sessionIn(keys: Keys, cookies: string | undefined): string | undefined {
  const name = `${cookieName(keys)}=`;
  const found = (cookies ?? "").split(/; */).find((cookie) => cookie.startsWith(name));
  return found?.slice(name.length);
}

/** Of its own for each file of keys: browsers send a cookie to every port of a host. */
function cookieName(keys: Keys): string {
  return `sacla-${createHash("sha256").update(keys.server.publicKey).digest("hex").slice(0, 12)}`;
}

function signature({ id, hash }: TokenSecret, ends: number): string {
  return createHmac("sha256", Buffer.from(hash, "hex")).update(`sacla page ${id} ${ends}`).digest("base64url");
}
