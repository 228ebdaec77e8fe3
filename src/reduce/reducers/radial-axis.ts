import { HC_EV_ANGSTROM } from "../../core/constants.ts";
import { asFinite, asInteger, asOneOf, badArgument } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import type { LabPlace } from "../../ip/ring-geometry.ts";

/**
 * Units of the radial axis, spelled as in pyFAI: distance from the beam axis in µm or mm, scattering angle in degrees
 * or radians, q = 4π sin θ / λ in 1/Å or 1/nm.
 */
export type RadialUnit = (typeof units)[number];
const units = ["r_um", "r_mm", "2th_deg", "2th_rad", "q_A^-1", "q_nm^-1"] as const;

/**
 * Bins of one width from `from` to `to`, both included, to the last place as pyFAI's for `radial_range`; or between
 * edges of one's own. A bin holds its lower edge and not its upper one.
 */
export type RadialAxisOptions =
  | { readonly unit: RadialUnit; readonly from?: number | undefined; readonly to: number; readonly bins: number }
  | { readonly unit: RadialUnit; readonly edges: readonly number[] };

/**
 * Azimuthal sectors, degrees counter-clockwise from X looking from the source: equal ones from −180°, or between edges.
 */
export type SectorOptions = { readonly sectors: number } | { readonly edgesDeg: readonly number[] };

/** Numbers sorted into bins. */
export class BinEdges {
  readonly edges: Float64Array;
  /** Bins in 1 of the unit when all have one width; looked up in the edges otherwise. */
  readonly #width: number | undefined;

  constructor(edges: Float64Array, width?: number) {
    this.edges = edges;
    this.#width = width;
  }

  static uniform(from: number, width: number, bins: number): BinEdges {
    return new BinEdges(
      Float64Array.from({ length: bins + 1 }, (_, k) => from + k * width),
      width,
    );
  }

  /** @throws BAD_ARGUMENT when they do not ascend */
  static of(name: string, edges: readonly number[]): BinEdges {
    if (!Array.isArray(edges) || edges.length < 2) throw badArgument(name, edges, "a list of at least two edges");
    edges.forEach((edge, k) => {
      asFinite(`${name}[${k}]`, edge);
      if (k > 0 && edge <= (edges[k - 1] ?? NaN)) throw badArgument(name, edges, "edges that ascend");
    });
    return new BinEdges(Float64Array.from(edges));
  }

  get bins(): number {
    return this.edges.length - 1;
  }

  get centres(): Float64Array {
    return Float64Array.from(
      { length: this.bins },
      (_, k) => ((this.edges[k] ?? NaN) + (this.edges[k + 1] ?? NaN)) / 2,
    );
  }

  /** The bin of a value; −1 below the first edge, `bins` from the last one on. */
  find(value: number): number {
    const from = this.edges[0] ?? NaN;
    if (this.#width !== undefined) {
      const bin = Math.floor((value - from) / this.#width);
      return bin < 0 ? -1 : Math.min(bin, this.bins);
    }
    if (!(value >= from)) return -1;
    let [low, high] = [0, this.bins];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.edges[middle] ?? Infinity) <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** @throws BAD_ARGUMENT for what is no axis */
export function radialAxis(axis: RadialAxisOptions): { readonly unit: RadialUnit; readonly edges: BinEdges } {
  const every: { unit: unknown; from?: unknown; to?: unknown; bins?: unknown; edges?: unknown } = axis;
  resolveOptions("axis", every, { unit: any, from: any, to: any, bins: any, edges: any });
  const unit = asOneOf("axis.unit", axis.unit, units);
  if ("edges" in axis) return { unit, edges: BinEdges.of("axis.edges", axis.edges) };
  const from = asFinite("axis.from", axis.from ?? 0);
  const to = asFinite("axis.to", axis.to);
  if (to <= from) throw badArgument("axis.to", to, `a number above axis.from, ${from}`);
  const bins = asInteger("axis.bins", axis.bins, 1);
  // As pyFAI: `to` itself belongs to the last bin, so the end is moved out by the last place of a float32.
  const end = to > 0 ? to * (1 + 2 ** -23) : to / (1 + 2 ** -23);
  return { unit, edges: BinEdges.uniform(from, (end - from) / bins, bins) };
}

/** @throws BAD_ARGUMENT for what are no sectors of one circle */
export function sectorEdges(options: SectorOptions): BinEdges {
  const every: { sectors?: unknown; edgesDeg?: unknown } = options;
  resolveOptions("azimuth", every, { sectors: any, edgesDeg: any });
  if ("sectors" in options) {
    const sectors = asInteger("azimuth.sectors", options.sectors, 1);
    // The end as on the radial axis.
    return BinEdges.uniform(-180, (180 * (1 + 2 ** -23) + 180) / sectors, sectors);
  }
  const edges = BinEdges.of("azimuth.edgesDeg", options.edgesDeg);
  const turn = (edges.edges.at(-1) ?? NaN) - (edges.edges[0] ?? NaN);
  if (turn > 360) throw badArgument("azimuth.edgesDeg", options.edgesDeg, "edges within one turn of 360°");
  return edges;
}

/**
 * The value of a place on the axis.
 * @throws BAD_ARGUMENT for q without a photon energy
 */
export function radialValue(unit: RadialUnit, photonEnergyEv: number | undefined): (at: LabPlace) => number {
  const angle = ({ x, y, z }: LabPlace): number => Math.atan2(Math.sqrt(x * x + y * y), z);
  switch (unit) {
    case "r_um":
      return ({ x, y }) => Math.sqrt(x * x + y * y);
    case "r_mm":
      return ({ x, y }) => Math.sqrt(x * x + y * y) / 1000;
    case "2th_rad":
      return angle;
    case "2th_deg":
      return (at) => (angle(at) * 180) / Math.PI;
    default: {
      const perAngstrom = (4 * Math.PI * asFinite("photonEnergyEv", photonEnergyEv, Number.MIN_VALUE)) / HC_EV_ANGSTROM;
      const scale = unit === "q_nm^-1" ? 10 * perAngstrom : perAngstrom;
      return (at) => scale * Math.sin(angle(at) / 2);
    }
  }
}

/** Azimuth in degrees, counter-clockwise from X looking from the source, from `from` to below `from` + 360. */
export function azimuthDeg({ x, y }: LabPlace, from: number): number {
  const degrees = (Math.atan2(y, x) * 180) / Math.PI;
  const turned = degrees - 360 * Math.floor((degrees - from) / 360);
  return turned >= from + 360 ? from : turned;
}
