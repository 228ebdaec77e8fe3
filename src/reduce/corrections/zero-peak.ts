import { Arena, instantiateKernel } from "../../core/wasm.ts";
import { LARGEST_CLOUD, SMALLEST_CLOUD, shareExponent } from "./charge-shares.ts";
import { kernelBinary } from "./kernel-binary.ts";
import type { Brightness, Charge, LightBlocks } from "./light-blocks.ts";

// All charges here are in 30ths of `withinAdu`: 1 ADU for an MPCCD.

/** Read noise, and how far that is uncertain before the image is looked at. */
const [NOISE, NOISE_ERROR] = [11.1, 0.55];
/** What the cloud found from covariances is uncertain by, relative. */
const CLOUD_ERROR = 0.05;
/** A photon before it is known better, and between what it is believed. */
const [PHOTON, LEAST_PHOTON, LARGEST_PHOTON] = [100, 40, 1000];
const CLOUD = 0.1;
/** Charge up to which a pixel still counts as one without a photon of its own. */
const MOST_SHARE = 60;
/** Of the histogram of pixels: it reaches this far on both sides of 0. */
export const REACH = 128;
/** In the fit: from this many σ below the level to this many above. */
const [BELOW, ABOVE] = [4, 1];
/** The window lies within this many bins on both sides of the level. */
const HALF = 64;
/** The sums of waves repeat after this many bins; the read noise damps faster waves to nothing. */
const [PERIOD, WAVES] = [512, 40];
/** Light of a block may seem to be below 0 by so many photons per pixel. */
const LEAST_LIGHT = 0.2;
/** Part of the light that the level may be off by, where it is even and where not (docs/reductions.md). */
const [OF_EVEN, OF_UNEVEN] = [0.003, 0.01];
const TURNS = 24;
/** The window, and the charge of a photon and its cloud, stay as they are from this turn on. */
const FIXED = 12;

/** Of the waves: multiples of the first. */
const STEP = (2 * Math.PI) / PERIOD;
const frequencies = Float64Array.from({ length: WAVES }, (_, k) => STEP * k);

/** The function of kernels/common-mode.ts that adds up waves; addresses in bytes. */
interface WaveKernel {
  sumWaves(
    low: number,
    high: number,
    parts: number,
    waves: number,
    bins: number,
    cosines: number,
    sines: number,
    sums: number,
  ): void;
}

/** The peak and its derivatives by noise, cloud and level, as waves and in bins. */
interface WaveMemory {
  readonly kernel: WaveKernel;
  /** Real and imaginary parts of the waves of each. */
  readonly parts: Float64Array;
  /** Each in the bins, 2 × {@link HALF} of them. */
  readonly bins: readonly Float64Array[];
  /** Of every wave at every bin. */
  readonly cosines: Float64Array;
  readonly sines: Float64Array;
}

let memory: WaveMemory | undefined;

/** Made once. */
function waveMemory(): WaveMemory {
  if (memory !== undefined) return memory;
  const table = 2 * HALF * WAVES;
  const arena = new Arena(Arena.bytesFor([8 * 8 * WAVES, 8 * 8 * HALF, 8 * table, 8 * table]));
  const kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as WaveKernel;
  const [parts, sums] = [arena.float64(8 * WAVES), arena.float64(8 * HALF)];
  const [cosines, sines] = [arena.float64(table), arena.float64(table)];
  for (let i = 0; i < table; i++) {
    const phase = ((i % (2 * HALF)) + 0.5 - HALF) * (frequencies[Math.floor(i / (2 * HALF))] ?? 0);
    cosines[i] = Math.cos(phase);
    sines[i] = Math.sin(phase);
  }
  const bins = Array.from({ length: 4 }, (_, which) => sums.subarray(2 * HALF * which, 2 * HALF * (which + 1)));
  memory = { kernel, parts, bins, cosines, sines };
  return memory;
}

/** What is known of an image. */
interface ImageSums {
  /** Pixels by value, for each port: 2 × {@link REACH} bins of 1. */
  readonly histograms: readonly Float64Array[];
  readonly blocks: LightBlocks;
}

/** What was found of a port. */
interface PortPeak {
  readonly level: number;
  /** Standard error, as the fit says. */
  readonly error: number;
  /** What light may have moved the level by, in each image alike. */
  readonly unsure: number;
}

const NO_LIGHT: Brightness = { first: 0, step: 0, values: 1, weights: Float64Array.of(1) };

