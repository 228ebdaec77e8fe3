import { SaclaError, show } from "./errors.ts";

/** `value` if it is a whole number in [min, max]. @throws BAD_ARGUMENT otherwise */
export function asInteger(name: string, value: unknown, min = 0, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
  throw badArgument(name, value, `a whole number from ${min} to ${max}`);
}

/** `value` if it is a finite number in [min, max]. @throws BAD_ARGUMENT otherwise */
export function asFinite(name: string, value: unknown, min = -Infinity, max = Infinity): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= min && value <= max) return value;
  const range = min === -Infinity && max === Infinity ? "" : ` from ${min} to ${max}`;
  throw badArgument(name, value, `a finite number${range}`);
}

/** `value` if it is a string with something in it. @throws BAD_ARGUMENT otherwise */
export function asText(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw badArgument(name, value, "a non-empty string");
}

/** `value` if it is one of `allowed`. @throws BAD_ARGUMENT otherwise */
export function asOneOf<const T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((a) => a === value);
  if (found !== undefined) return found;
  throw badArgument(name, value, `one of ${allowed.join(", ")}`);
}

/** Whether `value` is an object with keys, and no list. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The error for a bad argument, in the one wording used everywhere. */
export function badArgument(name: string, value: unknown, allowed: string): SaclaError {
  const is = value === undefined ? "is not given" : `is ${show(value)}`;
  return new SaclaError("BAD_ARGUMENT", `${name} ${is}, but must be ${allowed}.`, {
    details: { name, value: show(value), allowed },
  });
}
