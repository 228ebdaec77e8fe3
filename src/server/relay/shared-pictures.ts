import { setImmediate as nextTurn } from "node:timers/promises";
import { SaclaError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import { type CallParams, type CallResult, callMethods } from "../../transport/methods.ts";
import type { Limits } from "../limits.ts";
import type { ServerMetrics } from "../metrics.ts";
import type { PackedAnswer } from "../packed-answer.ts";
import { type ServedTable, Service } from "../service.ts";
import { askPicture } from "./picture-socket.ts";

type Params = CallParams<"page.live">;
type Answer = PackedAnswer<CallResult<"page.live">>;
/** Asks the server behind. */
export type AskPicture = (params: Params) => Promise<Answer>;

/** A picture that is older is given only to who waits for a newer one in vain. */
const FRESH_MS = 66;
/** A look that nobody has asked for so long is forgotten. */
const KEPT_MS = 5000;
const MOST_LOOKS = 64;
/** The server behind is asked to wait no longer: somebody may join who would not. */
const WAIT_MS = 100;

const table: ServedTable = { calls: { "page.live": callMethods["page.live"] }, streams: {} };

/**
 * Answers `page.live` in front of a relay: a picture comes once from the server behind, and all who look at it are sent
 * the same bytes. It has limits of its own, so that who looks is not kept from steering.
 * @param socketPath - where the server behind is now; it lets everybody in who reaches it
 */
export function sharedPictures(
  socketPath: () => string,
  options: { limits: Limits; metrics: Pick<ServerMetrics, "observe" | "openStreams" | "sentBytes">; logger: Logger },
): Service {
  return new Service(new SharedPictures((params) => askPicture(socketPath(), params)), options, table);
}

/** The `page.live` of another server as an Endpoint whose answers are packed. */
export class SharedPictures implements Endpoint {
  readonly #ask: AskPicture;
  readonly #looks = new Map<string, OneLook>();
  #forgetting: NodeJS.Timeout | undefined;

  constructor(ask: AskPicture) {
    this.#ask = ask;
  }

  async call(_method: string, params: unknown): Promise<never> {
    const { after, waitMs, ...look } = params as Params;
    return (await this.#lookOf(JSON.stringify(look)).next(params as Params)) as never;
  }

  stream(method: string): never {
    throw new SaclaError("UNSUPPORTED", `${method} is answered by another process.`);
  }

  async close(): Promise<void> {
    clearTimeout(this.#forgetting);
    this.#looks.clear();
  }

  #lookOf(key: string): OneLook {
    const look = this.#looks.get(key) ?? new OneLook(this.#ask);
    // Set anew, so that the one asked for least lately is the first.
    this.#looks.delete(key);
    this.#looks.set(key, look);
    const [oldest] = this.#looks.keys();
    if (this.#looks.size > MOST_LOOKS && oldest !== undefined) this.#looks.delete(oldest);
    this.#forgetting ??= setTimeout(() => this.#forget(), KEPT_MS).unref();
    return look;
  }

  /** Pictures that nobody looks at any more do not stay in memory. */
  #forget(): void {
    this.#forgetting = undefined;
    for (const [key, look] of this.#looks) if (performance.now() - look.askedAt > KEPT_MS) this.#looks.delete(key);
    if (this.#looks.size > 0) this.#forgetting = setTimeout(() => this.#forget(), KEPT_MS).unref();
  }
}

interface Newest {
  readonly seq: number;
  readonly answer: Answer;
  readonly at: number;
}

/** One part of one live picture, for all who see it. */
class OneLook {
  askedAt = 0;
  readonly #askBehind: AskPicture;
  #newest: Newest | undefined;
  #asking: Promise<Answer> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(ask: AskPicture) {
    this.#askBehind = ask;
  }

  async next(params: Params): Promise<Answer> {
    const { after, waitMs } = params;
    this.askedAt = performance.now();
    const until = this.askedAt + waitMs;
    for (let now = this.askedAt; ; now = performance.now()) {
      const fresh = this.#after(after);
      if (fresh !== undefined && now - fresh.at < FRESH_MS) return await this.#inTurn(fresh.answer);
      this.#asking ??= this.#ask({ ...params, waitMs: Math.min(WAIT_MS, Math.max(0, Math.ceil(until - now))) });
      const answer = await this.#asking;
      const newest = this.#after(after);
      if (newest !== undefined) return await this.#inTurn(newest.answer);
      // Somebody else may have asked, who would not wait so long.
      if (performance.now() >= until) return answer;
    }
  }

  /** The newest picture, when it is not the one known already. A number from before a restart is not valid here. */
  #after(known: number | null): Newest | undefined {
    return this.#newest?.seq === known ? undefined : this.#newest;
  }

  async #ask(params: Params): Promise<Answer> {
    try {
      const answer = await this.#askBehind({ ...params, after: this.#newest?.seq ?? null });
      const { frame } = answer.value;
      if (frame !== null) this.#newest = { seq: frame.seq, answer, at: performance.now() };
      return answer;
    } finally {
      this.#asking = undefined;
    }
  }

  /** What is sent to many at once is sent to one in each turn of the loop: a STOP must not wait for all of it. */
  async #inTurn(answer: Answer): Promise<Answer> {
    this.#turn = this.#turn.then(async () => await nextTurn());
    await this.#turn;
    return answer;
  }
}
