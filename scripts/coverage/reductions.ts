import type { DetectorInfo } from "../../src/core/detector.ts";
import { asImage } from "../../src/core/ndarray.ts";
import type { Random } from "../../src/core/random.ts";
import { meanOfRatios, onOffDifference, ratioOfSums } from "../../src/core/ratio.ts";
import type { Shot } from "../../src/core/shots.ts";
import {
  byClass,
  Cube,
  contrast,
  covariance,
  type MeanAndError,
  monitorCheck,
  normalised,
  radialProfile,
  reduce,
  variance,
  withPooledErrors,
} from "../../src/reduce/index.ts";
import type { CoverageCase, Estimate } from "./cover.ts";

const ratio = 2;
const change = 0.03;
const bins = 20;

interface Pulse {
  readonly i0: number;
  readonly signal: number;
}

/** `photons` at the mean pulse energy, as a diode with some noise sees them; 20 modes. */
function pulse(random: Random, photons: number, factor: number): Pulse {
  const i0 = random.gamma(20);
  return { i0, signal: (ratio * factor * random.poisson(photons * i0)) / photons + 0.02 * random.normal() };
}

const of = (value: number, error: number, truth: number): Estimate => ({ value, error, truth });
/** From so few shots that their scatter is itself uncertain. */
const few = (value: number, error: number, truth: number, freedom: number): Estimate =>
  freedom < 25 ? { value, error, truth, freedom } : { value, error, truth };
const photonsOf = (signal: "weak" | "strong"): number => (signal === "weak" ? 20 : 2000);

function shotOf(tag: number, values: Readonly<Record<string, number>>, images: Shot["images"] = {}): Shot {
  const number = (equipId: string): number => values[equipId] ?? NaN;
  return { tag, images, number, value: (equipId) => ({ value: number(equipId), unit: "" }) };
}

/** Bins of a delay scan of so many shots each, pumped and unpumped ones: its errors are pooled over the bins. */
async function scanned(random: Random, shots: number, photons: number) {
  const one = async (factor: number): Promise<Cube> => {
    async function* all(): AsyncGenerator<Shot> {
      for (let tag = 0; tag < bins * shots; tag++) {
        const { i0, signal } = pulse(random, photons, factor);
        yield shotOf(tag, { x: tag % bins, pd: signal, i0 });
      }
    }
    const axes = [{ name: "x", of: "x", from: -0.5, to: bins - 0.5, step: 1 }];
    return await new Cube({ axes, values: { signals: ["pd"], normaliseBy: "i0" } }).update(all());
  };
  return { on: await one(1 + change), off: await one(1) };
}

function cubeCase(shots: number, signal: "weak" | "strong"): CoverageCase {
  return {
    what: "cube bins, pooled",
    shots,
    signal,
    run: async (random) => {
      const { on, off } = await scanned(random, shots, photonsOf(signal));
      const [pumped, unpumped] = [on, off].map((cube) => withPooledErrors(cube.normalised("pd")));
      const single = withPooledErrors(off.normalised("pd", "all", { method: "mean-of-ratios" }));
      const raw = withPooledErrors(off.numbers("pd"));
      if (pumped === undefined || unpumped === undefined) return null;
      const found = contrast(pumped, unpumped);
      // One bin of each repeat, so that all tries are independent.
      const at = (array: { readonly data: Float64Array }): number => array.data[7] ?? NaN;
      return {
        mean: of(at(raw.mean), at(raw.standardError), ratio),
        ratio: of(at(unpumped.mean), at(unpumped.standardError), ratio),
        "mean of ratios": of(at(single.mean), at(single.standardError), ratio),
        "on − off": of(at(found.difference), at(found.differenceError), ratio * change),
        "on/off − 1": of(at(found.contrast), at(found.ratioError), change),
      };
    },
  };
}

