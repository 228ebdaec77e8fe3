import { printable } from "./printable.ts";

const printableLimit = 120;

/** A value as it should appear in an error message: short, quoted, never throwing. */
export function show(value: unknown): string {
  if (typeof value === "string")
    return printable(JSON.stringify(value.length > printableLimit ? `${value.slice(0, printableLimit)}…` : value));
  if (typeof value === "function") return "a function";
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`;
  if (typeof value === "object" && value !== null) {
    try {
      const text = printable(JSON.stringify(value));
      return text.length > printableLimit ? `${text.slice(0, printableLimit)}…` : text;
    } catch {
      return Object.prototype.toString.call(value);
    }
  }
  return String(value);
}

/** Names in a message: all of a short list, the start of a long one. */
export function showList(values: Iterable<unknown>, limit = 8): string {
  const all = [...values];
  if (all.length === 0) return "none";
  const head = all.slice(0, limit).map(String).join(", ");
  return all.length > limit ? `${head}, … (${all.length} in all)` : head;
}

/** A count with its noun: `1 shot`, `3 shots`. @param noun - for one; many have an s */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
