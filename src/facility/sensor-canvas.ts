import type { Random } from "../core/random.ts";
import { Arena, instantiateKernel } from "../core/wasm.ts";
import { aliasTable } from "./alias-table.ts";
import { type DarkPattern, makeDarkPattern } from "./dark.ts";
import { kernelBinary } from "./kernel-binary.ts";
import { noiseTable } from "./noise.ts";
import { mpccdParameters } from "./parameters.ts";
import type { Pattern } from "./pattern.ts";
import { chargeSharing, SHARING_SIZE } from "./photons.ts";

/** The functions of kernels/facility.ts. */
interface FacilityKernel {
  drawPedestal(pedestal: number, base: number, step: number, spread: number, random: number): void;
  drawDark(
    image: number,
    pedestal: number,
    ports: number,
    rows: number,
    rowNoise: number,
    noise: number,
    table: number,
    random: number,
  ): void;
  addPhotons(
    image: number,
    totals: number,
    lottery: number,
    ringOf: number,
    ringShare: number,
    rate: number,
    adu: number,
    rest: number,
    rings: number,
    sharing: number,
    tables: number,
    normals: number,
    random: number,
  ): number;
  addDensePhotons(
    image: number,
    expected: number,
    ringOf: number,
    ringShare: number,
    intensity: number,
    adu: number,
    changes: number,
    tables: number,
    normals: number,
    random: number,
  ): void;
}

/** Sensors whose tables (2 MB without light, 5 MB with) are kept: three octals. */
const SENSORS_KEPT = 24;
/** `ringOf` has 8 bits. */
const MOST_RINGS = 256;
/** Tables of Poisson numbers in the kernel: of means in quarters below 64, 128 numbers each. */
const [POISSON_TABLES, POISSON_NUMBERS] = [256, 128];

const { xsize, ysize, ports, rowNoiseAdu, pedestalAdu, pedestalStepAdu, fixedPatternAdu } = mpccdParameters;
const PIXELS = xsize * ysize;
const DARK_BYTES = 4 * PIXELS;
const LIGHT_BYTES = Arena.bytesFor([4 * PIXELS, 4 * PIXELS, PIXELS, PIXELS, 8 * ysize]);

/** A pattern in the memory of the kernel: overwritten when {@link SENSORS_KEPT} others have been used. */
export interface Light extends Pattern {
  /** Expected photons of each row. */
  readonly rowTotals: Float64Array;
  /** For drawing the column of a photon in its row: see {@link aliasTable}. */
  readonly lottery: Uint32Array;
}

/** One shot's light on a sensor. */
export interface Exposure {
  readonly aduPerPhoton: number;
  /** Pulse energy over nominal. */
  readonly intensity: number;
  /** Factor on each ring of the pattern. */
  readonly ringFactors: readonly number[];
  /** Rms width of the charge cloud, µm. */
  readonly cloudUm: number;
}

let shared: WeakRef<SensorCanvas> | undefined;

/** The canvas of this thread: facilities share it and its tables. */
export function sensorCanvas(): SensorCanvas {
  const canvas = shared?.deref() ?? new SensorCanvas();
  shared = new WeakRef(canvas);
  return canvas;
}

/** WebAssembly memory in which images of MPCCD sensors are drawn, with tables of the sensors used last. */
export class SensorCanvas {
  /** The image: whole ADU, row-major. */
  readonly image: Uint16Array;
  /** Mean of each port against the pedestal, ADU, for {@link drawDark}. */
  readonly portOffset: Float32Array;
  /** Noise that the last {@link drawDark} gave each row, ADU. */
  readonly rowOffset: Float32Array;
  readonly #kernel: FacilityKernel;
  readonly #arena: Arena;
  readonly #random: Uint32Array;
  /** The state of a Random while the kernel draws on. */
  readonly #stream: Int32Array;
  readonly #rings: Float64Array;
  readonly #sharing: Float32Array;
  readonly #normals: Float32Array;
  readonly #poisson: Uint32Array;
  readonly #dark: RecentTables<DarkPattern>;
  readonly #light: RecentTables<Light>;
  #cloudUm = NaN;

