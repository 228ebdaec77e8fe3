/**
 * The part of WebAssembly used here; the types of Node.js 20 do not have it, and those of browsers bring in the DOM.
 */
declare const WebAssembly: {
  Memory: new (descriptor: { initial: number }) => WasmMemory;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (
    module: object,
    imports: { env: { memory: WasmMemory } },
  ) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** A WebAssembly memory. */
interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** A WebAssembly memory that hands out pieces: sized once, for work of known extent. */
export class Arena {
  readonly memory: WasmMemory;
  // Address 0 stays unused, so that it can mean "none".
  #used = ALIGNMENT;
  /** From here on memory was never handed out, so it is still zero. */
  #fresh = ALIGNMENT;

  /**
   * @param bytes - what will be asked for in all, each piece rounded up to 64 bytes: see {@link Arena.bytesFor}
   * @throws RangeError when that is above 4 GiB or there is no memory left
   */
  constructor(bytes: number) {
    const pages = Math.ceil(bytes / PAGE) + 1;
    if (pages > MAX_PAGES) throw new RangeError(`an arena of ${bytes} bytes is above 4 GiB`);
    this.memory = new WebAssembly.Memory({ initial: pages });
  }

  /** The bytes that pieces take in an arena. */
  static bytesFor(pieces: readonly number[]): number {
    return pieces.reduce((sum, bytes) => sum + roundUp(bytes), 0);
  }

  /**
   * The address of `bytes` new bytes, aligned for SIMD and cache lines.
   * @param zeroed - false for memory that will be written before it is read: to zero many megabytes takes a while
   */
  allocate(bytes: number, zeroed = true): number {
    const address = this.#used;
    const end = address + roundUp(bytes);
    const missing = end - this.memory.buffer.byteLength;
    // Growing detaches every view made before: callers size the arena for all they need.
    if (missing > 0) throw new RangeError(`the arena is ${missing} bytes too small`);
    if (zeroed && address < this.#fresh)
      new Uint8Array(this.memory.buffer, address, Math.min(end, this.#fresh) - address).fill(0);
    this.#used = end;
    this.#fresh = Math.max(this.#fresh, end);
    return address;
  }

  /** Bytes that can still be handed out. */
  get room(): number {
    return this.memory.buffer.byteLength - this.#used;
  }

  /** Where the next piece will be: what {@link Arena.rewind} goes back to. */
  get mark(): number {
    return this.#used;
  }

  /** Takes back every piece handed out since the mark; nobody may use them any more. */
  rewind(mark: number): void {
    this.#used = mark;
  }

  float32(length: number, zeroed = true): Float32Array {
    return new Float32Array(this.memory.buffer, this.allocate(length * 4, zeroed), length);
  }

  float64(length: number, zeroed = true): Float64Array {
    return new Float64Array(this.memory.buffer, this.allocate(length * 8, zeroed), length);
  }

  uint8(length: number, zeroed = true): Uint8Array {
    return new Uint8Array(this.memory.buffer, this.allocate(length, zeroed), length);
  }

  uint16(length: number, zeroed = true): Uint16Array {
    return new Uint16Array(this.memory.buffer, this.allocate(length * 2, zeroed), length);
  }

  uint32(length: number, zeroed = true): Uint32Array {
    return new Uint32Array(this.memory.buffer, this.allocate(length * 4, zeroed), length);
  }

  int32(length: number): Int32Array {
    return new Int32Array(this.memory.buffer, this.allocate(length * 4), length);
  }
}

const PAGE = 65_536;
const MAX_PAGES = 65_536;
const ALIGNMENT = 64;

function roundUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

const modules = new Map<string, object>();

/**
 * The functions of a kernel over a memory. Kernels are a few kB, so compiling them at once costs under a millisecond,
 * the first time.
 */
export function instantiateKernel(base64: string, memory: WasmMemory): Readonly<Record<string, unknown>> {
  let module = modules.get(base64);
  if (module === undefined) {
    module = new WebAssembly.Module(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
    modules.set(base64, module);
  }
  return new WebAssembly.Instance(module, { env: { memory } }).exports;
}

/** Whether a kernel has all these functions. */
export function hasFunctions(exports: object, names: readonly string[]): boolean {
  const functions = new Map(Object.entries(exports));
  return names.every((name) => typeof functions.get(name) === "function");
}
