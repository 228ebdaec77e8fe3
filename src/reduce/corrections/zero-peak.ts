import { Arena, instantiateKernel } from "../../core/wasm.ts";
import { LARGEST_CLOUD, SMALLEST_CLOUD, shareExponent } from "./charge-shares.ts";
import { kernelBinary } from "./kernel-binary.ts";
import { type Brightness, type Charge, LITTLE, type LightBlocks, MOST_VALUES } from "./light-blocks.ts";

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
/** Part of the light that the level may be off by: where it is even, where not, and where there is little. */
const [OF_EVEN, OF_UNEVEN, OF_LITTLE] = [0.003, 0.01, 0.015];
const TURNS = 24;
/** The window, and the charge of a photon and its cloud, stay as they are from this turn on. */
const FIXED = 12;

/** Of the waves: multiples of the first. */
const STEP = (2 * Math.PI) / PERIOD;

/** The functions of kernels/zero-peak.ts; addresses in bytes. */
export interface WaveKernel {
  peakWaves(
    waves: number,
    first: number,
    exponents: number,
    weights: number,
    values: number,
    photons: number,
    step: number,
    extra: number,
    noise: number,
    photon: number,
    place: number,
    parts: number,
  ): void;
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
  peakScores(low: number, high: number, bins: number, sums: number, counts: number, out: number): void;
}

/** Where the kernel works. */
interface WaveMemory {
  readonly kernel: WaveKernel;
  /** Real and imaginary parts of the exponents of a photon per pixel, and their derivatives by the cloud. */
  readonly exponents: Float64Array;
  /** Of the light of a port, and the histogram of its pixels. */
  readonly weights: Float64Array;
  readonly counts: Float64Array;
  /** The peak and its derivatives by noise, cloud and level: real and imaginary parts of the waves of each. */
  readonly parts: Float64Array;
  /** The same in the bins, 2 × {@link HALF} of them. */
  readonly sums: Float64Array;
  readonly scores: Float64Array;
  /** Of every wave at every bin. */
  readonly cosines: Float64Array;
  readonly sines: Float64Array;
}

let memory: WaveMemory | undefined;

/** Made once. */
function waveMemory(): WaveMemory {
  if (memory !== undefined) return memory;
  const table = 2 * HALF * WAVES;
  const lengths = [4 * WAVES, MOST_VALUES, 2 * REACH, 8 * WAVES, 8 * HALF, 9, table, table];
  const arena = new Arena(Arena.bytesFor(lengths.map((length) => 8 * length)));
  const kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as WaveKernel;
  const take = (length: number): Float64Array => arena.float64(length);
  memory = {
    kernel,
    exponents: take(4 * WAVES),
    weights: take(MOST_VALUES),
    counts: take(2 * REACH),
    parts: take(8 * WAVES),
    sums: take(8 * HALF),
    scores: take(9),
    cosines: take(table),
    sines: take(table),
  };
  for (let i = 0; i < table; i++) {
    const phase = ((i % (2 * HALF)) + 0.5 - HALF) * STEP * Math.floor(i / (2 * HALF));
    memory.cosines[i] = Math.cos(phase);
    memory.sines[i] = Math.sin(phase);
  }
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
  const shared: Shared = {
    noise: NOISE,
    cloud: CLOUD,
    expectedCloud: CLOUD,
    photon: PHOTON,
    charge: undefined,
    knownFor: [0, 0],
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
    const part = isEven ? OF_EVEN : light > LITTLE * shared.photon ? OF_UNEVEN : OF_LITTLE;
    return { level: port.level, error: errors.get(port) ?? NaN, unsure: part * Math.max(0, light) };
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
  const { exponents } = waveMemory();
  const { real, imaginary } = shareExponent(WAVES, STEP, expectedCloud, photon, MOST_SHARE);
  const more = shareExponent(WAVES, STEP, 1.1 * expectedCloud, photon, MOST_SHARE);
  const step = 0.1 * expectedCloud;
  for (let k = 0; k < WAVES; k++) {
    exponents[k] = real[k] ?? NaN;
    exponents[WAVES + k] = imaginary[k] ?? NaN;
    exponents[2 * WAVES + k] = ((more.real[k] ?? NaN) - (real[k] ?? NaN)) / step;
    exponents[3 * WAVES + k] = ((more.imaginary[k] ?? NaN) - (imaginary[k] ?? NaN)) / step;
  }
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

function scoresOf({ base, level, brightness, low, high, histogram }: Port, shared: Shared): Scores {
  const { kernel, exponents, weights, counts, parts, sums, scores, cosines, sines } = waveMemory();
  weights.set(brightness.weights);
  counts.set(histogram);
  kernel.peakWaves(
    WAVES,
    STEP,
    exponents.byteOffset,
    weights.byteOffset,
    brightness.values,
    // Blocks without light scatter around 0.
    Math.max(-LEAST_LIGHT, (brightness.first - level) / shared.photon),
    brightness.step / shared.photon,
    shared.cloud - shared.expectedCloud,
    shared.noise,
    shared.photon,
    // Bins of the waves begin at `base`; a wave turns by half its phase from there to the middle.
    level - base - HALF,
    parts.byteOffset,
  );
  const [table, turns] = [cosines.byteOffset, sines.byteOffset];
  kernel.sumWaves(low, high, parts.byteOffset, WAVES, 2 * HALF, table, turns, sums.byteOffset);
  kernel.peakScores(low, high, 2 * HALF, sums.byteOffset, counts.byteOffset + 8 * (base + REACH), scores.byteOffset);
  const [noise = NaN, cloud = NaN, byLevel = NaN, nn = NaN, nc = NaN, cc = NaN, nl = NaN, cl = NaN, ll = NaN] = scores;
  return { slope: [noise, cloud, byLevel], curvature: [nn, nc, cc, nl, cl, ll] };
}