/** Of one port: the levels, and what is being fitted. */
interface Port {
  readonly index: number;
  readonly histogram: Float64Array;
  brightness: Brightness;
  /** Value of the first bin of the waves, and the bins of the window. */
  base: number;
  level: number;
  low: number;
  high: number;
}

/** What all ports have in common. */
interface Shared {
  noise: number;
  cloud: number;
  expectedCloud: number;
  photon: number;
  /** As the covariances say; not known where there is too little light. */
  charge: Charge | undefined;
  /** Cloud and photon of the exponents. */
  knownFor: readonly [cloud: number, photon: number];
  exponent: { real: Float64Array; imaginary: Float64Array };
  byCloud: { real: Float64Array; imaginary: Float64Array };
}

/**
 * Levels of the ports of one image: the place of the peak of pixels without a photon of their own. Its left side and
 * the part up to 1 σ above it are fitted with read noise and, as a term, what such pixels have from photons in their
 * neighborhood (the tail of the charge cloud): its size follows from the light of each block, and cloud and charge of a
 * photon from the covariances of neighboring pixels. Gives level and error of each port; NaN where it cannot be found.
 */
export function zeroPeaks({ histograms, blocks }: ImageSums): PortPeak[] {
  const ports = histograms.map((histogram, p): Port => {
    const level = leftFlank(histogram);
    return { index: p, histogram, brightness: NO_LIGHT, base: 0, level, low: 0, high: 0 };
  });
  const live = ports.filter(({ level }) => Number.isFinite(level));
  const none = { real: new Float64Array(WAVES), imaginary: new Float64Array(WAVES) };
  const shared: Shared = {
    noise: NOISE,
    cloud: CLOUD,
    expectedCloud: CLOUD,
    photon: PHOTON,
    charge: undefined,
    knownFor: [0, 0],
    exponent: none,
    byCloud: none,
  };
  let errors = new Map<Port, number>();
  for (let turn = 0; turn < TURNS && live.length > 0; turn++) {
    // In the turns 0, 1, 3 and 7: levels move less and less.
    if (turn < FIXED && (turn & (turn + 1)) === 0) findLight(shared, ports, blocks);
    if (turn < FIXED) for (const port of live) placeWindow(port, shared.noise);
    const found = improve(live, shared);
    errors = found.errors;
    if (turn > 3 && found.moved < 0.01) break;
  }
  return ports.map((port) => {
    const { light, isEven } = blocks.lightOfPort(port.index, port.level, shared.photon);
    const unsure = (isEven ? OF_EVEN : OF_UNEVEN) * Math.max(0, light);
    return { level: port.level, error: errors.get(port) ?? NaN, unsure };
  });
}

/** The right half of a bell of 4 bins rms. */
const blur = Float64Array.from({ length: 9 }, (_, k) => Math.exp(-(k ** 2) / 32));
const smooth = new Float64Array(2 * REACH);

/** Where the histogram, from the left, has risen to a fifth of its maximum, and 1.8 σ on. */
function leftFlank(histogram: Float64Array): number {
  smooth.fill(0);
  for (let i = 0; i < histogram.length; i++) {
    const n = histogram[i] ?? 0;
    if (n === 0) continue;
    smooth[i] = (smooth[i] ?? 0) + n;
    for (let k = 1; k < 9; k++) {
      const part = n * (blur[k] ?? 0);
      if (i >= k) smooth[i - k] = (smooth[i - k] ?? 0) + part;
      if (i + k < smooth.length) smooth[i + k] = (smooth[i + k] ?? 0) + part;
    }
  }
  let most = 0;
  for (let i = REACH - 60; i < REACH + 60; i++) most = Math.max(most, smooth[i] ?? 0);
  if (most === 0) return NaN;
  const start = smooth.findIndex((value) => value > most / 5);
  return start + 0.5 - REACH + 1.8 * Math.hypot(NOISE, 4);
}

function placeWindow(port: Port, noise: number): void {
  port.base = Math.floor(port.level) - HALF;
  const bin = (value: number): number => Math.floor(value) - port.base;
  const lowest = Math.max(-REACH, Math.floor(port.level - BELOW * noise));
  port.low = bin(lowest);
  port.high = Math.min(bin(port.level + ABOVE * noise), REACH - port.base);
}

