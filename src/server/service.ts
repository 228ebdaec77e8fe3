import { BoundedWaits, bounded } from "../core/async.ts";
import { isSaclaError, SaclaError, show, showList, toSaclaError } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import { type Logger, silentLogger } from "../core/logger.ts";
import { any, resolveOptions } from "../core/options.ts";
import { checkAgainst } from "../transport/check.ts";
import { isUrgent, makesSafe } from "../transport/control-methods.ts";
import type { Endpoint, FrameMemory } from "../transport/endpoint.ts";
import { callMethods, type Method, type StreamMethod, type StreamParams, streamMethods } from "../transport/methods.ts";
import { AnswerMemory } from "./answer-memory.ts";
import { AuditBook, type AuditEntry, type AuditLog } from "./audit-book.ts";
import { checkBudget, ItemBudget } from "./budgets.ts";
import type { Client } from "./client.ts";
import type { Limits } from "./limits.ts";
import type { ServerMetrics } from "./metrics.ts";
import { PackedAnswer } from "./packed-answer.ts";

export type { AuditEntry, AuditLog } from "./audit-book.ts";
export type { Client, Role } from "./client.ts";

/** Everybody on loopback, where no keys are configured. */
export const loopbackClient: Client = { name: "loopback", role: "control", hasAllRoles: true };

/** One request as a carrier has decoded it; see docs/protocol.md for the fields. */
export interface ServiceRequest {
  readonly method: string;
  readonly value: unknown;
  readonly timeoutMs?: number | undefined;
  readonly key?: string | undefined;
  /** What it took on the wire, for the limits. @default 0 */
  readonly bytes?: number | undefined;
}

export interface ServiceOptions {
  readonly audit?: AuditLog | undefined;
  readonly limits?: Limits | undefined;
  readonly metrics?: Pick<ServerMetrics, "observe" | "openStreams" | "sentBytes"> | undefined;
  readonly logger?: Logger | undefined;
}

type ServedMethod = Pick<Method, "params" | "result" | "changes" | "role" | "hasSecret">;

/** The methods a {@link Service} answers. */
export interface ServedTable {
  readonly calls: Readonly<Record<string, ServedMethod>>;
  readonly streams: Readonly<Record<string, ServedMethod>>;
}

/** The whole method table. */
export const wholeTable: ServedTable = { calls: callMethods, streams: streamMethods };

export interface Health {
  readonly status: "ok" | "failing";
  /** What answers behind the server; "" while it has never answered. */
  readonly source: string;
  readonly uptimeSeconds: number;
  /** Why it fails. */
  readonly error?: { readonly code: string; readonly message: string };
}

/** The endpoint as it is called here: the names have been checked against the table, which the compiler cannot see. */
interface AnyEndpoint {
  call(method: string, params: unknown, options: object): Promise<unknown>;
}

const HEALTH_TIMEOUT_MS = 5000;
/** One question to the source answers everybody who asks for its health in this time. */
const HEALTH_KEPT_MS = 1000;

/**
 * What a server does with a request, whatever carried it: checks role and limits, bounds the time, executes a key once,
 * writes the audit log, asks the endpoint and checks the answer. It does not close the endpoint.
 */
export class Service {
  readonly logger: Logger;
  readonly metrics: ServiceOptions["metrics"];
  readonly #endpoint: Endpoint;
  readonly #table: ServedTable;
  readonly #audit: AuditBook | undefined;
  readonly #limits: Limits | undefined;
  readonly #answers: AnswerMemory = new AnswerMemory();
  readonly #closing: AbortController = new AbortController();
  readonly #started: number = performance.now();
  #sourceName = "";
  #health: { at: number; answer: Promise<Health> } | undefined;

  constructor(endpoint: Endpoint, options: ServiceOptions = {}, table: ServedTable = wholeTable) {
    this.#endpoint = endpoint;
    this.#table = table;
    const given = resolveOptions("Service", options, { audit: any, limits: any, metrics: any, logger: any });
    this.#limits = given.limits;
    this.metrics = given.metrics;
    this.logger = given.logger ?? silentLogger;
    this.#audit = given.audit === undefined ? undefined : new AuditBook(given.audit, this.logger);
  }

  /** The methods it answers. */
  get table(): ServedTable {
    return this.#table;
  }

  /**
   * The checked answer to a call.
   * @throws SaclaError only: what the endpoint answers, and NOT_AUTHENTICATED, NOT_ALLOWED, TOO_LARGE,
   * TOO_MANY_REQUESTS, UNKNOWN_METHOD, BAD_ARGUMENT, BAD_MESSAGE, TIMEOUT, ABORTED, UNREACHABLE
   */
  async call(client: Client, request: ServiceRequest, options: { signal: AbortSignal }): Promise<unknown> {
    const started = performance.now();
    let outcome = "ok";
    let leave: (() => void) | undefined;
    try {
      leave = this.#admit(client, request);
      const method = this.#find(this.#table.calls, request.method);
      if (method.changes) return await this.#change(client, request, method, options.signal);
      const params = checkAgainst(method.params, request.value, "BAD_ARGUMENT", request.method);
      checkBudget(request.method, params);
      return await this.#ask(request, method, params, options.signal);
    } catch (error) {
      const failure = this.#failure(error);
      outcome = failure.code;
      this.#logFault(request, failure);
      throw failure;
    } finally {
      leave?.();
      this.metrics?.observe(request.method, performance.now() - started, outcome);
    }
  }

