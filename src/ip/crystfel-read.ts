import { EV_PER_ELECTRON, HC_EV_ANGSTROM } from "../core/constants.ts";
import type { DetectorInfo } from "../core/detector.ts";
import { SaclaError, show } from "../core/errors.ts";
import type { Roi } from "../core/roi.ts";
import {
  type Block,
  badGeomText,
  type Entry,
  entry,
  number,
  positive,
  readBlocks,
  whole,
  withUnit,
} from "./crystfel-text.ts";

/** Pixels a CrystFEL geometry excludes. */
export type CrystfelBadRegion =
  /** Pixels of one panel; a panel with `no_index` is one region. */
  | { readonly name: string; readonly sensor: string; readonly roi: Roi }
  /**
   * A rectangle of the laboratory frame, in pixels, as the file gives it (x to the **left** looking from the source).
   */
  | {
      readonly name: string;
      readonly minX: number;
      readonly maxX: number;
      readonly minY: number;
      readonly maxY: number;
    };

/** One axis of an array of images, as CrystFEL names it. */
type CrystfelDim = "%" | "ss" | "fs" | number;

/** Where a panel lies in the data file, and what its sensor's geometry cannot say. */
export interface CrystfelPanel {
  readonly name: string;
  /** Row (ss) and column (fs) of the panel's first pixel in the array that holds it. */
  readonly firstRow: number;
  readonly firstColumn: number;
  /**
   * The panel is a mirror image of what a sensor can be. Its sensor is that of the image with the rows in reverse
   * order: row r of the sensor is row ysize − 1 − r of the panel.
   */
  readonly isMirrored: boolean;
  /** What 1 of a length in the file is, in µm: 10⁶ / `res`. */
  readonly unitUm: number;
  /**
   * How far the panel leans out of the plane across the beam, per pixel along fs and ss, as the z of these vectors;
   * positive away from the source. The sensor lies flat.
   */
  readonly lean: readonly [fs: number, ss: number];
  /** Path of the images in the data file; null: CrystFEL's own default. */
  readonly dataPath: string | null;
  /**
   * What the axes of the array of images are, from `dim0`, `dim1`, …: `%` the shots, `ss` the rows, `fs` the columns; a
   * number is the index that is read on that axis. Absent: CrystFEL's own default, [ss, fs].
   */
  readonly dims?: readonly CrystfelDim[];
  /** Path of the mask, in the data file or in `mask_file`; null without. */
  readonly maskPath: string | null;
  /** Bits of that mask that a good pixel has, and has not; absent where the file says neither. */
  readonly maskBits?: { readonly good: number; readonly bad: number };
}

/** What a CrystFEL geometry file says, as far as a detector's geometry goes. */
export interface CrystfelGeom {
  /** One per panel, in the order of the file; ids are the panels' names. */
  readonly sensors: DetectorInfo[];
  /** In the order of {@link sensors}. */
  readonly panels: CrystfelPanel[];
  readonly badRegions: CrystfelBadRegion[];
  /** null when the file names a place in the data file, or nothing. */
  readonly photonEnergyEv: number | null;
  /** Path, or header of the images, where the photon energy or wavelength of each shot stands; null without. */
  readonly photonEnergyPath: string | null;
  /** null when the file names a place in the data file, or nothing, or the panels differ. */
  readonly cameraLengthMm: number | null;
  /** Path, or header of the images, of the distance from sample to detector; null without. */
  readonly cameraLengthPath: string | null;
  /** What was read and does not come through, a sentence each: leaning or sheared panels, a shift in the data file. */
  readonly notes: string[];
}

/** How far ss may turn from 90° to fs, and how far a panel may lean, before its geometry is refused, in rad. */
const SHEAR = 5e-3;
const LEAN = 5e-2;
/** A shift of a corner of a panel that is worth a note, in pixels. */
const NOTED_PIXELS = 0.1;

