import { SaclaError, show } from "./errors.ts";
import { asFinite, asInteger, asOneOf, badArgument, isRecord } from "./guards.ts";
import { didYouMean } from "./nearest-names.ts";

/** Gives the value of one option, or throws BAD_ARGUMENT. Every `as…` of guards.ts is one. */
export type Check<T> = (name: string, value: unknown) => T;

/** One check for each option of `T`, not one more or less: {@link any} where its values are checked elsewhere. */
type Checks<T> = { readonly [K in keyof T]-?: Check<T[K] | Given> };

/** `T` with every option present, of the type its check gives. */
export type Resolved<T, C> = {
  readonly [K in keyof C]: C[K] extends Check<infer R> ? (R extends Given ? T[K & keyof T] : R) : never;
};

/** Stands in types for what an option had before: {@link any}. */
interface Given {
  readonly [given]: true;
}
declare const given: unique symbol;

/**
 * Every option of `options`, checked: a name without a check is an error and not a silent default.
 * @param where name of what takes the options, for the error
 * @throws BAD_ARGUMENT for a name that is no option, and for a value its check refuses
 * @example const { axis, shutter } = resolveOptions("scan", options, { axis: asText, shutter: optional(asText) });
 */
export function resolveOptions<T extends object, const C extends Checks<T>>(
  where: string,
  options: T,
  checks: C & Readonly<Record<Exclude<keyof C, keyof T>, never>>,
): Resolved<T, C> {
  if (!isRecord(options)) throw badArgument(`options of ${where}`, options, "an object");
  const values: Readonly<Record<string, unknown>> = options;
  for (const name of Object.keys(values)) {
    if (Object.hasOwn(checks, name)) continue;
    throw noSuchOption(where, name, Object.keys(checks));
  }
  const found: Record<string, unknown> = {};
  // No list of pairs: a plan resolves the options of each of its points.
  for (const name of Object.keys(checks)) found[name] = (checks[name as keyof C] as Check<unknown>)(name, values[name]);
  // Each key is one of T's, each value what its check gave.
  return found as Resolved<T, C>;
}

function noSuchOption(where: string, name: string, known: readonly string[]): SaclaError {
  const hint = didYouMean(name, known);
  const allowed = known.join(", ");
  return new SaclaError("BAD_ARGUMENT", `${where} has no option ${show(name)}.${hint} Its options are ${allowed}.`, {
    details: { name: `${where} option`, value: show(name), allowed },
  });
}

/** What an option has, whatever that is: of those whose values are checked elsewhere. */
export function any(_name: string, value: unknown): Given {
  return value as Given;
}

/** `undefined`, or what `check` gives. */
export function optional<T>(check: Check<T>): Check<T | undefined>;
/** What `check` gives, `fallback` when there is no value. */
export function optional<T, const F>(check: Check<T>, fallback: F): Check<T | F>;
export function optional(check: Check<unknown>, fallback?: unknown): Check<unknown> {
  return (name, value) => (value === undefined ? fallback : check(name, value));
}

/** A whole number in [min, max]. */
export function integer(min = 0, max: number = Number.MAX_SAFE_INTEGER): Check<number> {
  return (name, value) => asInteger(name, value, min, max);
}

/** A finite number in [min, max]. */
export function finite(min = -Infinity, max = Infinity): Check<number> {
  return (name, value) => asFinite(name, value, min, max);
}

/** One of these words. */
export function oneOf<const T extends string>(...allowed: readonly T[]): Check<T> {
  return (name, value) => asOneOf(name, value, allowed);
}

/** `true` or `false`. */
export function flag(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw badArgument(name, value, "true or false");
}

/**
 * What has a value, for properties that must be absent and not `undefined`.
 * @example call({ bl, ...defined({ timeoutMs, key }) });
 */
export function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const found = Object.entries(values).filter(([, value]) => value !== undefined);
  // Each entry is one of T's.
  return Object.fromEntries(found) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