/** 0-D signals; of few shots, errors pooled over the points of a scan hold better: the cube above. */
function signalCase(shots: number, signal: "weak" | "strong"): CoverageCase {
  return {
    what: "0-D signals",
    shots,
    signal,
    run: (random) => {
      const take = (count: number, factor: number) => {
        const pulses = Array.from({ length: count }, () => pulse(random, photonsOf(signal), factor));
        return { values: pulses.map((p) => p.signal), monitor: pulses.map(({ i0 }) => i0) };
      };
      const [on, off] = [take(2 * shots, 1 + change), take(shots, 1)];
      const pairs = Int32Array.from({ length: 2 * shots }, (_, k) => k >> 1);
      const sums = ratioOfSums(off.values, off.monitor);
      const ratios = meanOfRatios(on.values, on.monitor);
      const all = onOffDifference(on, off);
      const paired = onOffDifference(on, off, { pairs });
      // Of twice as many pumped shots as unpumped ones, after Welch.
      const both = (1.5 / shots) ** 2 / (1 / (shots ** 2 * (shots - 1)) + 1 / (4 * shots ** 2 * (2 * shots - 1)));
      return {
        "ratio of sums": few(sums.mean, sums.standardError, ratio, shots - 1),
        "mean of ratios": few(ratios.mean, ratios.standardError, ratio * (1 + change), 2 * shots - 1),
        "on − off": few(all.difference, all.differenceError, ratio * change, both),
        "on − off, pairs": few(paired.difference, paired.differenceError, ratio * change, shots - 1),
        "on/off − 1": few(all.contrast, all.contrastError, change, both),
        "on/off − 1, pairs": few(paired.contrast, paired.contrastError, change, shots - 1),
      };
    },
  };
}

/** Images of one pixel, and the pulse energy. */
async function* images(
  random: Random,
  shots: number,
  pixels: (pulse: Pulse) => readonly number[],
  photons: number,
): AsyncGenerator<Shot> {
  for (let tag = 0; tag < shots; tag++) {
    const one = pulse(random, photons, 1);
    const values = Float32Array.from(pixels(one));
    yield shotOf(tag, { i0: one.i0 }, { A: asImage(values, 1, values.length) });
  }
}

function imageCase(shots: number, signal: "weak" | "strong"): CoverageCase {
  return {
    what: "mean and normalised image, a pixel",
    shots,
    signal,
    run: async (random) => {
      const all = images(random, shots, ({ signal: value }) => [100 * value], photonsOf(signal));
      const found = await reduce(all, {
        image: normalised({ equipId: "i0", reference: 1 }),
        single: normalised({ equipId: "i0", reference: 1, method: "mean-of-ratios" }),
        plain: variance({ ddof: 1 }),
      });
      const [image, single, plain] = [found.image["A"], found.single["A"], found.plain["A"]];
      if (image === undefined || single === undefined || plain === undefined) return null;
      const at = ({ mean, standardError }: MeanAndError): Estimate =>
        few(mean.get(0, 0), standardError.get(0, 0), 100 * ratio, shots - 1);
      return { mean: at(plain), ratio: at(image), "mean of ratios": at(single) };
    },
  };
}

/** Pumped less unpumped images, each normalised. */
function imagesCase(shots: number, signal: "weak" | "strong"): CoverageCase {
  return {
    what: "normalised images on − off, a pixel",
    shots,
    signal,
    run: async (random) => {
      const reducers = {
        classes: byClass(normalised({ equipId: "i0", reference: 1 }), ["on", "off"], (tag) => (tag % 2 ? "on" : "off")),
      };
      let tag = 0;
      const all = images(
        random,
        2 * shots,
        ({ signal: value }) => [100 * (tag++ % 2 === 1 ? 1 + change : 1) * value],
        photonsOf(signal),
      );
      const classes = (await reduce(all, reducers)).classes["A"]?.classes;
      const [on, off] = [classes?.["on"], classes?.["off"]];
      if (on === undefined || off === undefined) return null;
      const { difference, differenceError, contrast: found, ratioError } = contrast(on, off);
      const freedom = 2 * shots - 2;
      return {
        "on − off": few(difference.get(0, 0), differenceError.get(0, 0), 100 * ratio * change, freedom),
        "on/off − 1": few(found.get(0, 0), ratioError.get(0, 0), change, freedom),
      };
    },
  };
}

