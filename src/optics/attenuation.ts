import { asFinite, badArgument } from "../core/guards.ts";
import { finite, oneOf, optional, resolveOptions } from "../core/options.ts";
import { type AtomicData, atomicRangeEv } from "./atomic-data.ts";
import { chebyshev } from "./chebyshev.ts";
import { heavyElements } from "./heavy-elements.ts";
import { lightElements } from "./light-elements.ts";
import { asTabulatedEnergy } from "./silicon.ts";

export interface AttenuationOptions {
  /**
   * `"total"`: photoabsorption, Rayleigh and Compton scattering: what a direct beam loses. `"photo"`: photoabsorption
   * alone: what stays in the material. Silicon at 15 keV: 415 and 436 µm.
   * @default "total"
   */
  readonly process?: "total" | "photo" | undefined;
  /** Density, g/cm³. @default that of a known material; needed for any other formula */
  readonly densityGPerCm3?: number | undefined;
}

const elements: Readonly<Record<string, AtomicData>> = { ...lightElements, ...heavyElements };

/** Formula and density, g/cm³, of materials by name; densities of the elements as xraylib has them. */
const materials: Readonly<Record<string, readonly [formula: string, density: number]>> = {
  Si: ["Si", 2.33],
  silicon: ["Si", 2.33],
  Al: ["Al", 2.6989],
  aluminium: ["Al", 2.6989],
  aluminum: ["Al", 2.6989],
  Be: ["Be", 1.848],
  beryllium: ["Be", 1.848],
  C: ["C", 3.515],
  diamond: ["C", 3.515],
  graphite: ["C", 2.2],
  GaAs: ["GaAs", 5.3176],
  Ge: ["Ge", 5.323],
  Ti: ["Ti", 4.54],
  Fe: ["Fe", 7.874],
  Ni: ["Ni", 8.902],
  Cu: ["Cu", 8.96],
  Zr: ["Zr", 6.506],
  Mo: ["Mo", 10.22],
  Ag: ["Ag", 10.5],
  Ta: ["Ta", 16.654],
  W: ["W", 19.3],
  Pt: ["Pt", 21.45],
  Au: ["Au", 19.32],
  kapton: ["C22H10N2O5", 1.42],
  C22H10N2O5: ["C22H10N2O5", 1.42],
  H2O: ["H2O", 1],
  water: ["H2O", 1],
  YAG: ["Y3Al5O12", 4.56],
  SiO2: ["SiO2", 2.2],
};

/**
 * Length in µm after which 1/e of the light is left. Cross sections of xraylib 4.3 (tables differ: other programs are
 * up to 8 % off at 15 keV); compounds as the sum of their atoms.
 * @throws BAD_ARGUMENT outside 3 to 30 keV, for an element without a table, or without a density where none is known
 * @example attenuationLengthUm("Si", 10_000) // 126.7
 */
export function attenuationLengthUm(
  material: string,
  photonEnergyEv: number,
  options: AttenuationOptions = {},
): number {
  const { process, densityGPerCm3 } = resolveOptions("attenuationLengthUm", options, {
    process: optional(oneOf("total", "photo"), "total"),
    densityGPerCm3: optional(finite(1e-9, 100)),
  });
  const known = Object.hasOwn(materials, material) ? materials[material] : undefined;
  const density = densityGPerCm3 ?? known?.[1];
  const atoms = atomsOf(known?.[0] ?? material);
  if (density === undefined)
    throw badArgument("densityGPerCm3", densityGPerCm3, `a number: no density of ${material} is known here`);
  const logEv = Math.log(asTabulatedEnergy(photonEnergyEv));
  const weight = atoms.reduce((sum, [data, count]) => sum + count * data.weight, 0);
  const perGram = atoms.reduce(
    (sum, [data, count]) => sum + (count * data.weight * crossSection(data, logEv, process)) / weight,
    0,
  );
  const UM_PER_CM = 1e4;
  return UM_PER_CM / (perGram * density);
}

/**
 * Share of the light that passes a thickness in µm: exp(−thickness / length).
 * @throws BAD_ARGUMENT as {@link attenuationLengthUm}
 * @example transmission("Al", 8000, 100)
 */
export function transmission(
  material: string,
  photonEnergyEv: number,
  thicknessUm: number,
  options: AttenuationOptions = {},
): number {
  return Math.exp(-asFinite("thicknessUm", thicknessUm, 0) / attenuationLengthUm(material, photonEnergyEv, options));
}

/**
 * Thickness in µm that lets a share of the light pass: the inverse of {@link transmission}.
 * @throws BAD_ARGUMENT for a share that is not above 0 and up to 1, and as {@link attenuationLengthUm}
 * @example thicknessUmFor("Si", 10_000, 0.1) // 291.7
 */
export function thicknessUmFor(
  material: string,
  photonEnergyEv: number,
  share: number,
  options: AttenuationOptions = {},
): number {
  if (!(share > 0 && share <= 1)) throw badArgument("share", share, "above 0 and up to 1");
  return -Math.log(share) * attenuationLengthUm(material, photonEnergyEv, options) || 0;
}

/** cm²/g. At an edge the value is that above it. */
function crossSection({ edgesEv, photo, rayleigh, compton }: AtomicData, logEv: number, process: string): number {
  const [low, high] = atomicRangeEv.map(Math.log) as [number, number];
  const bounds = [low, ...edgesEv.map(Math.log), high];
  const above = edgesEv.filter((edge) => Math.log(edge) <= logEv).length;
  const absorbed = Math.exp(chebyshev(photo[above] ?? [], bounds[above] ?? low, bounds[above + 1] ?? high, logEv));
  if (process === "photo") return absorbed;
  return absorbed + Math.exp(chebyshev(rayleigh, low, high, logEv)) + Math.exp(chebyshev(compton, low, high, logEv));
}

/** Elements of a formula without brackets, as C22H10N2O5, and how many of each. */
function atomsOf(formula: string): [AtomicData, number][] {
  const parts = [...String(formula).matchAll(/([A-Z][a-z]?)(\d+(?:\.\d+)?)?/g)];
  const isWhole = parts.length > 0 && parts.map(([part]) => part).join("") === formula;
  if (!isWhole)
    throw badArgument("material", formula, `a formula as SiO2, or one of ${Object.keys(materials).join(", ")}`);
  return parts.map(([, symbol = "", count]) => {
    const data = Object.hasOwn(elements, symbol) ? elements[symbol] : undefined;
    if (data === undefined)
      throw badArgument("element", symbol, `one of those with a table here: ${Object.keys(elements).join(" ")}`);
    return [data, count === undefined ? 1 : Number(count)];
  });
}