/**
 * Reads a CrystFEL geometry file. Values without a panel hold for the panels that follow, as in CrystFEL. Angles are
 * rounded to 10⁻⁸ degrees and lengths to 10⁻⁶ µm, so that what {@link toCrystfelGeom} wrote comes back as it was;
 * angles lie in (−180, 180]. Keys that do not say where pixels are or whether they count are not read. Read as
 * libcrystfel 0.12 reads them: a bad region needs no `panel` where there is one panel only; a range of a bad region
 * that is absent is 0; one whose end lies before its beginning has no pixels. `notes` say what was left out.
 *
 * @returns sensors with `absGain` from adu_per_eV or adu_per_photon (null without), and bad regions
 * @throws BAD_TEXT with the line when the text cannot be understood, or a panel lacks something
 * @throws BAD_GEOMETRY when a panel is sheared by more than 5e-3 rad, or leans by more than 0.05 rad
 */
export function parseCrystfelGeom(text: string): CrystfelGeom {
  const { panels, bads, defaults } = readBlocks(text);
  if (panels.length === 0) throw badGeomText(1, "there is no panel (a line such as q1/fs = -1.0x +0.0y)");
  const notes: string[] = [];
  const photonEnergyEv = energyOf(defaults);
  const shift = { x: shiftM(defaults, "detector_shift_x", notes), y: shiftM(defaults, "detector_shift_y", notes) };
  const lengths = new Set(panels.map((panel) => cameraLengthOf(panel.entries.get("clen") ?? defaults.get("clen"))));
  const [cameraLengthMm] = lengths;
  const excluded = panels
    .filter((panel) => /^([1-9]\d*|true)$/i.test(panel.entries.get("no_index")?.text ?? ""))
    .map((panel) => wholePanel(panel));
  return {
    sensors: panels.map((panel) => sensorOf(panel, photonEnergyEv, shift, notes)),
    panels: panels.map(placeOf),
    badRegions: [...excluded, ...bads.flatMap((bad) => regionOf(bad, panels, notes))],
    photonEnergyEv,
    photonEnergyPath: placeIn(defaults.get("photon_energy") ?? defaults.get("wavelength")),
    cameraLengthMm: lengths.size === 1 ? (cameraLengthMm ?? null) : null,
    cameraLengthPath: placeIn(defaults.get("clen") ?? panels[0]?.entries.get("clen")),
    notes,
  };
}

function sensorOf(
  panel: Block,
  photonEnergyEv: number | null,
  shift: { readonly x: number; readonly y: number },
  notes: string[],
): DetectorInfo {
  const { columns, rows } = extentOf(panel);
  const [ysize, xsize] = [rows[1] - rows[0], columns[1] - columns[0]];
  const pixelUm = 1e6 / positive(panel, "res");
  const { fs, ss, isMirrored } = vectorsOf(panel, notes, [ysize, xsize]);
  // Of a mirrored panel the last row comes first, and ss points the other way.
  const rowsBack = isMirrored ? ysize : 0;
  const corner = {
    x: number(panel, "corner_x") - rowsBack * ss.x,
    y: number(panel, "corner_y") - rowsBack * ss.y,
  };
  return {
    id: panel.name,
    xsize,
    ysize,
    absGain: absGainOf(panel, photonEnergyEv),
    geometry: {
      posXUm: round(-(corner.x * pixelUm + shift.x * 1e6), 6),
      posYUm: round(corner.y * pixelUm + shift.y * 1e6, 6),
      posZUm: round(-(panel.entries.has("coffset") ? number(panel, "coffset") : 0) * 1e6, 6),
      rotationDeg: angleOf(fs, ss),
      pixelSizeXUm: round(pixelUm * Math.hypot(fs.x, fs.y), 9),
      pixelSizeYUm: round(pixelUm * Math.hypot(ss.x, ss.y), 9),
      manipulatorShiftUm: 0,
    },
  };
}

function placeOf(panel: Block): CrystfelPanel {
  const { columns, rows } = extentOf(panel);
  const [fs, ss] = [vectorOf(panel, "fs"), vectorOf(panel, "ss")];
  return {
    name: panel.name,
    firstRow: rows[0],
    firstColumn: columns[0],
    isMirrored: turnOf(fs, ss) < 0,
    unitUm: 1e6 / positive(panel, "res"),
    lean: [fs.z, ss.z],
    dataPath: panel.entries.get("data")?.text ?? null,
    ...dimsOf(panel),
    maskPath: (panel.entries.get("mask") ?? panel.entries.get("mask0_data"))?.text ?? null,
    ...maskBitsOf(panel),
  };
}