/** A pixel that follows the pulse energy with the noise of its photons, and one that does not follow it. */
function covarianceCase(shots: number, signal: "weak" | "strong"): CoverageCase {
  return {
    what: "covariance, a pixel",
    shots,
    signal,
    run: async (random) => {
      const all = images(random, shots, ({ signal: value }) => [100 * value, 5 * random.normal()], photonsOf(signal));
      const found = (await reduce(all, { it: covariance({ equipId: "i0", scale: 1000 }) })).it["A"];
      if (found === undefined) return null;
      // The variance of the pulse energy is 1/20; the covariance of the population is smaller by (n − 1)/n.
      const truth = ((100 * ratio) / 20) * ((shots - 1) / shots);
      const at = (column: number, value: number): Estimate => ({
        ...of(found.covariance.get(0, column), found.standardError.get(0, column), value),
        ...(shots < 100 && { tooFew: true as const }),
      });
      return { covariance: at(0, truth), "of noise": at(1, 0) };
    },
  };
}

const [side, binUm] = [20, 150];
const sensor: DetectorInfo = {
  id: "A",
  xsize: side,
  ysize: side,
  absGain: null,
  geometry: {
    posXUm: -500,
    posYUm: 500,
    posZUm: 0,
    rotationDeg: 0,
    pixelSizeXUm: 50,
    pixelSizeYUm: 50,
    manipulatorShiftUm: 0,
  },
};

/** One bin of a profile of even light: of photons alone, and with the pulse energy that varies. */
function radialCase(shots: number, signal: "weak" | "strong"): CoverageCase {
  const level = signal === "weak" ? 0.1 : 5;
  const options = { sensors: [sensor], binUm, aduPerPhoton: 100 };
  return {
    what: "radial profile, a bin",
    shots,
    signal,
    run: async (random) => {
      async function* all(noise: boolean): AsyncGenerator<Shot> {
        for (let tag = 0; tag < shots; tag++) {
          const i0 = noise ? random.gamma(20) : 1;
          const pixels = Float32Array.from({ length: side * side }, () => 100 * random.poisson(level * i0));
          yield shotOf(tag, {}, { A: asImage(pixels, side, side) });
        }
      }
      const found = await reduce(all(false), {
        whole: radialProfile(options),
        shared: radialProfile({ ...options, split: "area" }),
      });
      const scatter = await reduce(all(true), { it: radialProfile({ ...options, errors: "shots" }) });
      const at = (profile: { readonly mean: Float64Array; readonly error: Float64Array } | undefined) =>
        of(profile?.mean[2] ?? NaN, profile?.error[2] ?? NaN, 100 * level);
      const byShots = at(scatter.it["A"]);
      return {
        poisson: at(found.whole["A"]),
        "poisson, shared pixels": at(found.shared["A"]),
        "from the shots": few(byShots.value, byShots.error, byShots.truth, shots - 1),
      };
    },
  };
}

function monitorCase(shots: number, signal: "weak" | "strong"): CoverageCase {
  return {
    what: "monitorCheck",
    shots,
    signal,
    run: (random) => {
      const pulses = Array.from({ length: shots }, () => pulse(random, photonsOf(signal), 1));
      const found = monitorCheck(
        pulses.map((p) => p.signal),
        pulses.map(({ i0 }) => i0 + 0.04),
      );
      return {
        pedestal: of(found.pedestal, found.pedestalError, 0.04),
        slope: of(found.slope, found.slopeError, ratio),
        curvature: of(found.curvature, found.curvatureError, 0),
      };
    },
  };
}

export const cases: readonly CoverageCase[] = (["weak", "strong"] as const).flatMap((signal) => [
  ...[3, 10, 100].map((shots) => cubeCase(shots, signal)),
  ...[3, 10, 100].map((shots) => signalCase(shots, signal)),
  ...[3, 10, 100].map((shots) => imageCase(shots, signal)),
  ...[3, 10, 100].map((shots) => imagesCase(shots, signal)),
  ...[10, 100, 400].map((shots) => covarianceCase(shots, signal)),
  ...[3, 10, 100].map((shots) => radialCase(shots, signal)),
  ...[100, 400].map((shots) => monitorCase(shots, signal)),
]);
