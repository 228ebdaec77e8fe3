import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { vectorsText } from "../../../scripts/make-protocol-vectors.ts";
import { decodeMessage, encodeMessage, messageId, type WireMessage } from "../../../src/transport/codec.ts";
import { packParts, unpackParts } from "../../../src/transport/packed.ts";

interface Vectors {
  readonly good: readonly {
    readonly name: string;
    readonly message: unknown;
    readonly parts: readonly string[];
    readonly packed: string;
  }[];
  readonly bad: readonly { readonly name: string; readonly parts: readonly string[]; readonly id: number | null }[];
  readonly badPacked: readonly { readonly name: string; readonly packed: string }[];
}

const text = readFileSync(new URL("../../../fixtures/protocol/messages.json", import.meta.url), "utf8");
const vectors = JSON.parse(text) as Vectors;
const bytes = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, "base64"));

const types: Readonly<Record<string, (values: number[]) => unknown>> = {
  i1: (values) => Int8Array.from(values),
  u1: (values) => Uint8Array.from(values),
  i2: (values) => Int16Array.from(values),
  u2: (values) => Uint16Array.from(values),
  i4: (values) => Int32Array.from(values),
  u4: (values) => Uint32Array.from(values),
  f4: (values) => Float32Array.from(values),
  f8: (values) => Float64Array.from(values),
};

/** The message a vector describes. */
function described(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(described);
  if ("$number" in value) return Number(value.$number);
  if ("$array" in value) {
    const { dtype, values } = value.$array as { dtype: string; values: unknown[] };
    return types[dtype]?.(values.map(Number));
  }
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, described(entry)]));
}

describe("the test vectors of the protocol", () => {
  it("are those the script makes", () => {
    expect(text).toBe(vectorsText());
  });

  it.each(vectors.good)("$name: is decoded, encoded and packed", ({ message, parts, packed }) => {
    const wanted = described(message) as WireMessage;
    expect(decodeMessage(parts.map(bytes), { copy: true })).toEqual(wanted);
    expect(decodeMessage(unpackParts(bytes(packed)), { copy: false })).toEqual(wanted);
    expect(packParts(parts.map(bytes))).toEqual(bytes(packed));
    expect(decodeMessage(encodeMessage(wanted), { copy: true })).toEqual(wanted);
  });

  it("are encoded to the very same bytes where each array stands once, in order", () => {
    const exact = vectors.good.filter(({ name }) => !/twice|another order|deadline/.test(name));
    expect(exact.length).toBeGreaterThan(15);
    for (const { name, message, parts } of exact) {
      const [header, ...frames] = encodeMessage(described(message) as WireMessage);
      expect(JSON.parse(new TextDecoder().decode(header)), name).toEqual(
        JSON.parse(new TextDecoder().decode(bytes(parts[0] ?? ""))),
      );
      expect(
        frames.map((frame) => Buffer.from(frame).toString("base64")),
        name,
      ).toEqual(parts.slice(1));
    }
  });

  it.each(vectors.bad)("bad, $name: is refused with BAD_MESSAGE", ({ parts, id }) => {
    const broken = parts.map(bytes);
    expect(() => decodeMessage(broken, { copy: true })).toThrow(expect.objectContaining({ code: "BAD_MESSAGE" }));
    expect(messageId(broken)).toBe(id);
  });

  it.each(vectors.badPacked)("bad packed form, $name: is refused with BAD_MESSAGE", ({ packed }) => {
    expect(() => unpackParts(bytes(packed))).toThrow(expect.objectContaining({ code: "BAD_MESSAGE" }));
  });
});
