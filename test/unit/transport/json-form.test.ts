import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { fromJsonForm, fromQuery, toJsonForm, toQuery } from "../../../src/transport/http/json-form.ts";
import { callMethods, streamMethods } from "../../../src/transport/methods.ts";

const columns = callMethods["db.readColumns"].params;
const frames = streamMethods["st.frames"].params;

describe("the JSON form", () => {
  it("writes arrays as lists and what JSON cannot hold as $number", () => {
    const value = {
      values: Float64Array.of(1.5, NaN, Infinity, -Infinity),
      status: Uint8Array.of(0, 3),
      unit: "C",
      none: null,
      list: [NaN, "x"],
    };
    expect(JSON.parse(JSON.stringify(toJsonForm(value)))).toEqual({
      values: [1.5, { $number: "NaN" }, { $number: "Infinity" }, { $number: "-Infinity" }],
      status: [0, 3],
      unit: "C",
      none: null,
      list: [{ $number: "NaN" }, "x"],
    });
  });

  it("reads lists as the arrays that the method wants", () => {
    const params = { equipIds: ["a", "b"], hightag: 202502, tags: [1, 4_294_967_295] };
    expect(fromJsonForm(columns, params, "it")).toEqual({ ...params, tags: Uint32Array.of(1, 4_294_967_295) });
    const doubles = v.strictObject({ x: v.nullable(v.instance(Float64Array)), y: v.optional(v.array(v.number())) });
    expect(fromJsonForm(doubles, { x: [1, { $number: "NaN" }], y: [{ $number: "-Infinity" }] }, "it")).toEqual({
      x: Float64Array.of(1, NaN),
      y: [-Infinity],
    });
    expect(fromJsonForm(doubles, { x: null }, "it")).toEqual({ x: null });
  });

  it("refuses numbers that the array would change, and names the place", () => {
    for (const wrong of [-1, 1.5, 2 ** 32, "7", null, { $number: "NaN" }, [1]]) {
      expect(() => fromJsonForm(columns, { tags: [5, wrong] }, "it")).toThrow(/tags\[1\]/);
    }
  });

  it("leaves what does not fit for the check against the schema", () => {
    for (const odd of [7, "text", null, [1], { tags: 7, more: { $number: "7" } }])
      expect(fromJsonForm(columns, odd, "it")).toEqual(odd);
    const hostile = JSON.parse('{"__proto__": {"bl": 3}, "constructor": 1}') as unknown;
    const read = fromJsonForm(frames, hostile, "it") as object;
    expect([Object.getPrototypeOf(read), v.is(frames, read)]).toEqual([Object.prototype, false]);
  });
});

describe("a query", () => {
  it("comes back as it was: text as it stands, the rest as JSON", () => {
    const params = {
      bl: 3,
      run: 206178,
      detIds: ["MPCCD-8-2-001-1"],
      tags: Uint32Array.of(1, 2),
      roi: { rows: [0, 5], columns: [1, 2] },
    };
    expect(fromQuery(frames, toQuery(params))).toEqual(params);
    for (const detId of ["7", "null", "a b&c=d", "é%2B+"]) {
      const asked = { bl: 3, run: 1, detId };
      expect(
        fromQuery(callMethods["db.readTaglistBydetid"].params, new URLSearchParams(toQuery(asked).toString())),
      ).toEqual(asked);
    }
  });

  it("is read as people write it", () => {
    const read = (text: string): unknown => fromQuery(frames, new URLSearchParams(text));
    expect(read("bl=3&tags=[1,2,3]&roi=null&detIds=nonsense")).toEqual({
      bl: 3,
      tags: Uint32Array.of(1, 2, 3),
      roi: null,
      detIds: "nonsense",
    });
    expect(read("")).toEqual({});
    expect(() => read("bl=3&bl=2")).toThrow(/bl is "3 and 2"/);
    expect(Object.keys(read("__proto__=1") as object)).toEqual(["__proto__"]);
  });
});
