import { exp, log } from "./portable-math.ts";

/**
 * Seeded randomness that depends on names and numbers, not on the order of calls: the same (seed, run, tag, …) gives
 * the same draws whoever asks, whenever.
 */

function mix(h: number): number {
  // Finaliser of MurmurHash3 (public domain): every input bit reaches every output bit.
  let x = h;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A 32-bit hash of numbers and names. */
export function hash(...parts: (number | string)[]): number {
  let h = 0x9e3779b9;
  for (const part of parts) {
    if (typeof part === "number") {
      h = mix(h ^ (part >>> 0));
      h = mix(h ^ Math.floor(part / 0x1_0000_0000));
    } else {
      for (let i = 0; i < part.length; i++) h = mix(h ^ part.charCodeAt(i));
    }
  }
  return h;
}

/** A stream of random numbers (xoshiro128**, Blackman & Vigna) that can be re-seeded without allocating. */
export class Random {
  // Typed arrays: a field that holds more than 31 bits, or a fraction, would be a new object at each draw.
  readonly #state = new Int32Array(4);
  readonly #pair = new Float64Array(2);
  /** How many of the pair of normals are not given out yet. */
  #left = 0;

  constructor(seed: number) {
    this.reseed(seed);
  }

  /** Four words, for a kernel that draws on, and writes how far it has come: between two pairs of normals. */
  get state(): Int32Array {
    return this.#state;
  }

  /** Begins again from `seed`. */
  reseed(seed: number): this {
    const s = this.#state;
    const a = mix(seed ^ 0x243f6a88);
    const b = mix(a ^ 0x85a308d3);
    const c = mix(b ^ 0x13198a2e);
    s[0] = a;
    s[1] = b;
    s[2] = c;
    s[3] = mix(c ^ 0x03707344) | 1;
    this.#left = 0;
    return this;
  }

  /** A whole number in [−2^31, 2^31): the bits of {@link uint32}, cheaper where the sign does not matter. */
  int32(): number {
    const s = this.#state;
    const a = s[0] ?? 0;
    const b = s[1] ?? 0;
    const c = (s[2] ?? 0) ^ a;
    const d = (s[3] ?? 0) ^ b;
    s[0] = a ^ d;
    s[1] = b ^ c;
    s[2] = c ^ (b << 9);
    s[3] = (d << 11) | (d >>> 21);
    const r = Math.imul(b, 5);
    return Math.imul((r << 7) | (r >>> 25), 9);
  }

  /** A whole number in [0, 2^32). */
  uint32(): number {
    return this.int32() >>> 0;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** Standard normal (Marsaglia's polar method). */
  normal(): number {
    if (this.#left === 0) this.#drawPair();
    return this.#pair[--this.#left] ?? 0;
  }

  /** Fills `out` with standard normals, the same as from {@link normal} one by one. */
  normals(out: Float64Array): void {
    for (let i = 0; i < out.length; i++) {
      if (this.#left === 0) this.#drawPair();
      out[i] = this.#pair[--this.#left] ?? 0;
    }
  }

  #drawPair(): void {
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const s = u * u + v * v;
      if (s > 0 && s < 1) {
        const f = Math.sqrt((-2 * log(s)) / s);
        this.#pair[1] = u * f;
        this.#pair[0] = v * f;
        this.#left = 2;
        return;
      }
    }
  }

  /** Gamma with the given shape and mean 1 (Marsaglia & Tsang 2000; shape ≥ 1). */
  gamma(shape: number): number {
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const root = 1 + c * x;
      const v = root * root * root;
      if (v > 0 && log(1 - this.uniform()) < 0.5 * x * x + d - d * v + d * log(v)) return (d * v) / shape;
    }
  }

  /** Poisson with the given mean: exact multiplication below 30, rounded normal above (error < 1 % of σ there). */
  poisson(mean: number): number {
    if (mean <= 0) return 0;
    if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()));
    const limit = exp(-mean);
    let n = 0;
    for (let p = this.uniform(); p > limit; p *= this.uniform()) n++;
    return n;
  }
}