function maskBitsOf({ entries }: Block): { readonly maskBits?: { readonly good: number; readonly bad: number } } {
  // A mask in a file of its own is not that of the images.
  if (entries.has("mask_file") || entries.has("mask0_file")) return {};
  const [good, bad] = ["good", "bad"].map((which) =>
    Number((entries.get(`mask_${which}`) ?? entries.get(`mask0_${which}bits`))?.text ?? NaN),
  ) as [number, number];
  if (Number.isNaN(good) && Number.isNaN(bad)) return {};
  return { maskBits: { good: Number.isNaN(good) ? 0 : good, bad: Number.isNaN(bad) ? 0 : bad } };
}

/** @throws BAD_TEXT when an axis is missing, or `ss` and `fs` are not there once each */
function dimsOf(panel: Block): { readonly dims?: readonly CrystfelDim[] } {
  const count = [...panel.entries.keys()].filter((key) => /^dim\d+$/.test(key)).length;
  if (count === 0) return {};
  const dims = Array.from({ length: count }, (_, k): CrystfelDim => {
    const { text, line } = entry(panel, `dim${k}`);
    if (text === "%" || text === "ss" || text === "fs") return text;
    if (/^\d+$/.test(text)) return Number(text);
    throw badGeomText(line, `dim${k} of ${panel.name} is ${show(text)}, but must be %, ss, fs or a whole number`);
  });
  const often = (wanted: CrystfelDim): number => dims.filter((dim) => dim === wanted).length;
  if (often("ss") === 1 && often("fs") === 1 && often("%") <= 1) return { dims };
  throw badGeomText(panel.line, `the axes of ${panel.name} are ${dims.join(", ")}, but must have ss and fs once each`);
}

/** fs = (−cos a, sin a) and ss = (−sin a, −cos a); of a sheared panel, the angle between what the two say. */
function angleOf(fs: Vector, ss: Vector): number {
  const [alongFs, alongSs] = [Math.atan2(fs.y, -fs.x), Math.atan2(-ss.x, -ss.y)];
  const apart = Math.atan2(Math.sin(alongSs - alongFs), Math.cos(alongSs - alongFs));
  const turned = Math.atan2(Math.sin(alongFs + apart / 2), Math.cos(alongFs + apart / 2));
  const degrees = round((turned * 180) / Math.PI, 8);
  return degrees === -180 ? 180 : degrees;
}

function absGainOf(panel: Block, photonEnergyEv: number | null): number | null {
  if (panel.entries.has("adu_per_eV")) return round(1 / (EV_PER_ELECTRON * positive(panel, "adu_per_eV")), 9);
  if (!panel.entries.has("adu_per_photon") || photonEnergyEv === null) return null;
  return round(photonEnergyEv / (EV_PER_ELECTRON * positive(panel, "adu_per_photon")), 9);
}

/** Rows and columns of the panel in the data, ends excluded. */
function extentOf(panel: Block): Roi {
  const range = (axis: "fs" | "ss"): [number, number] => {
    const [min, max] = [whole(panel, `min_${axis}`), whole(panel, `max_${axis}`)];
    if (max < min)
      throw badGeomText(
        entry(panel, `max_${axis}`).line,
        `max_${axis} of ${panel.name} is ${max}, below min_${axis} = ${min}`,
      );
    return [min, max + 1];
  };
  return { columns: range("fs"), rows: range("ss") };
}

function wholePanel(panel: Block): CrystfelBadRegion {
  const { rows, columns } = extentOf(panel);
  return {
    name: `${panel.name}/no_index`,
    sensor: panel.name,
    roi: { rows: [0, rows[1] - rows[0]], columns: [0, columns[1] - columns[0]] },
  };
}

