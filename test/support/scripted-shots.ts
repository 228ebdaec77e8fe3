import { badArgument } from "../../src/core/guards.ts";
import { asImage, newPixels, type PixelType } from "../../src/core/ndarray.ts";
import type { Shot } from "../../src/core/shots.ts";
import type { SyncValue } from "../../src/core/syncdb.ts";

/** A shot as a test writes it down. */
export interface ScriptedShot {
  readonly tag: number;
  /** Of the one sensor, `A`; without an image when absent. */
  readonly pixels?: ArrayLike<number>;
  /**
   * A plain number has no unit; a text is the reason why there is none. A signal that is not here was not asked for.
   */
  readonly signals?: Readonly<Record<string, SyncValue | number | "not-converged" | "saturated" | "missing">>;
}

/** Shots over memory that is reused, as a real reader does. */
export async function* scriptedShots(
  script: readonly ScriptedShot[],
  rows: number,
  columns: number,
  type: PixelType = "float32",
): AsyncGenerator<Shot> {
  const memory = newPixels(rows * columns, type);
  for (const { tag, pixels, signals = {} } of script) {
    if (pixels !== undefined) memory.set(pixels);
    const value = (id: string): SyncValue => {
      const found = signals[id];
      if (found === undefined)
        throw badArgument("signal", id, `one of those asked for: ${Object.keys(signals).join(", ")}`);
      if (typeof found === "number") return { value: found, unit: "" };
      return typeof found === "string" ? { reason: found } : found;
    };
    const number = (id: string): number => {
      const found = value(id);
      return "value" in found ? found.value : NaN;
    };
    yield { tag, images: pixels === undefined ? {} : { A: asImage(memory, rows, columns) }, value, number };
  }
}
