import { SaclaError } from "../../core/errors.ts";
import type { AcceleratorRequest, RequestEntry, RequestState } from "../../transport/request-methods.ts";

export type RequestEvent = RequestEntry["event"];

/** Each event with the states in which it may come, and the state that it leads to. */
const transitions: Readonly<
  Record<Exclude<RequestEvent, "proposed">, { readonly from: readonly RequestState[]; readonly to: RequestState }>
> = {
  refused: { from: ["waiting"], to: "refused" },
  accepted: { from: ["waiting"], to: "accepted" },
  offered: { from: ["waiting"], to: "offered" },
  agreed: { from: ["offered"], to: "accepted" },
  declined: { from: ["waiting"], to: "declined" },
  expired: { from: ["waiting", "offered"], to: "expired" },
  withdrawn: { from: ["waiting", "offered", "accepted"], to: "withdrawn" },
  ramping: { from: ["accepted"], to: "ramping" },
  arrived: { from: ["ramping"], to: "verifying" },
  kept: { from: ["verifying"], to: "kept" },
  "rolling-back": { from: ["ramping", "verifying"], to: "rolling-back" },
  "tried-again": { from: ["rolling-back"], to: "rolling-back" },
  "rolled-back": { from: ["rolling-back"], to: "rolled-back" },
};

/** Whether a request has ended. */
export function hasEnded(state: RequestState): boolean {
  return ["refused", "declined", "expired", "withdrawn", "kept", "rolled-back"].includes(state);
}

/** Whether the machine may have another value than before the request. */
export function isUnderWay(state: RequestState): boolean {
  return state === "ramping" || state === "verifying" || state === "rolling-back";
}

/** Whether an event may come in a state. */
export function mayCome(state: RequestState, event: Exclude<RequestEvent, "proposed">): boolean {
  return transitions[event].from.includes(state);
}

/**
 * The request after one more line of its log: what a request is, its lines say and nothing else.
 * @throws INTERNAL when the line cannot follow
 */
export function requestAfter(before: AcceleratorRequest | undefined, entry: RequestEntry): AcceleratorRequest {
  const { event, id, bl, by, why, data } = entry;
  if (event === "proposed") {
    if (before !== undefined) throw unexplained(entry, before.state);
    const asked = data as Pick<AcceleratorRequest, "parameter" | "unit" | "from" | "asked" | "verification">;
    const rest = { to: asked.asked, by, reason: why, why: "", operator: "", verifyFrom: null, evidence: null };
    return { id, bl, ...asked, ...rest, state: "waiting" };
  }
  if (before === undefined || !mayCome(before.state, event)) throw unexplained(entry, before?.state);
  const changes: Partial<AcceleratorRequest> = data;
  const isOperators = event === "accepted" || event === "offered" || event === "declined";
  return {
    ...before,
    ...changes,
    ...(isOperators ? { operator: by } : {}),
    why: why === "" ? before.why : why,
    state: transitions[event].to,
  };
}

/**
 * As {@link requestAfter} for a log that has lost lines: what its later lines say happened, has happened. Undefined
 * while the line is lost that proposed it.
 */
export function requestAsItCanBe(
  before: AcceleratorRequest | undefined,
  entry: RequestEntry,
): AcceleratorRequest | undefined {
  const { event } = entry;
  if (event === "proposed") return before ?? requestAfter(undefined, entry);
  if (before === undefined || hasEnded(before.state)) return before;
  const [possible = before.state] = transitions[event].from;
  return requestAfter(mayCome(before.state, event) ? before : { ...before, state: possible }, entry);
}

/** Requests by id, from the lines of a log in order. @throws INTERNAL for a line that cannot follow those before */
export function requestsOf(entries: Iterable<RequestEntry>): Map<number, AcceleratorRequest> {
  const requests = new Map<number, AcceleratorRequest>();
  for (const entry of entries) requests.set(entry.id, requestAfter(requests.get(entry.id), entry));
  return requests;
}

function unexplained({ n, id, event }: RequestEntry, state: RequestState | undefined): SaclaError {
  return new SaclaError(
    "INTERNAL",
    `Line ${n} of the log of requests says that request ${id} was ${event}, but it was ${state ?? "not proposed"}.`,
    { details: { n, id, event, state } },
  );
}
