import type { Arena } from "../../core/wasm.ts";

/** The dark of each pixel in the memory of the kernel, or that there is none. */
export class KernelDark {
  readonly #given: Float64Array | undefined;
  #address = 0;

  /** @param dark - of each pixel */
  constructor(dark: Float64Array | undefined) {
    this.#given = dark;
  }

  /** Bytes of the memory it needs. */
  get bytes(): number {
    return this.#given?.byteLength ?? 0;
  }

  /** Gets that memory; to be called once, before anything else. */
  allocate(arena: Arena): void {
    if (this.#given === undefined) return;
    const dark = arena.float64(this.#given.length, false);
    dark.set(this.#given);
    this.#address = dark.byteOffset;
  }

  /** Where the dark of a pixel lies; 0 when there is none, as the functions of the kernel take it. */
  addressOf(pixel: number): number {
    return this.#given === undefined ? 0 : this.#address + 8 * pixel;
  }
}