function regionOf(bad: Block, panels: readonly Block[], notes: string[]): CrystfelBadRegion[] {
  const { name, line } = bad;
  const has = (...keys: string[]): boolean => keys.some((key) => bad.entries.has(key));
  const empty = (why: string): [] => {
    notes.push(`Line ${line}: bad region ${name} has no pixels: ${why}.`);
    return [];
  };
  if (has("min_x", "max_x", "min_y", "max_y")) {
    const mixed = [...bad.entries].find(([key]) => /_(fs|ss)$/.test(key))?.[1];
    if (mixed !== undefined) throw badGeomText(mixed.line, `bad region ${name} mixes x/y with fs/ss`);
    const absent = ["min_x", "max_x", "min_y", "max_y"].find((key) => !bad.entries.has(key));
    if (absent !== undefined) return empty(`it has no ${absent}`);
    const [minX, maxX] = [number(bad, "min_x"), number(bad, "max_x")];
    const [minY, maxY] = [number(bad, "min_y"), number(bad, "max_y")];
    return maxX < minX || maxY < minY ? empty("it ends before it begins") : [{ name, minX, maxX, minY, maxY }];
  }
  if (!has("min_fs", "max_fs", "min_ss", "max_ss")) throw badGeomText(line, `${name} begins here, but has no min_fs`);
  const range = (axis: "fs" | "ss"): [number, number] => [
    has(`min_${axis}`) ? whole(bad, `min_${axis}`) : 0,
    (has(`max_${axis}`) ? whole(bad, `max_${axis}`) : 0) + 1,
  ];
  const region = { columns: range("fs"), rows: range("ss") };
  const panel = panelOf(bad, panels);
  if (region.columns[1] <= region.columns[0] || region.rows[1] <= region.rows[0])
    return empty("it ends before it begins");
  const frame = extentOf(panel);
  const [fs, ss] = [vectorOf(panel, "fs"), vectorOf(panel, "ss")];
  const within = (range: readonly [number, number], of: readonly [number, number], axis: string): [number, number] => {
    if (range[0] < of[0] || range[1] > of[1]) {
      throw badGeomText(
        bad.entries.get(`min_${axis}`)?.line ?? line,
        `bad region ${name} has ${axis} ${range[0]}…${range[1] - 1}, ` +
          `but panel ${panel.name} has ${of[0]}…${of[1] - 1}`,
      );
    }
    return [range[0] - of[0], range[1] - of[0]];
  };
  const columns = within(region.columns, frame.columns, "fs");
  const [first, end] = within(region.rows, frame.rows, "ss");
  const height = frame.rows[1] - frame.rows[0];
  const rows: [number, number] = turnOf(fs, ss) < 0 ? [height - end, height - first] : [first, end];
  return [{ name, sensor: panel.name, roi: { rows, columns } }];
}

/** The panel of a bad region; where there is only one, it need not be named. */
function panelOf(bad: Block, panels: readonly Block[]): Block {
  const [only, ...others] = panels;
  if (!bad.entries.has("panel") && only !== undefined && others.length === 0) return only;
  const { text: sensor, line } = entry(bad, "panel");
  const panel = panels.find((p) => p.name === sensor);
  if (panel === undefined)
    throw badGeomText(line, `bad region ${bad.name} names panel ${show(sensor)}, which is not in the file`);
  return panel;
}

