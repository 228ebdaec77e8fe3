import { Random } from "../../core/random.ts";
import { normalCdf } from "../../core/special-functions.ts";
import { DropletFinder, SPECTRUM_BINS } from "./droplet-finder.ts";

/** Photons of an exposure after correction, and what the correction is. Errors are 1 σ. */
export interface DropletEfficiency {
  /** In all shots. */
  readonly photons: number;
  /** Of the correction and of the chance which photons are lost; not the Poisson error of the light. */
  readonly photonsError: number;
  /** Photons found for each photon that came, without those made by the read noise. */
  readonly efficiency: number;
  readonly efficiencyError: number;
  /** Rms of the charge cloud in pixels, from how much of a photon its brightest pixel has. */
  readonly cloudPx: number;
}

/** What was found, in photons. */
interface Found {
  readonly seed: number;
  readonly low: number;
  readonly noise: number;
  readonly falsePerPixel: number;
  /** In each shot. */
  readonly perShot: Float64Array;
  /** How many droplets they were found in. */
  readonly droplets: number;
  /** Of an image. */
  readonly rows: number;
  readonly columns: number;
  /** Droplets of one photon, and the mean of their brightest pixels. */
  readonly singles: number;
  readonly brightest: number;
}

const LEAST_SINGLES = 200;
/** Simulated photons, in images of so many pixels on each side, of at least and at most this many photons per pixel. */
const [PHOTONS, SIDE, LEAST_DENSITY, LARGEST_DENSITY] = [20_000, 100, 0.02, 1];
/** How many times as many are simulated with the cloud that was found: their chance is in every result. */
const LAST = 5;
/** Shots of so much more light are simulated apart. */
const BRIGHTER = 2;
/** Clouds that are looked at, rms in pixels. */
const [SMALLEST, LARGEST] = [0.005, 0.3];
const TURNS = 4;
/** How often the density is set anew, and how much more than its mean it may be where light is uneven. */
const [DENSITIES, LARGEST_UNEVENNESS] = [2, 5];
/** Rms of the brightest pixel of single photons. */
const SPREAD = 0.2;
/** Share of the loss that the shape of the cloud is worth: the depth at which photons stop varies. */
const SHAPE = 0.05;

/**
 * How many photons the thresholds lose, from a simulation of what was found: photons at random places, a Gaussian
 * cloud, the same read noise and thresholds. The cloud is the one whose single photons have as much in their brightest
 * pixel as those found. The photons per pixel are those of the shots, which differ, times what makes droplets of as
 * many photons as those found, because photons lie closer where light is uneven: speckle, spots.
 */
export function dropletEfficiency(found: Found): DropletEfficiency | null {
  if (Number.isNaN(found.noise) || !(found.singles >= LEAST_SINGLES)) return null;
  const { perShot, falsePerPixel, rows, columns } = found;
  const pixels = rows * columns;
  const made = falsePerPixel * pixels * perShot.length;
  const number = perShot.reduce((sum, n) => sum + n, 0) - made;
  const exposures = exposuresOf(perShot, falsePerPixel * pixels, pixels);
  let [uneven, cloud] = [1, cloudAt(1, exposures, found)];
  for (let round = 0; round < DENSITIES; round++) {
    const { perDroplet } = simulateAll(cloud, uneven, exposures, found, PHOTONS);
    const closer = (number / (found.droplets - made) - 1) / (perDroplet - 1);
    if (!Number.isFinite(closer)) break;
    uneven = Math.min(LARGEST_UNEVENNESS, Math.max(1, uneven * closer));
    cloud = cloudAt(uneven, exposures, found);
  }
  // The same random numbers in a cloud that is a little sharper and wider: the slope there, without their chance.
  const sharp = simulateAll(0.9 * cloud, uneven, exposures, found, PHOTONS);
  const wide = simulateAll(1.1 * cloud, uneven, exposures, found, PHOTONS);
  const last = simulateAll(cloud, uneven, exposures, found, LAST * PHOTONS);
  const per = (wide.efficiency - sharp.efficiency) / (wide.brightest - sharp.brightest);
  const slope = Number.isFinite(per) ? per : 0;
  const efficiency = last.efficiency + slope * (found.brightest - last.brightest);
  const lost = Math.abs(1 - efficiency);
  const efficiencyError = Math.hypot(
    slope * SPREAD * Math.sqrt(1 / found.singles + 1 / (LAST * PHOTONS)),
    Math.sqrt((lost + 0.01) / (LAST * PHOTONS)),
    SHAPE * lost,
  );
  const photons = number / efficiency;
  const chance = Math.sqrt(photons * lost * efficiency + 2 * made) / efficiency;
  return {
    photons,
    photonsError: Math.hypot(chance, (photons * efficiencyError) / efficiency),
    efficiency,
    efficiencyError,
    cloudPx: cloud,
  };
}

/** Shots that are about equally bright: their photons per pixel, and their share of all photons. */
interface Exposure {
  readonly density: number;
  readonly share: number;
}

function exposuresOf(perShot: Float64Array, made: number, pixels: number): Exposure[] {
  const groups = new Map<number, { photons: number; squares: number }>();
  let all = 0;
  for (const n of perShot) {
    const photons = Math.max(0, n - made);
    const group = Math.floor(Math.log(within(photons / pixels)) / Math.log(BRIGHTER));
    const { photons: before, squares } = groups.get(group) ?? { photons: 0, squares: 0 };
    groups.set(group, { photons: before + photons, squares: squares + photons * photons });
    all += photons;
  }
  if (all === 0) return [{ density: LEAST_DENSITY, share: 1 }];
  // The density that a photon of them sees.
  return [...groups.values()]
    .filter(({ photons }) => photons > 0)
    .map(({ photons, squares }) => ({ density: within(squares / photons / pixels), share: photons / all }));
}

