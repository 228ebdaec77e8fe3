import { createHash } from "node:crypto";
import { encodeMessage } from "../codec.ts";

/** A short name that two questions share only when they are the same, in whatever order their parameters stand. */
export function questionKey(...question: unknown[]): string {
  const hash = createHash("sha256");
  for (const part of encodeMessage({ kind: "result", id: 0, value: sorted(question) }))
    hash.update(`${part.byteLength}:`).update(part);
  return hash.digest("hex");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  const entries = Object.entries(value).map(([key, entry]): [string, unknown] => [key, sorted(entry)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Parameters for a message: `{"bl":3,"tags":"6 from 1000 to 1010"}`. The secret of a lease is hidden. */
export function showParams(params: unknown): string {
  const text = JSON.stringify(params, (key, value: unknown) =>
    key === "lease" && typeof value === "string"
      ? "(hidden)"
      : value instanceof Uint32Array
        ? value.length === 0
          ? "none"
          : `${value.length} from ${value[0]} to ${value.at(-1)}`
        : value,
  );
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
