import type { GenericSchema } from "valibot";
import { badArgument } from "../../core/guards.ts";

/** A value in the JSON form: arrays as lists of numbers, what JSON cannot hold as `{"$number": "NaN"}`. */
export function toJsonForm(value: unknown): unknown {
  if (typeof value === "number") return Number.isFinite(value) ? value : { $number: String(value) };
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) return listOf(value as unknown as ArrayLike<number>);
  if (Array.isArray(value)) return value.map(toJsonForm);
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, toJsonForm(entry)]));
}

/** Characters of one piece, about. */
const PIECE_LENGTH = 65_536;
/** Numbers that are written at a time. */
const NUMBERS_AT_ONCE = 4096;

/**
 * The text of {@link toJsonForm}'s value in pieces, so that a large one holds up nobody and is never there as a whole.
 * @param before - text before it, `after` behind it
 */
export function* jsonPieces(value: unknown, before = "", after = ""): Generator<string, void, undefined> {
  let piece = before;
  for (const text of jsonTexts(value)) {
    piece += text;
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    piece = "";
  }
  if (piece + after !== "") yield piece + after;
}

function* jsonTexts(value: unknown): Generator<string, void, undefined> {
  if (ArrayBuffer.isView(value)) {
    const array = value as Float64Array;
    for (let from = 0; from < array.length; from += NUMBERS_AT_ONCE) {
      const text = JSON.stringify(listOf(array.subarray(from, from + NUMBERS_AT_ONCE)));
      yield `${from === 0 ? "[" : ","}${text.slice(1, -1)}`;
    }
    yield array.length === 0 ? "[]" : "]";
  } else if (Array.isArray(value)) {
    yield "[";
    for (const [i, entry] of value.entries()) {
      if (i > 0) yield ",";
      yield* jsonTexts(entry ?? null);
    }
    yield "]";
  } else if (typeof value === "object" && value !== null) {
    let separator = "{";
    for (const [key, entry] of Object.entries(value)) {
      if (entry === undefined) continue;
      yield `${separator}${JSON.stringify(key)}:`;
      yield* jsonTexts(entry);
      separator = ",";
    }
    yield separator === "{" ? "{}" : "}";
  } else yield JSON.stringify(toJsonForm(value)) ?? "null";
}

function listOf(array: ArrayLike<number>): unknown[] {
  const list: unknown[] = Array.from(array);
  for (let i = 0; i < list.length; i++) if (!Number.isFinite(list[i])) list[i] = { $number: String(list[i]) };
  return list;
}

/** What the reader of a schema needs of valibot's schemas. */
interface SchemaShape {
  readonly type: string;
  readonly entries?: Readonly<Record<string, GenericSchema>>;
  readonly item?: GenericSchema;
  readonly items?: readonly GenericSchema[];
  readonly wrapped?: GenericSchema;
  readonly class?: unknown;
}

/**
 * The value that a JSON form stands for, where `schema` wants it: lists become typed arrays, `{"$number": …}` numbers.
 * What does not fit is left as it is, for the check against the schema to refuse.
 * @throws BAD_ARGUMENT for a list with a number that the typed array cannot hold
 */
export function fromJsonForm(schema: GenericSchema, value: unknown, name: string): unknown {
  const { type, entries, item, items, wrapped, class: Type }: SchemaShape = schema as SchemaShape;
  if (wrapped !== undefined) return value === null || value === undefined ? value : fromJsonForm(wrapped, value, name);
  if (isTyped(Type)) return Array.isArray(value) ? typedArray(Type, value, name) : value;
  if (type === "number") return numberOf(value);
  if (Array.isArray(value)) {
    return value.map((entry, i) => {
      const of = item ?? items?.[i];
      return of === undefined ? entry : fromJsonForm(of, entry, `${name}[${i}]`);
    });
  }
  if (entries === undefined || typeof value !== "object" || value === null) return value;
  const known = Object.entries(value).map(([key, entry]) => {
    const of = Object.hasOwn(entries, key) ? entries[key] : undefined;
    return [key, of === undefined ? entry : fromJsonForm(of, entry, key)];
  });
  return Object.fromEntries(known);
}

/**
 * Parameters from the query of an address: a parameter that is text is taken as it stands, another as JSON if it
 * parses.
 * @throws BAD_ARGUMENT as {@link fromJsonForm}, and for a parameter given twice
 */
export function fromQuery(schema: GenericSchema, query: URLSearchParams): unknown {
  const { entries = {} }: SchemaShape = schema as SchemaShape;
  const params: Record<string, unknown> = {};
  for (const [key, text] of query) {
    if (Object.hasOwn(params, key)) throw badArgument(key, query.getAll(key).join(" and "), "given once");
    const of = Object.hasOwn(entries, key) ? entries[key] : undefined;
    Object.defineProperty(params, key, { value: of?.type === "string" ? text : jsonOr(text), enumerable: true });
  }
  return fromJsonForm(schema, params, "the query");
}

/** The query that {@link fromQuery} reads back. */
export function toQuery(params: object): URLSearchParams {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params))
    query.set(key, typeof value === "string" ? value : JSON.stringify(toJsonForm(value)));
  return query;
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const typed = [
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
] as const;
type Typed = (typeof typed)[number];

function isTyped(Type: unknown): Type is Typed {
  return typed.some((known) => known === Type);
}

function typedArray(Type: Typed, list: readonly unknown[], name: string): InstanceType<Typed> {
  const array = new Type(list.length);
  const whole = Type !== Float32Array && Type !== Float64Array;
  for (const [i, entry] of list.entries()) {
    const number = numberOf(entry);
    if (typeof number !== "number") throw badArgument(`${name}[${i}]`, entry, "a number");
    array[i] = number;
    // Typed arrays wrap and cut what does not fit.
    if (whole && array[i] !== number) throw badArgument(`${name}[${i}]`, entry, `what a ${Type.name} can hold`);
  }
  return array;
}

function numberOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("$number" in value)) return value;
  const { $number } = value;
  return $number === "NaN" || $number === "Infinity" || $number === "-Infinity" ? Number($number) : value;
}
