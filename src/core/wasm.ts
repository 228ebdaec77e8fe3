/** The part of WebAssembly used here; the types of Node.js 20 do not have it, and those of browsers bring in the DOM. */
declare const WebAssembly: {
  Memory: new (descriptor: { initial: number }) => WasmMemory;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: { env: { memory: WasmMemory } }) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** A WebAssembly memory. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** A WebAssembly memory that hands out pieces and never takes them back: sized once, for work of known extent. */
export class Arena {
  readonly memory: WasmMemory;
  #used = 0;

  /** @param bytes - what will be asked for in all, each piece rounded up to 64 bytes */
  constructor(bytes: number) {
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) + 1 });
    // Address 0 stays unused, so that it can mean "none".
    this.#used = ALIGNMENT;
  }

  /** The address of `bytes` new, zeroed bytes, aligned for SIMD and cache lines. */
  allocate(bytes: number): number {
    const address = this.#used;
    this.#used += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    const missing = this.#used - this.memory.buffer.byteLength;
    // Growing detaches every view made before: callers size the arena for all they need.
    if (missing > 0) throw new RangeError(`the arena is ${missing} bytes too small`);
    return address;
  }

  float32(length: number): Float32Array {
    return new Float32Array(this.memory.buffer, this.allocate(length * 4), length);
  }

  float64(length: number): Float64Array {
    return new Float64Array(this.memory.buffer, this.allocate(length * 8), length);
  }

  uint16(length: number): Uint16Array {
    return new Uint16Array(this.memory.buffer, this.allocate(length * 2), length);
  }

  uint32(length: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, this.allocate(length * 4), length);
  }

  int32(length: number): Int32Array {
    return new Int32Array(this.memory.buffer, this.allocate(length * 4), length);
  }
}

const PAGE = 65_536;
const ALIGNMENT = 64;

/** The functions of a kernel over a memory. Kernels are a few kB, so compiling them at once costs under a millisecond. */
export function instantiateKernel(base64: string, memory: WasmMemory): Readonly<Record<string, unknown>> {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } }).exports;
}
