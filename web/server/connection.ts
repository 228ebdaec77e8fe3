import { randomUUID } from "node:crypto";
import { isSaclaError } from "../../src/core/errors.ts";
import { Db } from "../../src/db/db.ts";
import { Ec } from "../../src/ec/ec.ts";
import type { Endpoint } from "../../src/transport/endpoint.ts";
import { httpEndpoint } from "../../src/transport/http/client.ts";
import type { CallMethod, CallParams, CallResult } from "../../src/transport/methods.ts";

// Browsers give it to pages of HTTPS and localhost only; the library uses it for the keys of changing calls.
if (typeof crypto.randomUUID !== "function")
  Object.defineProperty(crypto, "randomUUID", { value: randomUUID, configurable: true });

/** Browsers open six connections to a server; two stay free, so that a STOP never waits for one. */
const MOST_CALLS = 4;

/** The server that the page has come from. */
export const endpoint = withMostCalls(httpEndpoint(location.origin), MOST_CALLS);
export const db = new Db(endpoint);
export const ec = new Ec(endpoint);

let tellLoggedOut = (): void => {};
/** Times that somebody has logged in: what was asked before says nothing of the session that is on. */
let logins = 0;

/** Calls `tell` when the server no longer knows who asks: the session has ended, or its key was revoked. */
export function onLoggedOut(tell: () => void): void {
  tellLoggedOut = tell;
}

/** At most so many calls at a time; further ones wait in their order. */
function withMostCalls(inner: Endpoint, most: number): Endpoint {
  let open = 0;
  const waiting: (() => void)[] = [];
  return {
    call: async (method, params, options) => {
      if (open >= most) await new Promise<void>((resolve) => waiting.push(resolve));
      else open++;
      const askedIn = logins;
      try {
        return await inner.call(method, params, options);
      } catch (error) {
        if (isSaclaError(error, "NOT_AUTHENTICATED") && askedIn === logins) tellLoggedOut();
        throw error;
      } finally {
        const next = waiting.shift();
        if (next === undefined) open--;
        else next();
      }
    },
    stream: (method, params, options) => inner.stream(method, params, options),
    close: async () => await inner.close(),
  };
}

const ASK_MS = 30_000;
/** Answers asked for before they are needed, each for the one who asks first. */
const ahead = new Map<string, Promise<unknown>>();

/** Asks the server; parameters and answers are those of the table of methods. */
export async function ask<M extends CallMethod>(
  method: M,
  params: CallParams<M>,
  signal?: AbortSignal,
): Promise<CallResult<M>> {
  const key = JSON.stringify([method, params]);
  const begun = ahead.get(key) as Promise<CallResult<M>> | undefined;
  ahead.delete(key);
  // What has failed is asked again.
  const answer = await begun?.catch(() => undefined);
  return answer ?? (await endpoint.call(method, params, { signal, timeoutMs: ASK_MS }));
}

/** Asks what {@link ask} will be asked: what is drawn need not wait for one answer after the other. */
export function askAhead<M extends CallMethod>(method: M, params: CallParams<M>): Promise<CallResult<M>> {
  const asking = endpoint.call(method, params, { timeoutMs: ASK_MS });
  asking.catch(() => {});
  ahead.set(JSON.stringify([method, params]), asking);
  return asking;
}

/** Asks for a change; it is made once, also when the answer is lost and it is asked again. */
export async function change<M extends CallMethod>(method: M, params: CallParams<M>): Promise<CallResult<M>> {
  return await endpoint.call(method, params, { key: randomUUID() });
}

/** Who the server takes us for. */
export interface Session {
  readonly name: string;
  readonly role: "read" | "control" | "operator";
  readonly hasKeys: boolean;
}

let sessionAhead: Promise<Session | null> | undefined;

/** Asks what {@link readSession} will be asked. */
export function readSessionAhead(): void {
  sessionAhead = askSession();
  // A failure is told to who waits for it.
  sessionAhead.catch(() => {});
}

/** The session; null: a token is needed. */
export async function readSession(): Promise<Session | null> {
  const begun = sessionAhead;
  sessionAhead = undefined;
  return await (begun ?? askSession());
}

async function askSession(): Promise<Session | null> {
  const answer = await fetch("/session");
  if (answer.status === 401) return null;
  if (!answer.ok) throw new Error(await messageOf(answer));
  return (await answer.json()) as Session;
}

/** Logs in. The token is kept nowhere: the server answers with a cookie that no script can read. */
export async function logIn(token: string): Promise<Session> {
  const answer = await fetch("/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });
  if (!answer.ok) throw new Error(await messageOf(answer));
  logins++;
  return (await answer.json()) as Session;
}

export async function logOut(): Promise<void> {
  await fetch("/session", { method: "DELETE" });
}

async function messageOf(answer: Response): Promise<string> {
  const body = (await answer.json().catch(() => null)) as { error?: { message?: string } } | null;
  return body?.error?.message ?? `The server answered with ${answer.status}.`;
}
