import { asImage } from "../../src/core/ndarray.ts";
import type { Random } from "../../src/core/random.ts";
import { meanOfRatios, onOffDifference, ratioOfSums } from "../../src/core/ratio.ts";
import type { Shot } from "../../src/core/shots.ts";
import { Cube, contrast, monitorCheck, normalised, reduce, withPooledErrors } from "../../src/reduce/index.ts";
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

/** 0-D signals; of 3 and 10 shots, errors come pooled over the points of a scan: the cube above. */
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
      return {
        "ratio of sums": of(sums.mean, sums.standardError, ratio),
        "mean of ratios": of(ratios.mean, ratios.standardError, ratio * (1 + change)),
        "on − off": of(all.difference, all.differenceError, ratio * change),
        "on − off, pairs": of(paired.difference, paired.differenceError, ratio * change),
        "on/off − 1": of(all.contrast, all.contrastError, change),
        "on/off − 1, pairs": of(paired.contrast, paired.contrastError, change),
      };
    },
  };
}

function imageCase(shots: number, signal: "weak" | "strong"): CoverageCase {
  return {
    what: "normalised image, a pixel",
    shots,
    signal,
    run: async (random) => {
      async function* all(): AsyncGenerator<Shot> {
        for (let tag = 0; tag < shots; tag++) {
          const { i0, signal: value } = pulse(random, photonsOf(signal), 1);
          yield shotOf(tag, { i0 }, { A: asImage(Float32Array.of(100 * value), 1, 1) });
        }
      }
      const { image } = await reduce(all(), { image: normalised({ equipId: "i0", reference: 1 }) });
      const found = image["A"];
      return found === undefined
        ? null
        : { ratio: of(found.mean.get(0, 0), found.standardError.get(0, 0), 100 * ratio) };
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
  ...[20, 100].map((shots) => signalCase(shots, signal)),
  ...[20, 100].map((shots) => imageCase(shots, signal)),
  ...[100, 400].map((shots) => monitorCase(shots, signal)),
]);