  /**
   * The checked items of a stream. Arrays in them are valid until the next is asked for, or in the `memory` given per
   * frame.
   * @throws as {@link Service.call}
   */
  async *stream(
    client: Client,
    request: ServiceRequest,
    options: { signal: AbortSignal; memory?: FrameMemory | undefined },
  ): AsyncGenerator<unknown, void, undefined> {
    const started = performance.now();
    let outcome = "ok";
    this.metrics?.openStreams(1);
    let items: AsyncIterator<unknown> | undefined;
    let waits: BoundedWaits | undefined;
    let leave: (() => void) | undefined;
    try {
      leave = this.#admit(client, request);
      const method = this.#find(this.#table.streams, request.method);
      const params = checkAgainst(method.params, request.value, "BAD_ARGUMENT", request.method);
      checkBudget(request.method, params);
      const signal = AbortSignal.any([options.signal, this.#closing.signal]);
      const budget = new ItemBudget(request.method, options.memory);
      const stream = this.#endpoint.stream(request.method as StreamMethod, params as StreamParams<StreamMethod>, {
        signal,
        memory: budget.memory,
      });
      const asked = stream[Symbol.asyncIterator]();
      items = asked;
      waits = new BoundedWaits({ signal, timeoutMs: request.timeoutMs });
      for (;;) {
        budget.begin();
        const next = await waits.run(request.method, () => asked.next());
        if (next.done === true) return;
        yield checkAgainst(method.result, next.value, "BAD_MESSAGE", `an item of ${request.method}`);
      }
    } catch (error) {
      const failure = this.#failure(error);
      outcome = failure.code;
      this.#logFault(request, failure);
      throw failure;
    } finally {
      // Not awaited: an interrupted source may be stuck in the very read that was given up.
      items?.return?.().catch(() => {});
      waits?.end();
      leave?.();
      this.metrics?.openStreams(-1);
      this.metrics?.observe(request.method, performance.now() - started, outcome);
    }
  }

  /** The client that `find` looks up in the keys; null when there is none, or the keys cannot be read. */
  identify(find: () => Client | null): Client | null {
    try {
      return find();
    } catch (error) {
      // Only in the log: the answer goes to somebody unknown.
      this.logger.error({ error: toSaclaError(error).message }, "the keys cannot be read, so nobody is let in");
      return null;
    }
  }

  /** Whether the source answers, within 5 s. */
  health(): Promise<Health> {
    const now = performance.now();
    if (this.#health === undefined || now - this.#health.at > HEALTH_KEPT_MS)
      this.#health = { at: now, answer: this.#askHealth() };
    return this.#health.answer;
  }

  /** Ends what is open with UNREACHABLE, and answers so from now on. What waits for the audit is written, if it can. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#audit?.close();
  }

  async #askHealth(): Promise<Health> {
    const state = (): Pick<Health, "source" | "uptimeSeconds"> => ({
      source: this.#sourceName,
      uptimeSeconds: Math.round((performance.now() - this.#started) / 1000),
    });
    try {
      const options = { timeoutMs: HEALTH_TIMEOUT_MS, signal: this.#closing.signal };
      const { name } = await bounded("facility.describe", options, () =>
        this.#endpoint.call("facility.describe", {}, options),
      );
      this.#sourceName = name;
      return { status: "ok", ...state() };
    } catch (error) {
      const { code, message } = toSaclaError(error);
      return { status: "failing", ...state(), error: { code, message } };
    }
  }

  /**
   * A failure as another computer is told it: the CLOSED of a source would say that the client had closed something.
   */
  #failure(error: unknown): SaclaError {
    return this.#closing.signal.aborted || isSaclaError(error, "CLOSED") ? serverCloses(error) : toSaclaError(error);
  }

  /** Gives what is to be called when the request has ended. */
  #admit(client: Client, request: ServiceRequest): (() => void) | undefined {
    if (this.#closing.signal.aborted) throw serverCloses();
    if (client.role === null)
      throw new SaclaError(
        "NOT_AUTHENTICATED",
        `${show(client.name)} is not a client of this server; give a key or token it knows.`,
      );
    if (isUrgent(request.method, request.value)) return undefined;
    this.#limits?.charge(client, request.bytes ?? 0);
    return this.#limits?.enter(client);
  }