/** Light of the ports, charge of a photon and size of its cloud. */
function findLight(shared: Shared, ports: readonly Port[], blocks: LightBlocks): void {
  const levels = ports.map(({ level }) => level);
  const found = blocks.chargeOfPhoton(levels, shared.noise, shared.charge);
  shared.charge = found;
  if (found !== undefined) {
    shared.photon = Math.min(LARGEST_PHOTON, Math.max(LEAST_PHOTON, found.photon));
    shared.expectedCloud = Math.min(LARGEST_CLOUD / 1.1, Math.max(SMALLEST_CLOUD, found.cloud));
  }
  for (const port of ports) {
    if (Number.isFinite(port.level))
      port.brightness = blocks.brightnessOf(port.index, port.level, shared.photon, shared.noise);
  }
  const { expectedCloud, photon } = shared;
  const [knownCloud, knownPhoton] = shared.knownFor;
  if (Math.abs(photon / knownPhoton - 1) < 0.003 && Math.abs(expectedCloud / knownCloud - 1) < 0.003) return;
  shared.knownFor = [expectedCloud, photon];
  shared.exponent = shareExponent(WAVES, STEP, expectedCloud, photon, MOST_SHARE);
  const more = shareExponent(WAVES, STEP, 1.1 * expectedCloud, photon, MOST_SHARE);
  const slope = (after: Float64Array, before: Float64Array): Float64Array =>
    after.map((value, k) => (value - (before[k] ?? 0)) / (0.1 * expectedCloud));
  shared.byCloud = {
    real: slope(more.real, shared.exponent.real),
    imaginary: slope(more.imaginary, shared.exponent.imaginary),
  };
}

/** Sums over the window of a port: slopes of the likelihood and its curvature, for noise, cloud and level. */
interface Scores {
  readonly slope: readonly [number, number, number];
  /** noise², noise·cloud, cloud², noise·level, cloud·level, level². */
  readonly curvature: readonly [number, number, number, number, number, number];
}

/** One step of Fisher's scoring for the levels of all ports, the read noise and the cloud. */
function improve(ports: readonly Port[], shared: Shared): { moved: number; errors: Map<Port, number> } {
  let [noise, cloud] = [
    (NOISE - shared.noise) / NOISE_ERROR ** 2,
    (shared.expectedCloud - shared.cloud) / (CLOUD_ERROR * shared.expectedCloud) ** 2,
  ];
  let [nn, nc, cc] = [1 / NOISE_ERROR ** 2, 0, 1 / (CLOUD_ERROR * shared.expectedCloud) ** 2];
  const all = ports.map((port) => scoresOf(port, shared));
  for (const { slope, curvature } of all) {
    const [noise2, noiseCloud, cloud2, noiseLevel, cloudLevel, level2] = curvature;
    noise += slope[0] - (noiseLevel * slope[2]) / level2;
    cloud += slope[1] - (cloudLevel * slope[2]) / level2;
    nn += noise2 - noiseLevel ** 2 / level2;
    nc += noiseCloud - (noiseLevel * cloudLevel) / level2;
    cc += cloud2 - cloudLevel ** 2 / level2;
  }
  const determinant = nn * cc - nc * nc;
  const stepNoise = (cc * noise - nc * cloud) / determinant;
  const stepCloud = (nn * cloud - nc * noise) / determinant;
  const steps = all.map(
    ({ slope, curvature }) => (slope[2] - curvature[3] * stepNoise - curvature[4] * stepCloud) / curvature[5],
  );
  const largest = Math.max(...steps.map(Math.abs));
  const part = Math.min(1, 2 / Math.abs(stepNoise), 3 / largest, 0.02 / Math.abs(stepCloud));
  shared.noise = Math.max(NOISE / 3, shared.noise + part * stepNoise);
  shared.cloud = Math.min(LARGEST_CLOUD, Math.max(SMALLEST_CLOUD, shared.cloud + part * stepCloud));
  const errors = new Map<Port, number>();
  for (const [p, port] of ports.entries()) {
    port.level += part * (steps[p] ?? NaN);
    const [, , , a = 0, b = 0, level2 = NaN] = all[p]?.curvature ?? [];
    const common = (a * a * cc - 2 * a * b * nc + b * b * nn) / determinant;
    errors.set(port, Math.sqrt(1 / level2 + common / level2 ** 2));
  }
  return { moved: largest, errors };
}

