import { SaclaError } from "../../core/errors.ts";
import { badArgument } from "../../core/guards.ts";
import type { AcceleratorRequest, RequestEntry } from "../../transport/request-methods.ts";
import type { RequestLog } from "./request-log.ts";
import { hasEnded, mayCome, type RequestEvent, requestAfter, requestAsItCanBe } from "./request-state.ts";

/** Requests that have ended are remembered so long. */
const REMEMBERED = 1000;

/** The requests as the lines of their log say they are: each change is a line. */
export class RequestBook {
  readonly #log: RequestLog;
  readonly #onEnd: (request: AcceleratorRequest) => void;
  readonly #requests = new Map<number, AcceleratorRequest>();
  #lines: number;
  #lastId: number;

  constructor(log: RequestLog, onEnd: (request: AcceleratorRequest) => void) {
    this.#log = log;
    this.#onEnd = onEnd;
    const { entries } = log;
    for (const entry of entries) {
      const request = requestAsItCanBe(this.#requests.get(entry.id), entry);
      if (request !== undefined) this.#requests.set(entry.id, request);
    }
    this.#lines = entries.reduce((most, { n }) => Math.max(most, n), 0);
    this.#lastId = entries.reduce((most, { id }) => Math.max(most, id), 0);
    this.#forget();
  }

  all(): AcceleratorRequest[] {
    return [...this.#requests.values()];
  }

  list(bl: number, last: number): AcceleratorRequest[] {
    return this.all()
      .filter((request) => request.bl === bl)
      .slice(-last);
  }

  nextId(): number {
    return ++this.#lastId;
  }

  /** @throws BAD_ARGUMENT */
  find(bl: number, id: number): AcceleratorRequest {
    const request = this.#requests.get(id);
    if (request?.bl === bl) return request;
    const known = this.list(bl, 5).map((other) => other.id);
    const hint = known.length === 0 ? "there is none" : `the last are ${known.join(", ")}`;
    throw badArgument("id", id, `a request of beamline ${bl}; ${hint}`);
  }

  get(id: number): AcceleratorRequest {
    const request = this.#requests.get(id);
    if (request === undefined) throw new SaclaError("INTERNAL", `Request ${id} is forgotten.`);
    return request;
  }

  isOver(id: number): boolean {
    const request = this.#requests.get(id);
    return request === undefined || hasEnded(request.state);
  }

  /** @throws BAD_ARGUMENT when an event may not come now */
  checkMay({ id, state }: AcceleratorRequest, event: Exclude<RequestEvent, "proposed">, what: string): void {
    if (mayCome(state, event)) return;
    throw new SaclaError("BAD_ARGUMENT", `${what} does not fit request ${id}: it is ${state}.`, {
      details: { id, state },
    });
  }

  /** A line that must be on its way to the disk before anything is done. @throws WRITE_FAILED, FILE_IN_USE */
  begin(...line: BookLine): AcceleratorRequest {
    const entry = this.#entry(line);
    const after = requestAfter(this.#requests.get(entry.id), entry);
    this.#log.begin(entry);
    return this.#became(after, entry);
  }

  /** A line of what has happened or makes safe: no disk can hold it up. */
  note(...line: BookLine): AcceleratorRequest {
    const entry = this.#entry(line);
    const after = requestAfter(this.#requests.get(entry.id), entry);
    this.#log.note(entry);
    return this.#became(after, entry);
  }

  #entry([{ id, bl }, event, shot, by, why, data = {}]: BookLine): RequestEntry {
    const n = this.#lines + 1;
    return { n, time: new Date().toISOString(), bl, id, event, shot, by, why: why.slice(0, 500), data };
  }

  #became(request: AcceleratorRequest, { n }: RequestEntry): AcceleratorRequest {
    this.#lines = n;
    this.#requests.set(request.id, request);
    if (hasEnded(request.state)) this.#onEnd(request);
    this.#forget();
    return request;
  }

  #forget(): void {
    for (const [id, { state }] of this.#requests) {
      if (this.#requests.size <= REMEMBERED) return;
      if (hasEnded(state)) this.#requests.delete(id);
    }
  }
}

type BookLine = readonly [
  request: Pick<AcceleratorRequest, "id" | "bl">,
  event: RequestEvent,
  shot: RequestEntry["shot"],
  by: string,
  why: string,
  data?: RequestEntry["data"],
];
