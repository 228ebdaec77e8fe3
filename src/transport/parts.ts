import type { CallOptions } from "../core/async.ts";
import { isSaclaError, SaclaError } from "../core/errors.ts";
import { isRecord } from "../core/guards.ts";
import type { Column } from "../core/syncdb.ts";
import type { StreamItem } from "./methods.ts";

type Params = Readonly<Record<string, unknown>>;
type Join = (parts: readonly unknown[]) => unknown;

/** Which lists of which calls can be asked for in parts, and how the answers are joined. */
const joins: Readonly<Record<string, Readonly<Record<string, Join>>>> = {
  "db.readSyncdatalist": { tags: (parts) => (parts as string[][]).flat() },
  "db.readSyncdatalistFloat": { tags: (parts) => joined(Float64Array, parts as Float64Array[]) },
  "db.readTimestamps": { tags: (parts) => joined(Float64Array, parts as Float64Array[]) },
  "db.readColumns": {
    tags: (parts) => joinColumns(parts as Column[][]),
    equipIds: (parts) => (parts as Column[][]).flat(),
  },
  "st.readImageStates": { tags: (parts) => joined(Uint8Array, parts as Uint8Array[]) },
  "citius.readReconstinfo": { sensorIds: (parts) => (parts as unknown[][]).flat() },
};

/** Requests that together ask for what a server refused as too much, and what makes one answer of theirs. */
interface PartedCall {
  readonly requests: readonly Params[];
  readonly join: Join;
}

/** How to ask in parts for a call that a server refused with TOO_LARGE; undefined when it cannot be. */
export function partsOfCall(method: string, params: unknown, error: unknown): PartedCall | undefined {
  const cut = cutAsTold(params, error);
  const join = cut === undefined ? undefined : joins[method]?.[cut.name];
  return cut === undefined || join === undefined ? undefined : { requests: cut.requests, join };
}

/** The requests for the same shots of fewer detectors each; undefined when a stream was refused for another reason. */
export function partsOfStream(method: string, params: unknown, error: unknown): readonly Params[] | undefined {
  const cut = method === "st.frames" ? cutAsTold(params, error) : undefined;
  return cut?.name === "detIds" ? cut.requests : undefined;
}

/** Streams of the same shots side by side, each with some of the detectors, as one. */
export async function* sideBySide(
  streams: readonly AsyncIterable<StreamItem<"st.frames">>[],
): AsyncGenerator<StreamItem<"st.frames">, void, undefined> {
  const readers = streams.map((stream) => stream[Symbol.asyncIterator]());
  try {
    for (;;) {
      const items: StreamItem<"st.frames">[] = [];
      for (const next of await Promise.all(readers.map((reader) => reader.next())))
        if (next.done !== true) items.push(next.value);
      const [first] = items;
      if (first === undefined) return;
      yield {
        tag: first.tag,
        frames: items.flatMap(({ frames }) => frames),
        missing: items.flatMap(({ missing }) => missing),
      };
    }
  } finally {
    await Promise.all(readers.map(async (reader) => await reader.return?.()));
  }
}

/** What is left of the caller's time for each part. */
export function timeLeft({ timeoutMs, ...options }: CallOptions, since: number): CallOptions {
  return timeoutMs === undefined
    ? options
    : { ...options, timeoutMs: Math.max(0, timeoutMs - (performance.now() - since)) };
}

function cutAsTold(params: unknown, error: unknown): { name: string; requests: readonly Params[] } | undefined {
  if (!isSaclaError(error, "TOO_LARGE") || !isRecord(params)) return undefined;
  const { ask } = error.details;
  const [told] = isRecord(ask) ? Object.entries(ask) : [];
  if (told === undefined) return undefined;
  const [name, most] = told;
  const list = params[name];
  if (!Number.isSafeInteger(most) || (most as number) < 1 || !isList(list) || list.length <= (most as number))
    return undefined;
  const requests: Params[] = [];
  for (let from = 0; from < list.length; from += most as number)
    requests.push({ ...params, [name]: list.slice(from, from + (most as number)) });
  return { name, requests };
}

function isList(value: unknown): value is readonly unknown[] | Uint32Array {
  return Array.isArray(value) || value instanceof Uint32Array;
}

function joinColumns(parts: readonly (readonly Column[])[]): Column[] {
  const [first = []] = parts;
  return first.map((_, i) => joinColumn(parts.map((columns) => columns[i]).filter((column) => column !== undefined)));
}

/** A column from those of one stretch of tags after another, of which there is one at least. */
export function joinColumn(parts: readonly Column[]): Column {
  const [first] = parts;
  if (first === undefined) throw new SaclaError("INTERNAL", "There is no column to be joined.");
  if (parts.length === 1) return first;
  return {
    equipId: first.equipId,
    // A stretch without a record may not know the unit.
    unit: parts.find(({ unit }) => unit !== "")?.unit ?? "",
    values: joined(
      Float64Array,
      parts.map(({ values }) => values),
    ),
    status: joined(
      Uint8Array,
      parts.map(({ status }) => status),
    ),
  };
}

function joined<T extends Float64Array | Uint8Array>(Type: new (length: number) => T, parts: readonly T[]): T {
  const whole = new Type(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