function scoresOf(port: Port, shared: Shared): Scores {
  const { bins } = evaluate(port, shared);
  const [peak, byNoise, byCloud, byLevel] = bins as [Float64Array, Float64Array, Float64Array, Float64Array];
  const { low, high } = port;
  let [counted, expected] = [0, 0];
  for (let j = low; j < high; j++) {
    counted += port.histogram[j + port.base + REACH] ?? 0;
    expected += peak[j] ?? 0;
  }
  const scale = counted / expected;
  const slopes = [byNoise, byCloud, byLevel];
  // The height of the peak is free: derivatives are taken along it.
  const along = slopes.map((slope) => {
    let sum = 0;
    for (let j = low; j < high; j++) sum += slope[j] ?? 0;
    return sum / expected;
  });
  const slope: [number, number, number] = [0, 0, 0];
  const curvature: [number, number, number, number, number, number] = [0, 0, 0, 0, 0, 0];
  for (let j = low; j < high; j++) {
    const m = peak[j] ?? NaN;
    const excess = (port.histogram[j + port.base + REACH] ?? 0) / m;
    const n = (byNoise[j] ?? 0) - (along[0] ?? 0) * m;
    const c = (byCloud[j] ?? 0) - (along[1] ?? 0) * m;
    const l = (byLevel[j] ?? 0) - (along[2] ?? 0) * m;
    slope[0] += n * excess;
    slope[1] += c * excess;
    slope[2] += l * excess;
    const weight = scale / m;
    curvature[0] += n * n * weight;
    curvature[1] += n * c * weight;
    curvature[2] += c * c * weight;
    curvature[3] += n * l * weight;
    curvature[4] += c * l * weight;
    curvature[5] += l * l * weight;
  }
  return { slope, curvature };
}

function evaluate({ base, level, brightness, low, high }: Port, shared: Shared): WaveMemory {
  const { weights, values } = brightness;
  const last = values - 1;
  // Blocks without light scatter around 0.
  const photons = Math.max(-LEAST_LIGHT, (brightness.first - level) / shared.photon);
  const step = brightness.step / shared.photon;
  const extra = shared.cloud - shared.expectedCloud;
  const memory = waveMemory();
  const { kernel, parts, bins, cosines, sines } = memory;
  // Bins of the waves begin at `base`; a wave turns by half its phase from there to the middle.
  const place = level - base - HALF;
  for (let k = 0; k < WAVES; k++) {
    const f = frequencies[k] ?? 0;
    const [cr, ci] = [shared.byCloud.real[k] ?? 0, shared.byCloud.imaginary[k] ?? 0];
    const [er, ei] = [(shared.exponent.real[k] ?? 0) + extra * cr, (shared.exponent.imaginary[k] ?? 0) + extra * ci];
    // Of pixels with `first` light, and what one more `step` of light multiplies it by.
    const size = (k === 0 ? 0.5 : 1) * Math.exp((-(shared.noise ** 2) * f * f) / 2 + photons * er);
    const phase = photons * ei - f * place;
    const [x, y] = [size * Math.cos(phase), size * Math.sin(phase)];
    const more = last === 0 ? 0 : Math.exp(step * er);
    const zr = last === 0 ? 0 : more * Math.cos(step * ei);
    const zi = last === 0 ? 0 : more * Math.sin(step * ei);
    // Σ weight z^n and Σ n weight z^n, by Horner's rule.
    let sr = weights[last] ?? 0;
    let si = 0;
    let nr = last * sr;
    let ni = 0;
    for (let n = last - 1; n >= 0; n--) {
      const weight = weights[n] ?? 0;
      const s = sr * zr - si * zi + weight;
      const m = nr * zr - ni * zi + n * weight;
      si = sr * zi + si * zr;
      ni = nr * zi + ni * zr;
      sr = s;
      nr = m;
    }
    const [a, b] = [x * sr - y * si, x * si + y * sr];
    // The derivative by the exponent.
    const [ar, ai] = [photons * a + step * (x * nr - y * ni), photons * b + step * (x * ni + y * nr)];
    const byNoise = -shared.noise * f * f;
    parts[k] = a;
    parts[WAVES + k] = b;
    parts[2 * WAVES + k] = a * byNoise;
    parts[3 * WAVES + k] = b * byNoise;
    parts[4 * WAVES + k] = ar * cr - ai * ci;
    parts[5 * WAVES + k] = ar * ci + ai * cr;
    const [levelReal, levelImaginary] = [-er / shared.photon, -f - ei / shared.photon];
    parts[6 * WAVES + k] = a * levelReal - b * levelImaginary;
    parts[7 * WAVES + k] = a * levelImaginary + b * levelReal;
  }
  const sums = bins[0]?.byteOffset ?? 0;
  kernel.sumWaves(low, high, parts.byteOffset, WAVES, 2 * HALF, cosines.byteOffset, sines.byteOffset, sums);
  const peak = bins[0] ?? parts;
  for (let j = low; j < high; j++) peak[j] = Math.max(peak[j] ?? 0, 1e-9);
  return memory;
}
