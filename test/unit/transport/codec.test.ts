import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSaclaError } from "../../../src/core/errors.ts";
import { decodeMessage, encodeMessage } from "../../../src/transport/codec.ts";
import { rounds } from "../../support/full.ts";

const roundTrip = (value: unknown): unknown => {
  const message = decodeMessage(encodeMessage({ kind: "result", id: 7, value }), { copy: true });
  return message.kind === "result" ? message.value : message;
};

describe("the wire form", () => {
  it("is a JSON header and one raw little-endian frame per array", () => {
    const [header, ...frames] = encodeMessage({
      kind: "result",
      id: 7,
      value: { tags: Uint32Array.of(1, 0xffff_ffff), mean: NaN },
    });
    expect(JSON.parse(new TextDecoder().decode(header))).toEqual({
      sacla: 1,
      kind: "result",
      id: 7,
      value: { tags: { $frame: 0, dtype: "u4" }, mean: { $number: "NaN" } },
    });
    expect(frames.map((frame) => [...frame])).toEqual([[1, 0, 0, 0, 255, 255, 255, 255]]);
  });

  it("brings back every array type, NaN, ±Infinity, null, nesting", () => {
    const value = {
      arrays: [
        Int8Array.of(-1),
        Uint8Array.of(255),
        Int16Array.of(-2),
        Uint16Array.of(65535),
        Int32Array.of(-3),
        Uint32Array.of(4e9),
        Float32Array.of(1.5, NaN),
        Float64Array.of(1e-300),
      ],
      empty: new Float32Array(0),
      numbers: [NaN, Infinity, -Infinity, 0.1],
      deep: { nothing: null, text: "é", list: [[true]] },
    };
    expect(roundTrip(value)).toEqual(value);
  });

  it("brings back any JSON-like value", () => {
    const key = fc.string().filter((k) => !k.startsWith("$") && k !== "__proto__");
    const { tree } = fc.letrec((tie) => ({
      leaf: fc.oneof(
        fc.string(),
        fc.boolean(),
        fc.constant(null),
        fc.double().filter((x) => !Object.is(x, -0)),
        fc.float32Array(),
      ),
      tree: fc.oneof(
        { depthSize: "small" },
        tie("leaf"),
        fc.array(tie("tree")),
        fc.dictionary(key, tie("tree"), { noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        expect(roundTrip({ value })).toEqual({ value });
      }),
    );
  });

  it("copies when asked, and looks into the frame otherwise", () => {
    const data = Float32Array.of(1, 2);
    const parts = encodeMessage({ kind: "item", id: 7, seq: 0, value: data });
    const first = (copy: boolean): number => {
      const message = decodeMessage(parts, { copy });
      if (message.kind !== "item") throw new Error("not an item");
      const array = message.value as Float32Array;
      data[0] = 9;
      const seen = array[0];
      data[0] = 1;
      return seen ?? NaN;
    };
    expect([first(true), first(false)]).toEqual([1, 9]);
  });

  it("reads frames at odd addresses", () => {
    const [header, frame] = encodeMessage({ kind: "item", id: 7, seq: 0, value: Float64Array.of(Math.PI) });
    if (header === undefined || frame === undefined) throw new Error("no frame");
    const shifted = new Uint8Array(frame.length + 1);
    shifted.set(frame, 1);
    expect(decodeMessage([header, shifted.subarray(1)], { copy: false })).toEqual({
      kind: "item",
      id: 7,
      seq: 0,
      value: Float64Array.of(Math.PI),
    });
  });

  it.each([[() => 1], [10n], [Symbol("x")], [new DataView(new ArrayBuffer(1))], [{ $frame: 1 }]])(
    "refuses to send %s",
    (value) => {
      expect(() => encodeMessage({ kind: "result", id: 7, value })).toThrow(
        expect.objectContaining({ code: "BAD_MESSAGE" }),
      );
    },
  );

  it("answers any bytes with a message or BAD_MESSAGE, never anything else", () => {
    const header = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => new TextEncoder().encode(text)),
      fc
        .record({
          sacla: fc.constantFrom(1, 2, "1"),
          kind: fc.constantFrom("call", "result", "error", "item", "end", 5),
          method: fc.anything(),
          value: fc.record({
            $frame: fc.oneof(fc.integer({ min: -1, max: 3 }), fc.constant("0")),
            dtype: fc.constantFrom("f4", "u1", "toString", 3),
          }),
          error: fc.jsonValue(),
        })
        .map((value) => new TextEncoder().encode(JSON.stringify(value, (_, v) => (typeof v === "bigint" ? null : v)))),
    );
    fc.assert(
      fc.property(fc.array(header, { maxLength: 3 }), (parts) => {
        try {
          expect(decodeMessage(parts, { copy: true })).toHaveProperty("kind");
        } catch (error) {
          expect(isSaclaError(error, "BAD_MESSAGE")).toBe(true);
        }
      }),
      { numRuns: rounds(3000) },
    );
  });
});
