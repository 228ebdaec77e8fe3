import { asFinite, badArgument } from "../core/guards.ts";
import { any, finite, optional, resolveOptions } from "../core/options.ts";

/**
 * Where a flat detector stands, seen from the sample: distance, foot of the normal and rotations as in pyFAI (its
 * `dist`, `poni1`/`poni2`, `rot1`…`rot3`; pyFAI's axis 1 is Y of the detector API, its axis 2 is X).
 */
export interface RingGeometry {
  /** From the sample to the plane of the detector, along the normal of the plane. */
  readonly distanceMm: number;
  /** Foot of that normal (the point of normal incidence, PONI), µm in the frame of the detector API. */
  readonly normalUm: { readonly x: number; readonly y: number };
  /** Rotation about the vertical axis: the direct beam moves to smaller x. @default 0 */
  readonly rot1Deg?: number | undefined;
  /** Rotation about the horizontal axis: the direct beam moves to larger y. @default 0 */
  readonly rot2Deg?: number | undefined;
  /** Rotation about the beam; changes azimuths alone. @default 0 */
  readonly rot3Deg?: number | undefined;
}

/** A geometry told by where the direct beam hits, which is better known than the foot of the normal. */
export interface BeamGeometry extends Omit<RingGeometry, "normalUm"> {
  /** Where the direct beam hits the detector, µm in the frame of the detector API. */
  readonly centreUm: { readonly x: number; readonly y: number };
}

const RADIANS = Math.PI / 180;

/**
 * Where the direct beam hits the detector, µm in the frame of the detector API.
 * @throws BAD_ARGUMENT when a value is not finite, the distance is not above 0, or a rotation is not within ±85°
 */
export function beamCentre(geometry: RingGeometry): { readonly x: number; readonly y: number } {
  const { x, y, um, rot1, rot2 } = checked(geometry);
  return { x: x - um * Math.tan(rot1), y: y + (um * Math.tan(rot2)) / Math.cos(rot1) };
}

/**
 * The geometry of which the direct beam hits the place given.
 * @throws BAD_ARGUMENT as {@link beamCentre}
 */
export function fromBeamCentre({ centreUm, ...rest }: BeamGeometry): RingGeometry {
  const offset = beamCentre({ ...rest, normalUm: { x: 0, y: 0 } });
  return { ...rest, normalUm: { x: centreUm.x - offset.x, y: centreUm.y - offset.y } };
}

/** A place in the laboratory: x to the right looking from the source, y up, z along the beam; µm from the sample. */
export interface LabPlace {
  x: number;
  y: number;
  z: number;
}

/**
 * Turns places on the detector (µm in the frame of the detector API) into places in the laboratory; written into `to`,
 * since there are millions. The formula is pyFAI's (`calc_pos_zyx`).
 */
export function labPlaces(geometry: RingGeometry): (x: number, y: number, to: LabPlace) => void {
  const { x: x0, y: y0, um: distance, rot1, rot2, rot3 } = checked(geometry);
  const [c1, c2, c3] = [Math.cos(rot1), Math.cos(rot2), Math.cos(rot3)];
  const [s1, s2, s3] = [Math.sin(rot1), Math.sin(rot2), Math.sin(rot3)];
  const yByX = c3 * s1 * s2 - c1 * s3;
  const yByZ = c1 * c3 * s2 + s1 * s3;
  const xByX = c1 * c3 + s1 * s2 * s3;
  const xByZ = c1 * s2 * s3 - c3 * s1;
  return (px, py, to) => {
    const p1 = py - y0;
    const p2 = px - x0;
    to.y = p1 * c2 * c3 + p2 * yByX - distance * yByZ;
    to.x = p1 * c2 * s3 + p2 * xByX - distance * xByZ;
    to.z = p1 * s2 - p2 * c2 * s1 + distance * c1 * c2;
  };
}

/** Solid angle of a pixel at a place of the detector, as a part of that of a pixel at the foot of the normal. */
export function relativeSolidAngle(geometry: RingGeometry): (x: number, y: number) => number {
  const { x: x0, y: y0, um: distance } = checked(geometry);
  return (x, y) => (distance / Math.sqrt(distance ** 2 + (x - x0) ** 2 + (y - y0) ** 2)) ** 3;
}

/** How the beam is polarised. */
export interface Polarisation {
  /**
   * (I∥ − I⊥) / (I∥ + I⊥) along `directionDeg`, from −1 to 1. SACLA's undulators are horizontal: its beam is polarised
   * horizontally to more than 0.99 as a rule.
   * @default 0.99
   */
  readonly factor?: number | undefined;
  /** Direction of the electric field in the frame of the detector API, counter-clockwise from X. @default 0 */
  readonly directionDeg?: number | undefined;
}

/**
 * What polarisation leaves of the scattering to a place in the laboratory:
 * ½ (1 + cos² 2θ − factor · cos 2(φ − direction) · sin² 2θ), as in pyFAI.
 * @throws BAD_ARGUMENT for a factor outside −1 to 1, and options that do not exist
 */
export function polarisationWeight(polarisation: Polarisation = {}): (at: LabPlace) => number {
  const { factor, directionDeg } = resolveOptions("polarisation", polarisation, {
    factor: optional(finite(-1, 1), 0.99),
    directionDeg: optional(finite(), 0),
  });
  const [cos, sin] = [Math.cos(2 * directionDeg * RADIANS), Math.sin(2 * directionDeg * RADIANS)];
  return ({ x, y, z }) => {
    const across = x * x + y * y;
    const square = across + z * z;
    // sin² 2θ · cos 2(φ − direction), without angles.
    const turned = ((x * x - y * y) * cos + 2 * x * y * sin) / square;
    return 0.5 * (1 + (z * z) / square - factor * turned);
  };
}

function checked(geometry: RingGeometry) {
  resolveOptions("geometry", geometry, { distanceMm: any, normalUm: any, rot1Deg: any, rot2Deg: any, rot3Deg: any });
  const um = 1000 * asFinite("geometry.distanceMm", geometry.distanceMm, Number.MIN_VALUE);
  const angle = (name: "rot1Deg" | "rot2Deg" | "rot3Deg", most: number): number =>
    asFinite(`geometry.${name}`, geometry[name] ?? 0, -most, most) * RADIANS;
  const { normalUm } = geometry;
  if (typeof normalUm !== "object" || normalUm === null) throw badArgument("geometry.normalUm", normalUm, "{ x, y }");
  return {
    x: asFinite("geometry.normalUm.x", normalUm.x),
    y: asFinite("geometry.normalUm.y", normalUm.y),
    um,
    rot1: angle("rot1Deg", 85),
    rot2: angle("rot2Deg", 85),
    rot3: angle("rot3Deg", 360),
  };
}
