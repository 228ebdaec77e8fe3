import { liveMeans } from "../../src/core/live-means.ts";
import type { Roi } from "../../src/core/roi.ts";
import { usePlace } from "../server/location.ts";

export const colourMaps = ["Viridis", "Inferno", "Magma", "Cividis", "Turbo", "Greys", "Blues"] as const;
export type ColourMap = (typeof colourMaps)[number];
export const scales = ["linear", "log", "sqrt", "symlog"] as const;
export type Scale = (typeof scales)[number];
/** Percentages of the values, between which the colours lie. */
export const limitChoices = ["0–100", "0.1–99.9", "1–99", "5–95", "25–75"] as const;
/** As people write them. */
export const shotNames: Readonly<Record<string, string>> = {
  "difference-i0": "difference / I0",
  "error-i0": "error / I0",
  "significance-i0": "significance / I0",
};
export const profileUnits = ["r_mm", "2th_deg", "q_A^-1"] as const;
/** As people write them. */
export const unitNames: Readonly<Record<string, string>> = { r_mm: "r / mm", "2th_deg": "2θ / °", "q_A^-1": "q / Å⁻¹" };

/** How a picture is looked at; it stands in the address. */
export interface Look {
  readonly dark: number | null;
  readonly mean: number;
  readonly what: (typeof liveMeans)[number];
  /** A hit has so many pixels at or above so many ADU; null: hits are not counted. */
  readonly hits: { readonly threshold: number; readonly minPixels: number } | null;
  /** Whether rings, the beam and the axis are drawn on the picture. */
  readonly hasRings: boolean;
  readonly colourMap: ColourMap;
  readonly scale: Scale;
  /** Two percentages with – between them, or two values with a comma. */
  readonly limits: string;
  readonly rois: readonly Roi[];
  readonly unit: (typeof profileUnits)[number];
  readonly distanceMm: number | null;
  readonly photonEnergyEv: number | null;
}

/** Of the server's settings. */
let usualColourMap: string | null = null;

/** @param name - as programs spell it: in small letters */
export function setUsualColourMap(name: string | null): void {
  usualColourMap = colourMaps.find((map) => map.toLowerCase() === name) ?? null;
}

export function useLook(): Look {
  const { params } = usePlace();
  return {
    dark: numberOf(params.get("dark")),
    mean: Math.min(1000, Math.max(1, Math.round(numberOf(params.get("mean")) ?? 1))),
    what: oneOf(liveMeans, params.get("shots")),
    hits: hitsOf(numberOf(params.get("hit")), numberOf(params.get("pixels"))),
    hasRings: params.get("rings") === "on",
    colourMap: oneOf(colourMaps, params.get("map") ?? usualColourMap),
    scale: oneOf(scales, params.get("scale")),
    limits: params.get("limits") ?? "0.1–99.9",
    rois: roisOf(params.get("rois") ?? ""),
    unit: oneOf(profileUnits, params.get("unit")),
    distanceMm: numberOf(params.get("distance")),
    photonEnergyEv: numberOf(params.get("energy")),
  };
}

function hitsOf(threshold: number | null, minPixels: number | null): Look["hits"] {
  return threshold === null ? null : { threshold, minPixels: Math.max(1, Math.round(minPixels ?? 1)) };
}

/** Shots of which a picture is the mean: of pumped and unpumped ones many, when no number is given. */
export function meanOf({ mean, what }: Look): number {
  return what === "all" || mean > 1 ? mean : 1000;
}

/** Only lengths can be told without a distance, and q only with the photon energy. */
export function profileOf({ unit, distanceMm, photonEnergyEv }: Look): {
  readonly unit: Look["unit"];
  readonly distanceMm: number | null;
  readonly photonEnergyEv: number | null;
} {
  const isPossible = unit === "r_mm" || (distanceMm !== null && (unit === "2th_deg" || photonEnergyEv !== null));
  return { unit: isPossible ? unit : "r_mm", distanceMm, photonEnergyEv };
}

/** A rectangle as the methods of the server take it. */
export function copyOf({ rows, columns }: Roi): { rows: [number, number]; columns: [number, number] } {
  return { rows: [...rows], columns: [...columns] };
}

export function roisText(rois: readonly Roi[]): string | null {
  return rois.length === 0 ? null : rois.map(({ rows, columns }) => [...rows, ...columns].join("-")).join("~");
}

function roisOf(text: string): Roi[] {
  return text.split("~").flatMap((one) => {
    const [, a, b, c, d] = (/^(\d+)-(\d+)-(\d+)-(\d+)$/.exec(one) ?? []).map(Number);
    if (a === undefined || b === undefined || c === undefined || d === undefined || a >= b || c >= d) return [];
    return [{ rows: [a, b], columns: [c, d] }];
  });
}

export function numberOf(text: string | null): number | null {
  return text === null || text.trim() === "" || !Number.isFinite(Number(text)) ? null : Number(text);
}

function oneOf<const T extends readonly string[]>(choices: T, text: string | null): T[number] {
  return choices.includes(text ?? "") ? (text ?? "") : (choices[0] ?? "");
}
