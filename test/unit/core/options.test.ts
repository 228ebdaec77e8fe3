import { describe, expect, it } from "vitest";
import { asText } from "../../../src/core/guards.ts";
import { any, finite, flag, integer, oneOf, optional, resolveOptions } from "../../../src/core/options.ts";

interface Move {
  readonly axis: string;
  readonly speed?: number | undefined;
  readonly mode?: "fast" | "slow" | undefined;
  readonly relative?: boolean;
  readonly signal?: AbortSignal;
}

const checks = {
  axis: asText,
  speed: optional(finite(0), 2),
  mode: optional(oneOf("fast", "slow"), "fast"),
  relative: optional(flag),
  signal: any,
};
const resolve = (options: object): unknown => resolveOptions("move", options as Move, checks);

describe("resolveOptions", () => {
  it("gives every option: what was given, the default, or undefined", () => {
    const found = resolveOptions("move", { axis: "x", relative: true } as Move, checks);
    const { axis, speed, mode }: { axis: string; speed: number; mode: "fast" | "slow" } = found;
    expect({ axis, speed, mode }).toEqual({ axis: "x", speed: 2, mode: "fast" });
    expect(found).toEqual({ axis: "x", speed: 2, mode: "fast", relative: true, signal: undefined });
    expect(resolve({ axis: "x", speed: undefined })).toMatchObject({ speed: 2 });
  });

  it("refuses a name that is no option, says which it was meant to be and which there are", () => {
    expect(() => resolve({ axis: "x", sped: 3 })).toThrow(
      expect.objectContaining({
        code: "BAD_ARGUMENT",
        message: 'move has no option "sped". Did you mean speed? Its options are axis, speed, mode, relative, signal.',
        details: { name: "move option", value: '"sped"', allowed: "axis, speed, mode, relative, signal" },
      }),
    );
    expect(() => resolve({ axis: "x", unlike: 3 })).toThrow('no option "unlike". Its options are');
    for (const name of ["toString", "constructor"]) expect(() => resolve({ axis: "x", [name]: 1 })).toThrow(name);
  });

  it("refuses what a check refuses, and what is no record of options", () => {
    for (const wrong of [{}, { axis: "" }, { axis: "x", speed: -1 }, { axis: "x", mode: "mid" }, "x", null, [], 3])
      expect(() => resolve(wrong as object)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });

  it("wants one check for each option in its types", () => {
    const given: { readonly n: number; readonly m?: string } = { n: 1 };
    // @ts-expect-error m has no check
    resolveOptions("typed", given, { n: integer() });
    // @ts-expect-error k is no option
    resolveOptions("typed", given, { n: integer(), m: any, k: any });
    // @ts-expect-error the check of m gives a number
    resolveOptions("typed", given, { n: integer(), m: optional(integer()) });
    const { m } = resolveOptions("typed", given, { n: integer(), m: any });
    // @ts-expect-error m may be absent
    const sure: string = m;
    expect(sure).toBeUndefined();
  });
});