function within(density: number): number {
  return Math.min(LARGEST_DENSITY, Math.max(LEAST_DENSITY, density));
}

/** The cloud whose single photons are as bright as those found, between one that is sharper and one that is wider. */
function cloudAt(uneven: number, exposures: readonly Exposure[], found: Found): number {
  const brightestAt = (cloud: number): number => simulateAll(cloud, uneven, exposures, found, PHOTONS).brightest;
  let [sharp, wide] = [SMALLEST, LARGEST];
  let [above, below] = [brightestAt(sharp), brightestAt(wide)];
  let best = found.brightest >= above ? sharp : wide;
  for (let turn = 0; turn < TURNS; turn++) {
    if (!(found.brightest < above && found.brightest > below)) break;
    const part = (above - found.brightest) / (above - below);
    best = sharp + Math.min(0.9, Math.max(0.1, part)) * (wide - sharp);
    const brightest = brightestAt(best);
    if (brightest > found.brightest) [sharp, above] = [best, brightest];
    else [wide, below] = [best, brightest];
  }
  return best;
}

interface Mixture {
  readonly efficiency: number;
  readonly brightest: number;
  /** Photons found in a droplet, on average. */
  readonly perDroplet: number;
}

function simulateAll(
  cloud: number,
  uneven: number,
  exposures: readonly Exposure[],
  found: Found,
  photons: number,
): Mixture {
  let [counted, groups, singles, brightest] = [0, 0, 0, 0];
  for (const { density, share } of exposures) {
    const one = simulate(cloud, within(density * uneven), found, photons / exposures.length);
    counted += share * one.counted;
    groups += share * one.groups;
    singles += share * one.singles;
    brightest += share * one.brightest;
  }
  return { efficiency: counted, brightest: brightest / singles, perDroplet: counted / groups };
}

/** For one photon that came. */
interface Simulated {
  readonly counted: number;
  readonly groups: number;
  readonly singles: number;
  /** Sum over the singles. */
  readonly brightest: number;
}

const known = new Map<string, Simulated>();

function simulate(
  cloud: number,
  density: number,
  { seed, low, noise, falsePerPixel, rows, columns }: Found,
  photons: number,
): Simulated {
  // Densities in steps of 5 %, so that results asked for again while shots come do not simulate anew.
  const rounded = Math.exp(Math.round(Math.log(density) * 20) / 20);
  const key = [cloud, rounded, seed, low, noise, rows, columns, photons].join(" ");
  const old = known.get(key);
  if (old !== undefined) return old;
  const random = new Random(1);
  const finder = new DropletFinder(SIDE, SIDE);
  const [inPixels, spectrum] = [new Uint32Array(SIDE * SIDE), new Float64Array(SPECTRUM_BINS + 1)];
  const pixels = new Float32Array(SIDE * SIDE);
  const made = falsePerPixel * SIDE * SIDE;
  // A pixel of the sensor is as often at an edge.
  const lost = (SIDE * (1 / rows + 1 / columns)) / 2;
  let [placed, counted, groups, singles, brightest] = [0, 0, 0, 0, 0];
  while (placed < photons) {
    for (let i = 0; i < pixels.length; i++) pixels[i] = noise * random.normal();
    for (let k = Math.round(rounded * SIDE * SIDE); k > 0; k--, placed++) expose(pixels, random, cloud, lost);
    const [number, droplets] = finder.count(pixels, 1, seed, low, inPixels, spectrum);
    counted += number - made;
    groups += droplets - made;
    singles += finder.singles;
    brightest += finder.brightest;
  }
  const of = (sum: number): number => sum / placed;
  const result = { counted: of(counted), groups: of(groups), singles: of(singles), brightest: of(brightest) };
  if (known.size > 1000) known.clear();
  known.set(key, result);
  return result;
}

/** A photon at a random place; beyond an edge its charge is lost so often, or the image continues at its other side. */
function expose(pixels: Float32Array, random: Random, cloud: number, lost: number): void {
  const [row, column] = [Math.floor(SIDE * random.uniform()), Math.floor(SIDE * random.uniform())];
  const [down, across] = [sharesOf(random.uniform(), cloud), sharesOf(random.uniform(), cloud)];
  if (random.uniform() < lost) {
    cut(down, row);
    cut(across, column);
  }
  for (let r = 0; r < 3; r++) {
    const start = ((row + r + SIDE - 1) % SIDE) * SIDE;
    for (let c = 0; c < 3; c++) {
      const i = start + ((column + c + SIDE - 1) % SIDE);
      pixels[i] = (pixels[i] ?? 0) + (down[r] ?? 0) * (across[c] ?? 0);
    }
  }
}

function cut(shares: [number, number, number], at: number): void {
  if (at === 0) shares[0] = 0;
  if (at === SIDE - 1) shares[2] = 0;
}

function sharesOf(place: number, cloud: number): [number, number, number] {
  const before = normalCdf(-place / cloud);
  const after = normalCdf((place - 1) / cloud);
  return [before, 1 - before - after, after];
}
