import { SaclaError } from "../core/errors.ts";
import { Arena, hasFunctions, instantiateKernel } from "../core/wasm.ts";
import { kernelBinary } from "./kernel-binary.ts";

/** Functions of kernels/timing.ts. */
interface VectorKernel {
  readonly along: (
    values: number,
    vectors: number,
    count: number,
    bins: number,
    first: number,
    last: number,
    out: number,
  ) => void;
  readonly addVectors: (values: number, vectors: number, factors: number, count: number, bins: number) => void;
  readonly smooth: (values: number, weights: number, reach: number, bins: number, out: number) => void;
}

function isVectorKernel(exports: object): exports is VectorKernel {
  return hasFunctions(exports, ["along", "addVectors", "smooth"]);
}

/** WebAssembly memory for vectors of one length; `owner`: whose vectors are in it. */
interface Memory {
  readonly kernel: VectorKernel;
  /** Bins, rounded up to a multiple of 4: what is behind the last bin is 0. */
  readonly length: number;
  readonly most: number;
  readonly reach: number;
  readonly vectors: Float64Array;
  readonly values: Float64Array;
  readonly factors: Float64Array;
  readonly weights: Float64Array;
  readonly out: Float64Array;
  owner: object | undefined;
}

/** One for each length, because learning makes many models one after the other, and a memory of WebAssembly is dear. */
const memories = new Map<number, Memory>();

/** Vectors of the drift of one model. */
export class DriftVectors {
  readonly #vectors: readonly Float64Array[];
  readonly #bins: number;

  constructor(vectors: readonly Float64Array[], bins: number) {
    this.#vectors = vectors;
    this.#bins = bins;
  }

  get count(): number {
    return this.#vectors.length;
  }

  /** Σ values × vector for each vector, over the bins from `first` to `last`. */
  along(values: Float64Array, out: Float64Array, first = 0, last: number = this.#bins): void {
    const memory = this.#memory();
    const { kernel, vectors, factors, length, reach } = memory;
    // A loop, as elsewhere here: for so few numbers a subarray takes longer.
    for (let x = first; x < last; x++) memory.values[reach + x] = values[x] ?? 0;
    const from = memory.values.byteOffset + 8 * reach;
    kernel.along(from, vectors.byteOffset, this.count, length, first, last, factors.byteOffset);
    for (let k = 0; k < this.count; k++) out[k] = factors[k] ?? 0;
  }

  /** Adds each vector times its factor to the values. */
  add(factors: Float64Array, values: Float64Array): void {
    this.#addTimes(1, factors, values);
  }

  /** Takes each vector times its factor from the values. */
  take(factors: Float64Array, values: Float64Array): void {
    this.#addTimes(-1, factors, values);
  }

  #addTimes(sign: 1 | -1, factors: Float64Array, values: Float64Array): void {
    const memory = this.#memory();
    const { kernel, vectors, length, reach } = memory;
    memory.values.set(values, reach);
    for (let k = 0; k < this.count; k++) memory.factors[k] = sign * (factors[k] ?? 0);
    const from = memory.values.byteOffset + 8 * reach;
    kernel.addVectors(from, vectors.byteOffset, memory.factors.byteOffset, this.count, length);
    values.set(memory.values.subarray(reach, reach + this.#bins));
  }

  #memory(): Memory {
    const memory = memoryFor(this.#bins, this.count, 0);
    if (memory.owner !== this) {
      memory.vectors.fill(0);
      this.#vectors.forEach((vector, k) => {
        memory.vectors.set(vector, k * memory.length);
      });
      memory.owner = this;
    }
    return memory;
  }
}

/** Values ⊗ weights, which are the same on both sides, as if the values were 0 outside. */
export function smooth(values: Float64Array, weights: Float64Array, out: Float64Array): void {
  const middle = weights.length >> 1;
  const bins = values.length;
  const memory = memoryFor(bins, 0, middle);
  const { kernel, reach, length } = memory;
  memory.values.fill(0, 0, reach);
  memory.values.fill(0, reach + bins);
  memory.values.set(values, reach);
  memory.weights.set(weights.subarray(middle));
  const from = memory.values.byteOffset + 8 * reach;
  kernel.smooth(from, memory.weights.byteOffset, middle, length, memory.out.byteOffset);
  out.set(memory.out.subarray(0, bins));
}

function memoryFor(bins: number, count: number, reach: number): Memory {
  const length = 4 * Math.ceil(bins / 4);
  const known = memories.get(length);
  if (known !== undefined && known.most >= count && known.reach >= reach) return known;
  const most = Math.max(count, known?.most ?? MOST_VECTORS);
  const far = Math.max(reach, known?.reach ?? MOST_REACH);
  const pieces = [most * length, length + 2 * far, most, far + 1, length];
  const arena = new Arena(Arena.bytesFor(pieces.map((size) => 8 * size)));
  const kernel = instantiateKernel(kernelBinary, arena.memory);
  if (!isVectorKernel(kernel))
    throw new SaclaError("INTERNAL", "src/timing/kernel-binary.ts is not of kernels/timing.ts. Run npm run kernels.");
  const [vectors, values, factors, weights, out] = pieces.map((size) => arena.float64(size));
  const made = { kernel, length, most, reach: far, vectors, values, factors, weights, out, owner: undefined } as Memory;
  memories.set(length, made);
  return made;
}

/** Room that is made at once: of a drift, and of a smoothing. */
const MOST_VECTORS = 24;
const MOST_REACH = 64;