  #find(methods: Readonly<Record<string, ServedMethod>>, name: string): ServedMethod {
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (method !== undefined) return method;
    const { calls, streams } = this.#table;
    const known = Object.keys(methods);
    const other = methods === calls ? streams : calls;
    const hint = Object.hasOwn(other, name) ? ` It is a ${methods === calls ? "stream" : "call"}.` : "";
    throw new SaclaError(
      "UNKNOWN_METHOD",
      `There is no method ${show(name)}; there are ${showList(known, 100)}.${hint}`,
    );
  }

  async #ask(request: ServiceRequest, method: ServedMethod, params: unknown, signal: AbortSignal): Promise<unknown> {
    const { method: name, timeoutMs } = request;
    const endpoint: AnyEndpoint = this.#endpoint as unknown as AnyEndpoint;
    let answer: unknown;
    if (timeoutMs === undefined) {
      answer = await endpoint.call(name, params, { signal });
    } else {
      // An endpoint may not look at timeoutMs; it stops at the signal.
      const late = new AbortController();
      const both = AbortSignal.any([signal, late.signal]);
      try {
        answer = await bounded(name, { signal, timeoutMs }, () =>
          endpoint.call(name, params, { signal: both, timeoutMs }),
        );
      } finally {
        late.abort();
      }
    }
    // The server that has packed it has checked it.
    if (answer instanceof PackedAnswer) return answer;
    return checkAgainst(method.result, answer, "BAD_MESSAGE", `the answer to ${name}`);
  }

  async #change(client: Client, request: ServiceRequest, method: ServedMethod, signal: AbortSignal): Promise<unknown> {
    const { method: name, value, key, timeoutMs } = request;
    try {
      const { role = "control" } = method;
      if (client.role !== role && client.hasAllRoles !== true) {
        throw new SaclaError(
          "NOT_ALLOWED",
          `${name} changes something, which needs the role ${role}; ${show(client.name)} has the role ${client.role}.`,
        );
      }
      if (key === undefined)
        throw badArgument("key", key, `given: ${name} changes something, and is done once for each key`);
      const params = checkAgainst(method.params, value, "BAD_ARGUMENT", name);
      const work = (): Promise<unknown> => this.#ask({ method: name, value }, method, params, this.#closing.signal);
      const isSafe = makesSafe(name, params);
      // What has begun is finished, even when the client goes: with the same key it can learn how it ended.
      const answer = this.#answers.once(client.name, key, name, value, () =>
        isSafe ? this.#bookedAfterwards(client, request, work) : this.#audited(client, request, work),
      );
      return await bounded(name, { signal, timeoutMs }, () => answer);
    } catch (error) {
      if (isSaclaError(error, "NOT_ALLOWED")) await this.#audit?.record(entryOf(client, request, error.code));
      throw error;
    }
  }

  /** What makes safe is done at once and waits for no disk. */
  async #bookedAfterwards(client: Client, request: ServiceRequest, work: () => Promise<unknown>): Promise<unknown> {
    const asked = entryOf(client, request, "asked");
    let outcome = "ok";
    try {
      return await work();
    } catch (error) {
      outcome = toSaclaError(error).code;
      throw error;
    } finally {
      void this.#audit?.record(asked, entryOf(client, request, outcome));
    }
  }

  async #audited(client: Client, request: ServiceRequest, work: () => Promise<unknown>): Promise<unknown> {
    await this.#audit?.write(entryOf(client, request, "asked"));
    let outcome = "ok";
    try {
      return await work();
    } catch (error) {
      outcome = toSaclaError(error).code;
      throw error;
    } finally {
      // It has been done; refusing the answer would not undo it.
      await this.#audit?.record(entryOf(client, request, outcome));
    }
  }

  /** Faults of our own belong in the log; a client's mistake is answered to the client. */
  #logFault(request: ServiceRequest, failure: SaclaError): void {
    if (failure.code === "INTERNAL")
      this.logger.error(
        { method: request.method, error: failure.message, stack: failure.stack },
        "a request failed inside the server",
      );
  }
}

function entryOf({ name, role }: Client, { method, value, key }: ServiceRequest, outcome: string): AuditEntry {
  const time = new Date().toISOString();
  return { time, client: name, role, method, value: withoutLease(value), key: key ?? null, outcome };
}

/** Whoever reads the audit while a lease is held could use its secret. A null says that none was given, so it stays. */
function withoutLease(value: unknown): unknown {
  const hasLease = typeof value === "object" && value !== null && "lease" in value && value.lease !== null;
  return hasLease ? { ...value, lease: "(hidden)" } : value;
}

/**
 * What a client is told of a server that closes: to ask again later. CLOSED would say that the client had closed
 * something.
 */
export function serverCloses(cause?: unknown): SaclaError {
  return new SaclaError("UNREACHABLE", "The server is closing.", cause === undefined ? {} : { cause });
}