interface Vector {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

function vectorOf(panel: Block, key: "fs" | "ss"): Vector {
  const { text, line } = entry(panel, key);
  const compact = text.replace(/\s+/g, "");
  const vector = { x: 0, y: 0, z: 0 };
  let rest = compact;
  while (rest !== "") {
    const match = /^([+-]?)(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)?([xyz])(?=[+-]|$)/.exec(rest);
    if (match === null)
      throw badGeomText(line, `${key} of ${panel.name} is ${show(text)}, but must be a direction such as -0.5x +0.5y`);
    const [whole = "", sign = "", size = "1", axis] = match;
    if (axis === "x" || axis === "y" || axis === "z") vector[axis] += Number(`${sign}${size}`);
    rest = rest.slice(whole.length);
  }
  if (Math.hypot(vector.x, vector.y) === 0)
    throw badGeomText(line, `${key} of ${panel.name} is ${show(text)}, which has no direction across the beam`);
  return vector;
}

/** Positive where ss is fs turned by +90° in CrystFEL's frame, as on every sensor; negative on mirrored panels. */
function turnOf(fs: Vector, ss: Vector): number {
  return (fs.x * ss.y - fs.y * ss.x) / (Math.hypot(fs.x, fs.y) * Math.hypot(ss.x, ss.y));
}

/** The vectors of a panel; of a mirrored one those of its image with the rows in reverse order. */
function vectorsOf(
  panel: Block,
  notes: string[],
  [rows, columns]: readonly [number, number],
): { fs: Vector; ss: Vector; isMirrored: boolean } {
  const [fs, asWritten] = [vectorOf(panel, "fs"), vectorOf(panel, "ss")];
  const isMirrored = turnOf(fs, asWritten) < 0;
  const ss = isMirrored ? { x: -asWritten.x, y: -asWritten.y, z: -asWritten.z } : asWritten;
  const [fast, slow] = [Math.hypot(fs.x, fs.y), Math.hypot(ss.x, ss.y)];
  const sheared = Math.abs(fs.x * ss.x + fs.y * ss.y) / (fast * slow);
  const leaning = Math.max(Math.abs(fs.z) / fast, Math.abs(ss.z) / slow);
  const { line, text } = entry(panel, "ss");
  const problem =
    sheared > SHEAR
      ? `is sheared: its angle to fs is off 90° by ${sheared.toPrecision(2)} rad (at most ${SHEAR})`
      : leaning > LEAN
        ? `leans along the beam by more than ${LEAN} rad`
        : undefined;
  if (problem !== undefined)
    throw new SaclaError(
      "BAD_GEOMETRY",
      `Line ${line}: panel ${panel.name} (ss = ${text}) ${problem}. ` +
        "A sensor of the detector API cannot lie so; correct fs and ss.",
      { details: { panel: panel.name, line } },
    );
  const off = (sheared / 2) * Math.max(rows, columns);
  if (off > NOTED_PIXELS)
    notes.push(
      `Line ${line}: panel ${panel.name} is sheared by ${sheared.toPrecision(2)} rad; ` +
        `its sensor is not, so that its far corner is off by ${off.toFixed(2)} pixels.`,
    );
  const depth = Math.abs(fs.z) * columns + Math.abs(ss.z) * rows;
  if (depth > NOTED_PIXELS)
    notes.push(
      `Line ${line}: panel ${panel.name} leans out of the plane by ${depth.toFixed(1)} pixels from corner to corner; ` +
        "its sensor lies flat.",
    );
  return { fs, ss, isMirrored };
}

/** Photon energy of the file in eV; null when it is a place in the data file, not given, or of electrons. */
function energyOf(defaults: ReadonlyMap<string, Entry>): number | null {
  const energy = defaults.get("photon_energy");
  const wavelength = defaults.get("wavelength");
  if (energy !== undefined) return placeIn(energy) === null ? withUnit(energy, { "": 1, eV: 1, keV: 1000 }) : null;
  if (wavelength === undefined || placeIn(wavelength) !== null) return null;
  return HC_EV_ANGSTROM / withUnit(wavelength, { A: 1, m: 1e10 });
}

/** A place in the data file (a path, or a header of the images), without its unit; null for a number or nothing. */
function placeIn(found: Entry | undefined): string | null {
  if (found === undefined || /^[-+.\d]/.test(found.text)) return null;
  return found.text.replace(/\s+(eV|keV|m|mm|A)$/, "");
}

function cameraLengthOf(clen: Entry | undefined): number | null {
  if (clen === undefined || placeIn(clen) !== null) return null;
  return round(withUnit(clen, { "": 1, m: 1, mm: 1e-3 }) * 1000, 9);
}

function shiftM(defaults: ReadonlyMap<string, Entry>, key: string, notes: string[]): number {
  const shift = defaults.get(key);
  if (shift === undefined) return 0;
  const place = placeIn(shift);
  if (place === null) return withUnit(shift, { "": 1, m: 1, mm: 1e-3 });
  notes.push(`Line ${shift.line}: ${key} is at ${place} of the data file; the sensors lie as if it were 0.`);
  return 0;
}

/** Rounded to `digits` decimals, so that a number which went through text is the one that went in. Never −0. */
function round(value: number, digits: number): number {
  return Number(value.toFixed(digits)) + 0;
}