  constructor() {
    const small = [PIXELS * 2, ports * 4, ysize * 4, 8, 16, MOST_RINGS * 8, SHARING_SIZE * 8, noiseTable().byteLength];
    const tables = POISSON_TABLES * POISSON_NUMBERS * 4;
    const arena = new Arena(Arena.bytesFor([...small, tables]) + SENSORS_KEPT * (DARK_BYTES + LIGHT_BYTES));
    this.#arena = arena;
    this.#kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as FacilityKernel;
    this.image = arena.uint16(PIXELS);
    this.portOffset = arena.float32(ports);
    this.rowOffset = arena.float32(ysize);
    this.#random = arena.uint32(2);
    this.#stream = arena.int32(4);
    this.#rings = arena.float64(MOST_RINGS);
    this.#sharing = arena.float32(2 * SHARING_SIZE);
    this.#normals = arena.float32(noiseTable().length);
    this.#normals.set(noiseTable());
    this.#poisson = arena.uint32(POISSON_TABLES * POISSON_NUMBERS);
    fillPoissonTables(this.#poisson);
    this.#dark = new RecentTables(SENSORS_KEPT, () => arena.allocate(DARK_BYTES));
    this.#light = new RecentTables(SENSORS_KEPT, () => arena.allocate(LIGHT_BYTES));
  }

  /** What a sensor gives without light. The pedestal is overwritten when {@link SENSORS_KEPT} others have been used. */
  dark(sensorId: string): DarkPattern {
    return this.#dark.get(sensorId, (address) => {
      const pedestal = new Float32Array(this.#arena.memory.buffer, address, PIXELS);
      return makeDarkPattern(sensorId, pedestal, (random) => {
        this.#stream.set(random.state);
        const at = this.#stream.byteOffset;
        this.#kernel.drawPedestal(address, pedestalAdu, pedestalStepAdu, fixedPatternAdu, at);
        random.state.set(this.#stream);
      });
    });
  }

  /**
   * A pattern with its tables.
   * @param make - makes the pattern where that of `key` is not there
   */
  light(key: string, make: () => Pattern): Light {
    return this.#light.get(key, (address) => this.#lightAt(address, make()));
  }

  #lightAt(address: number, pattern: Pattern): Light {
    const { buffer } = this.#arena.memory;
    const expected = new Float32Array(buffer, address, PIXELS);
    const lottery = new Uint32Array(buffer, address + 4 * PIXELS, PIXELS);
    const ringOf = new Uint8Array(buffer, address + 8 * PIXELS, PIXELS);
    const ringShare = new Uint8Array(buffer, address + 9 * PIXELS, PIXELS);
    const rowTotals = new Float64Array(buffer, address + 10 * PIXELS, ysize);
    expected.set(pattern.expected);
    ringOf.set(pattern.ringOf);
    ringShare.set(pattern.ringShare);
    for (let row = 0; row < ysize; row++) {
      const [from, to] = [row * xsize, (row + 1) * xsize];
      rowTotals[row] = aliasTable(expected.subarray(from, to), lottery.subarray(from, to));
    }
    return { ...pattern, expected, ringOf, ringShare, rowTotals, lottery };
  }

  /** Begins the random numbers of an image. */
  seed(random: Random): void {
    this.#random[0] = random.int32();
    this.#random[1] = random.int32();
  }

