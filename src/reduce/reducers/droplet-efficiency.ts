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
  readonly found: number;
  /** How many droplets they were found in. */
  readonly droplets: number;
  /** Of all shots. */
  readonly pixels: number;
  /** Droplets of one photon, and the mean of their brightest pixels. */
  readonly singles: number;
  readonly brightest: number;
}

const LEAST_SINGLES = 200;
/** Simulated photons, in images of so many pixels on each side, of at least and at most this many photons per pixel. */
const [PHOTONS, SIDE, LEAST_DENSITY, LARGEST_DENSITY] = [20_000, 200, 0.02, 1];
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
 * pixel as those found; the photons per pixel are so many that a droplet has as many photons as those found, because
 * photons lie closer where light is uneven: speckle, spots, pulses of unlike energy.
 */
export function dropletEfficiency(found: Found): DropletEfficiency | null {
  if (Number.isNaN(found.noise) || !(found.singles >= LEAST_SINGLES)) return null;
  const made = found.falsePerPixel * found.pixels;
  const mean = (found.found - made) / found.pixels;
  const within = (density: number): number => Math.min(LARGEST_DENSITY, Math.max(LEAST_DENSITY, density));
  let density = within(mean);
  let search = cloudAt(density, found);
  for (let round = 0; round < DENSITIES; round++) {
    const closer = (found.found / found.droplets - 1) / (search.best.perDroplet - 1);
    if (!Number.isFinite(closer)) break;
    density = within(Math.min(LARGEST_UNEVENNESS * mean, Math.max(mean, density * closer)));
    search = cloudAt(density, found);
  }
  const { sharp, wide, best } = search;
  const per = (wide.efficiency - sharp.efficiency) / (wide.brightest - sharp.brightest);
  const slope = Number.isFinite(per) ? per : 0;
  const efficiency = best.efficiency + slope * (found.brightest - best.brightest);
  const lost = Math.abs(1 - efficiency);
  const efficiencyError = Math.hypot(
    slope * SPREAD * Math.sqrt(1 / found.singles + 1 / PHOTONS),
    Math.sqrt((lost + 0.01) / PHOTONS),
    SHAPE * lost,
  );
  const photons = (found.found - made) / efficiency;
  const chance = Math.sqrt(photons * lost * efficiency + 2 * made) / efficiency;
  return {
    photons,
    photonsError: Math.hypot(chance, (photons * efficiencyError) / efficiency),
    efficiency,
    efficiencyError,
    cloudPx: best.cloud,
  };
}

/** The cloud whose single photons are as bright as those found, between one that is sharper and one that is wider. */
function cloudAt(density: number, found: Found): Record<"sharp" | "wide" | "best", Simulated> {
  const at = (cloud: number): Simulated => simulate(cloud, density, found);
  let [sharp, wide] = [at(SMALLEST), at(LARGEST)];
  let best = found.brightest >= sharp.brightest ? sharp : wide;
  for (let turn = 0; turn < TURNS; turn++) {
    if (!(found.brightest < sharp.brightest && found.brightest > wide.brightest)) break;
    const part = (sharp.brightest - found.brightest) / (sharp.brightest - wide.brightest);
    best = at(sharp.cloud + Math.min(0.9, Math.max(0.1, part)) * (wide.cloud - sharp.cloud));
    if (best.brightest > found.brightest) sharp = best;
    else wide = best;
  }
  return { sharp, wide, best };
}

interface Simulated {
  readonly cloud: number;
  readonly efficiency: number;
  readonly brightest: number;
  /** Photons found in a droplet, on average. */
  readonly perDroplet: number;
}

const known = new Map<string, Simulated>();

function simulate(cloud: number, density: number, { seed, low, noise, falsePerPixel }: Found): Simulated {
  // Densities in steps of 5 %, so that results asked for again while shots come do not simulate anew.
  const rounded = Math.exp(Math.round(Math.log(density) * 20) / 20);
  const key = [cloud, rounded, seed, low, noise].join(" ");
  const old = known.get(key);
  if (old !== undefined) return old;
  const random = new Random(1);
  const finder = new DropletFinder(SIDE, SIDE);
  const [photons, spectrum] = [new Uint32Array(SIDE * SIDE), new Float64Array(SPECTRUM_BINS + 1)];
  const pixels = new Float32Array(SIDE * SIDE);
  let [placed, counted, groups, singles, brightest, images] = [0, 0, 0, 0, 0, 0];
  while (placed < PHOTONS) {
    for (let i = 0; i < pixels.length; i++) pixels[i] = noise * random.normal();
    for (let k = Math.round(rounded * SIDE * SIDE); k > 0; k--, placed++) expose(pixels, random, cloud);
    const [number, droplets] = finder.count(pixels, 1, seed, low, photons, spectrum);
    counted += number;
    groups += droplets;
    singles += finder.singles;
    brightest += finder.brightest;
    images++;
  }
  const efficiency = (counted - falsePerPixel * SIDE * SIDE * images) / placed;
  const made = { cloud, efficiency, brightest: brightest / singles, perDroplet: counted / groups };
  if (known.size > 1000) known.clear();
  known.set(key, made);
  return made;
}

/** A photon at a random place; the image continues at its other side. */
function expose(pixels: Float32Array, random: Random, cloud: number): void {
  const [row, column] = [Math.floor(SIDE * random.uniform()), Math.floor(SIDE * random.uniform())];
  const [down, across] = [sharesOf(random.uniform(), cloud), sharesOf(random.uniform(), cloud)];
  for (let r = 0; r < 3; r++) {
    const start = ((row + r + SIDE - 1) % SIDE) * SIDE;
    for (let c = 0; c < 3; c++) {
      const i = start + ((column + c + SIDE - 1) % SIDE);
      pixels[i] = (pixels[i] ?? 0) + (down[r] ?? 0) * (across[c] ?? 0);
    }
  }
}

function sharesOf(place: number, cloud: number): [number, number, number] {
  const before = normalCdf(-place / cloud);
  const after = normalCdf((place - 1) / cloud);
  return [before, 1 - before - after, after];
}
