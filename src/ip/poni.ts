import { HC_EV_ANGSTROM } from "../core/constants.ts";
import { SaclaError } from "../core/errors.ts";
import { asFinite, asInteger, asOneOf, isRecord } from "../core/guards.ts";
import type { View } from "./placement.ts";
import type { RingGeometry } from "./ring-geometry.ts";

/** The picture that a PONI file speaks of: an assembled one, with the origin of the detector API in its middle. */
export interface PoniPicture {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly pixelSizeUm: number;
  readonly view: View;
}

/** pyFAI's orientation of each view: it says at which corner of the picture the first pixel lies. */
const orientations: Readonly<Record<View, number>> = { source: 2, detector: 1 };

/**
 * The geometry as a PONI file of pyFAI (version 2.1) for an assembled picture. The orientation written is 2 for the
 * source view and 1 for the detector view, so that azimuths are right too.
 * @throws BAD_ARGUMENT for sizes that are not above 0
 */
export function toPoni(geometry: RingGeometry, picture: PoniPicture & { readonly photonEnergyEv: number }): string {
  const { width, height, pixelSizeUm, view } = checked(picture);
  const { distanceMm, normalUm, rot1Deg = 0, rot2Deg = 0, rot3Deg = 0 } = geometry;
  const metres = pixelSizeUm / 1e6;
  const config = { pixel1: metres, pixel2: metres, max_shape: [height, width], orientation: orientations[view] };
  const energy = asFinite("photonEnergyEv", picture.photonEnergyEv, Number.MIN_VALUE);
  return [
    "# Nota: C-Order, 1 refers to the Y axis, 2 to the X axis",
    "poni_version: 2.1",
    "Detector: Detector",
    `Detector_config: ${JSON.stringify(config)}`,
    `Distance: ${distanceMm / 1000}`,
    `Poni1: ${(normalUm.y + (height / 2) * pixelSizeUm) * 1e-6}`,
    `Poni2: ${(normalUm.x + (width / 2) * pixelSizeUm) * 1e-6}`,
    `Rot1: ${rot1Deg / DEGREES}`,
    `Rot2: ${rot2Deg / DEGREES}`,
    `Rot3: ${rot3Deg / DEGREES}`,
    `Wavelength: ${(HC_EV_ANGSTROM / energy) * 1e-10}`,
    "",
  ].join("\n");
}

const DEGREES = 180 / Math.PI;

/**
 * The geometry of a PONI file (version 1, 2, 2.1 or 3; the last entry of each name counts) for the picture it was
 * made with. Any orientation is understood; without one pyFAI's default, 3, in which rows go up and the picture's
 * azimuth is mirrored.
 * @throws BAD_TEXT when a value is missing or not a number, the version is another, or the file is for other pixels or
 *   corrects for parallax
 */
export function parsePoni(
  text: string,
  picture: PoniPicture,
): { readonly geometry: RingGeometry; readonly photonEnergyEv: number | undefined } {
  const { width, height, pixelSizeUm, view } = checked(picture);
  const entries = new Map(
    text
      .split(/\r?\n/)
      .filter((line) => !line.startsWith("#") && line.includes(":"))
      .map((line) => [line.slice(0, line.indexOf(":")).trim().toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const version = entries.get("poni_version") ?? "1";
  if (!["1", "2", "2.1", "3"].includes(version.replace(/\.0$/, "")))
    throw notPoni(`its version is ${version}, and 1, 2, 2.1 and 3 can be read`);
  if (entries.get("parallax")?.toLowerCase() === "true")
    throw notPoni("it corrects for the parallax of thick sensors, and that cannot be taken over");
  const number = (name: string): number => {
    const value = Number(entries.get(name.toLowerCase()) || NaN);
    if (!Number.isFinite(value))
      throw notPoni(`${name} is ${entries.get(name.toLowerCase()) ?? "missing"}, not a number`);
    return value;
  };
  const config = configOf(entries.get("detector_config"));
  const orientation = orientationOf(config);
  checkPixels(
    [entries.get("pixelsize1") ?? config["pixel1"], entries.get("pixelsize2") ?? config["pixel2"]],
    pixelSizeUm,
  );
  // Orientations 1 and 2 count from the bottom of the picture up; 1 and 4 from its right side.
  const isUp = orientation === 1 || orientation === 2;
  const isFromRight = orientation === 1 || orientation === 4;
  const toRight = isFromRight === (view === "detector");
  const along = (poni: number, pixels: number, sign: number): number =>
    sign * (poni * 1e6 - (pixels / 2) * pixelSizeUm);
  const [signY, signX] = [isUp ? 1 : -1, toRight ? 1 : -1];
  const wavelength =
    entries.has("wavelength") && entries.get("wavelength") !== "None" ? number("Wavelength") : undefined;
  return {
    geometry: {
      distanceMm: number("Distance") * 1000,
      normalUm: { x: along(number("Poni2"), width, signX), y: along(number("Poni1"), height, signY) },
      rot1Deg: signX * number("Rot1") * DEGREES,
      rot2Deg: signY * number("Rot2") * DEGREES,
      rot3Deg: signX * signY * number("Rot3") * DEGREES,
    },
    photonEnergyEv: wavelength === undefined ? undefined : HC_EV_ANGSTROM / (wavelength * 1e10),
  };
}

/** What stands in Detector_config; nothing in version 1, which names a detector or has its pixel sizes beside it. */
function configOf(text: string | undefined): Readonly<Record<string, unknown>> {
  if (text === undefined || text === "None") return {};
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    throw notPoni(`Detector_config is ${text}, not JSON`);
  }
  return isRecord(config) ? config : {};
}

function orientationOf(config: Readonly<Record<string, unknown>>): number {
  const orientation = config["orientation"] ?? 3;
  if (orientation !== 1 && orientation !== 2 && orientation !== 3 && orientation !== 4)
    throw notPoni(`the orientation is ${JSON.stringify(orientation)}, not 1, 2, 3 or 4`);
  return orientation;
}

/** A file for other pixels is one for another picture. A named detector tells no pixel size. */
function checkPixels(metres: readonly unknown[], pixelSizeUm: number): void {
  for (const size of metres.map(Number))
    if (size > 0 && Math.abs(size * 1e6 - pixelSizeUm) > 1e-3 * pixelSizeUm)
      throw notPoni(`it is for pixels of ${size * 1e6} µm, and the picture has pixels of ${pixelSizeUm} µm`);
}

function checked({ width, height, pixelSizeUm, view }: PoniPicture): PoniPicture {
  return {
    width: asInteger("width", width, 1),
    height: asInteger("height", height, 1),
    pixelSizeUm: asFinite("pixelSizeUm", pixelSizeUm, Number.MIN_VALUE),
    view: asOneOf("view", view, ["source", "detector"]),
  };
}

function notPoni(why: string): SaclaError {
  return new SaclaError("BAD_TEXT", `Not a PONI file that can be used: ${why}.`);
}