  /** Draws pedestal and noise, `noise` ADU rms in each pixel, to 4.17 σ. */
  drawDark({ pedestal }: DarkPattern, noise: number): void {
    this.#kernel.drawDark(
      this.image.byteOffset,
      pedestal.byteOffset,
      this.portOffset.byteOffset,
      this.rowOffset.byteOffset,
      rowNoiseAdu,
      noise,
      this.#normals.byteOffset,
      this.#random.byteOffset,
    );
  }

  /** Adds a shot's photons one by one, clipped at saturation. Gives their number. */
  addPhotons(light: Light, exposure: Exposure): number {
    const { aduPerPhoton, intensity, ringFactors } = exposure;
    // Rings and the rest are drawn together at the highest of their rates, then thinned.
    const highest = Math.max(1, ...ringFactors);
    const allStay = ringFactors.every((factor) => factor === 1);
    this.#fillRings(ringFactors, 255 * highest);
    this.#fillSharing(exposure.cloudUm);
    return this.#kernel.addPhotons(
      this.image.byteOffset,
      light.rowTotals.byteOffset,
      light.lottery.byteOffset,
      light.ringOf.byteOffset,
      light.ringShare.byteOffset,
      intensity * highest,
      aduPerPhoton,
      1 / highest,
      allStay ? 0 : this.#rings.byteOffset,
      this.#sharing.byteOffset,
      this.#poisson.byteOffset,
      this.#normals.byteOffset,
      this.#random.byteOffset,
    );
  }

  /** As {@link addPhotons} for images so full that single photons do not show: a count per pixel, no charge sharing. */
  addDensePhotons(light: Light, { aduPerPhoton, intensity, ringFactors }: Exposure): void {
    this.#fillRings(ringFactors, 255);
    this.#kernel.addDensePhotons(
      this.image.byteOffset,
      light.expected.byteOffset,
      light.ringOf.byteOffset,
      light.ringShare.byteOffset,
      intensity,
      aduPerPhoton,
      this.#rings.byteOffset,
      this.#poisson.byteOffset,
      this.#normals.byteOffset,
      this.#random.byteOffset,
    );
  }

  #fillRings(factors: readonly number[], per: number): void {
    factors.forEach((factor, ring) => {
      this.#rings[ring] = (factor - 1) / per;
    });
    if (factors.length === 0) this.#rings[0] = 0;
  }

  #fillSharing(cloudUm: number): void {
    if (cloudUm !== this.#cloudUm) this.#sharing.set(chargeSharing(cloudUm));
    this.#cloudUm = cloudUm;
  }
}

/** Poisson numbers of means 0, 1/4, 2/4, …: their chances from one another, without an exponential of the machine. */
function fillPoissonTables(out: Uint32Array): void {
  const quarter = 0.7788007830714049; // e^(−1/4)
  const chances = new Float64Array(POISSON_NUMBERS);
  let none = 1;
  for (let k = 0; k < POISSON_TABLES; k++, none *= quarter) {
    chances[0] = none;
    for (let n = 1; n < POISSON_NUMBERS; n++) chances[n] = ((chances[n - 1] ?? 0) * k) / 4 / n;
    aliasTable(chances, out.subarray(k * POISSON_NUMBERS, (k + 1) * POISSON_NUMBERS));
  }
}

/** The values used last, in a fixed number of places of memory: one whose place another has taken is made again. */
class RecentTables<T> {
  readonly #entries = new Map<string, { readonly value: T; readonly address: number; usedAt: number }>();
  readonly #most: number;
  readonly #allocate: () => number;
  #clock = 0;

  constructor(most: number, allocate: () => number) {
    this.#most = most;
    this.#allocate = allocate;
  }

  get(key: string, make: (address: number) => T): T {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.usedAt = ++this.#clock;
      return known.value;
    }
    const address = this.#entries.size < this.#most ? this.#allocate() : this.#dropOldest();
    const value = make(address);
    this.#entries.set(key, { value, address, usedAt: ++this.#clock });
    return value;
  }

  #dropOldest(): number {
    const [key, { address }] = [...this.#entries].reduce((a, b) => (a[1].usedAt < b[1].usedAt ? a : b));
    this.#entries.delete(key);
    return address;
  }
}
