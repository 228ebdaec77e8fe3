/** What the compiler must say of the generics that carry weight: checked by `npm run types`, run as a formality. */
import { expectTypeOf, it } from "vitest";
import { asInteger, asText } from "../../src/core/guards.ts";
import type { Ledger } from "../../src/core/ledger.ts";
import { optional, resolveOptions } from "../../src/core/options.ts";
import type { SignalTable } from "../../src/db/index.ts";
import type { Control } from "../../src/ec/index.ts";
import type { renderGray16, renderImage, renderLinePlot, renderLinePlots } from "../../src/plot/index.ts";
import { histogram, mean, type Reduced, type Reducer } from "../../src/reduce/index.ts";
import type { ScanTable } from "../../src/scan/index.ts";
import type { CallResult } from "../../src/transport/methods.ts";

it("Reduced has each reducer's result by sensor under its name, and the ledger", () => {
  type Of<R> = R extends Reducer<infer T> ? T : never;
  const reducers = { average: mean(), counts: histogram() };
  type Result = Reduced<typeof reducers>;
  expectTypeOf<Result["average"]>().toEqualTypeOf<Readonly<Record<string, Of<ReturnType<typeof mean>>>>>();
  expectTypeOf<Result["counts"]>().toEqualTypeOf<Readonly<Record<string, Of<ReturnType<typeof histogram>>>>>();
  expectTypeOf<Result["ledger"]>().toEqualTypeOf<Ledger>();
  // @ts-expect-error a name that was not asked for
  expectTypeOf<Result["avrage"]>();
});

it("Control knows the names of its experiment", () => {
  type D = {
    name: string;
    bl: number;
    axes: { delay: { device: string; unit: string; pulsesPerUnit: number; limits: number[] } };
  };
  expectTypeOf<Parameters<Control<D>["axis"]>[0]>().toEqualTypeOf<"delay" | `bl${number}_${string}`>();
});

it("CallResult follows the table of methods", () => {
  expectTypeOf<CallResult<"db.readRunnumberNewest">>().toEqualTypeOf<number>();
  expectTypeOf<CallResult<"db.readDetidlist">>().toExtend<readonly string[]>();
  // @ts-expect-error no such method
  expectTypeOf<CallResult<"db.readRunnumberNewst">>();
});

it("resolveOptions gives each option the type of its check", () => {
  interface Options {
    readonly name: string;
    readonly shots?: number | undefined;
  }
  const given: Options = { name: "a" };
  const resolved = resolveOptions("f", given, { name: asText, shots: optional(asInteger) });
  expectTypeOf(resolved.name).toEqualTypeOf<string>();
  expectTypeOf(resolved.shots).toEqualTypeOf<number | undefined>();
  // @ts-expect-error an option without a check
  resolveOptions("f", given, { name: asText });
});

it("bytes of pictures and tables fit a Blob, a Response and fetch", () => {
  type Bytes = Uint8Array<ArrayBuffer>;
  expectTypeOf<ReturnType<typeof renderImage>>().toEqualTypeOf<Bytes>();
  expectTypeOf<ReturnType<typeof renderLinePlot>>().toEqualTypeOf<Bytes>();
  expectTypeOf<ReturnType<typeof renderLinePlots>>().toEqualTypeOf<Bytes>();
  expectTypeOf<ReturnType<typeof renderGray16>["png"]>().toEqualTypeOf<Bytes>();
  expectTypeOf<ReturnType<ScanTable["png"]>>().toEqualTypeOf<Bytes>();
  expectTypeOf<Awaited<ReturnType<SignalTable["toArrow"]>>>().toEqualTypeOf<Bytes>();
  expectTypeOf<Awaited<ReturnType<SignalTable["toParquet"]>>>().toEqualTypeOf<Bytes>();
});
