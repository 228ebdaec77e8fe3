import { EV_PER_ELECTRON, HC_EV_ANGSTROM } from "../core/constants.ts";
import type { DetectorInfo } from "../core/detector.ts";
import { SaclaError, show } from "../core/errors.ts";
import type { Roi } from "../core/roi.ts";

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

/** What a CrystFEL geometry file says, as far as a detector's geometry goes. */
export interface CrystfelGeom {
  /** One per panel, in the order of the file; ids are the panels' names. */
  readonly sensors: DetectorInfo[];
  readonly badRegions: CrystfelBadRegion[];
  /** null when the file names a place in the data file, or nothing. */
  readonly photonEnergyEv: number | null;
  /** null when the file names a place in the data file, or nothing, or the panels differ. */
  readonly cameraLengthMm: number | null;
}

interface Entry {
  readonly text: string;
  readonly line: number;
}

/** A panel or bad region while it is read. */
interface Block {
  readonly name: string;
  readonly line: number;
  readonly entries: Map<string, Entry>;
}

/**
 * How far ss may turn from 90° to fs (0.2 pixel over 1024), and how far a panel may lean, before information would be
 * lost.
 */
const SHEAR = 2e-4;
const LEAN = 1e-2;

/**
 * Reads a CrystFEL geometry file. Values without a panel hold for the panels that follow, as in CrystFEL. Angles are
 * rounded to 10⁻⁸ degrees and lengths to 10⁻⁶ µm, so that what {@link toCrystfelGeom} wrote comes back as it was;
 * angles lie in (−180, 180]. Keys that do not say where pixels are or whether they count are not read.
 *
 * @returns sensors with `absGain` from adu_per_eV or adu_per_photon (null without), and bad regions
 * @throws BAD_TEXT with the line when the text cannot be understood, or a panel lacks something
 * @throws BAD_GEOMETRY when a panel is mirrored, sheared or leaning, which a sensor's geometry cannot say
 */
export function parseCrystfelGeom(text: string): CrystfelGeom {
  const { panels, bads, defaults } = readBlocks(text);
  if (panels.length === 0) throw badText(1, "there is no panel (a line such as q1/fs = -1.0x +0.0y)");
  const photonEnergyEv = energyOf(defaults);
  const shift = { x: lengthM(defaults.get("detector_shift_x")), y: lengthM(defaults.get("detector_shift_y")) };
  const sensors = panels.map((panel) => sensorOf(panel, photonEnergyEv, shift));
  const lengths = new Set(panels.map((panel) => cameraLengthOf(panel.entries.get("clen"))));
  const [cameraLengthMm] = lengths;
  const excluded = panels
    .filter((panel) => /^(1|true)$/.test(panel.entries.get("no_index")?.text ?? ""))
    .map((panel) => wholePanel(panel));
  return {
    sensors,
    badRegions: [...excluded, ...bads.map((bad) => regionOf(bad, panels))],
    photonEnergyEv,
    cameraLengthMm: lengths.size === 1 ? (cameraLengthMm ?? null) : null,
  };
}

function readBlocks(text: string): { panels: Block[]; bads: Block[]; defaults: Map<string, Entry> } {
  const panels = new Map<string, Block>();
  const bads = new Map<string, Block>();
  const defaults = new Map<string, Entry>();
  for (const [i, raw] of text.split(/\r?\n/).entries()) {
    const content = raw.replace(/;.*/, "").trim();
    if (content === "") continue;
    const line = i + 1;
    const match = /^(?:([^/=\s]+)\/)?([^/=\s]+)\s*=\s*(.*)$/.exec(content);
    const key = match?.[2];
    const value = match?.[3];
    if (key === undefined || value === undefined || value === "")
      throw badText(line, `${show(content)} is not of the form key = value or panel/key = value`);
    const name = match?.[1];
    if (name === undefined) {
      defaults.set(key, { text: value, line });
      continue;
    }
    const isBad = name.startsWith("bad");
    const blocks = isBad ? bads : panels;
    const block = blocks.get(name) ?? { name, line, entries: new Map(isBad ? [] : defaults) };
    blocks.set(name, block);
    block.entries.set(key, { text: value, line });
  }
  return { panels: [...panels.values()], bads: [...bads.values()], defaults };
}

function sensorOf(panel: Block, photonEnergyEv: number | null, shift: { x: number; y: number }): DetectorInfo {
  const { columns, rows } = extentOf(panel);
  const pixelUm = 1e6 / positive(panel, "res");
  const fs = vectorOf(panel, "fs");
  const ss = vectorOf(panel, "ss");
  checkVectors(panel, fs, ss);
  return {
    id: panel.name,
    xsize: columns[1] - columns[0],
    ysize: rows[1] - rows[0],
    absGain: absGainOf(panel, photonEnergyEv),
    geometry: {
      posXUm: round(-(number(panel, "corner_x") * pixelUm + shift.x * 1e6), 6),
      posYUm: round(number(panel, "corner_y") * pixelUm + shift.y * 1e6, 6),
      posZUm: round(-(panel.entries.has("coffset") ? number(panel, "coffset") : 0) * 1e6, 6),
      rotationDeg: angleOf(fs),
      pixelSizeXUm: round(pixelUm * Math.hypot(fs.x, fs.y), 9),
      pixelSizeYUm: round(pixelUm * Math.hypot(ss.x, ss.y), 9),
      manipulatorShiftUm: 0,
    },
  };
}

/** fs = (−cos a, sin a). */
function angleOf(fs: Vector): number {
  const degrees = round((Math.atan2(fs.y, -fs.x) * 180) / Math.PI, 8);
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
      throw badText(
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

function regionOf(bad: Block, panels: readonly Block[]): CrystfelBadRegion {
  const { name } = bad;
  const inLab = ["min_x", "max_x", "min_y", "max_y"].some((key) => bad.entries.has(key));
  if (inLab) {
    const mixed = [...bad.entries].find(([key]) => /_(fs|ss)$/.test(key))?.[1];
    if (mixed !== undefined) throw badText(mixed.line, `bad region ${name} mixes x/y with fs/ss`);
    return {
      name,
      minX: number(bad, "min_x"),
      maxX: number(bad, "max_x"),
      minY: number(bad, "min_y"),
      maxY: number(bad, "max_y"),
    };
  }
  const region = extentOf(bad);
  const { text: sensor, line } = entry(bad, "panel");
  const panel = panels.find((p) => p.name === sensor);
  if (panel === undefined)
    throw badText(line, `bad region ${name} names panel ${show(sensor)}, which is not in the file`);
  const frame = extentOf(panel);
  const within = (range: readonly [number, number], of: readonly [number, number], axis: string): [number, number] => {
    if (range[0] < of[0] || range[1] > of[1]) {
      throw badText(
        entry(bad, `min_${axis}`).line,
        `bad region ${name} has ${axis} ${range[0]}…${range[1] - 1}, but panel ${sensor} has ${of[0]}…${of[1] - 1}`,
      );
    }
    return [range[0] - of[0], range[1] - of[0]];
  };
  return {
    name,
    sensor,
    roi: { rows: within(region.rows, frame.rows, "ss"), columns: within(region.columns, frame.columns, "fs") },
  };
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
      throw badText(line, `${key} of ${panel.name} is ${show(text)}, but must be a direction such as -0.5x +0.5y`);
    const [whole = "", sign = "", size = "1", axis] = match;
    if (axis === "x" || axis === "y" || axis === "z") vector[axis] += Number(`${sign}${size}`);
    rest = rest.slice(whole.length);
  }
  if (Math.hypot(vector.x, vector.y) === 0)
    throw badText(line, `${key} of ${panel.name} is ${show(text)}, which has no direction across the beam`);
  return vector;
}

function checkVectors(panel: Block, fs: Vector, ss: Vector): void {
  const [fast, slow] = [Math.hypot(fs.x, fs.y), Math.hypot(ss.x, ss.y)];
  const turned = (fs.x * ss.y - fs.y * ss.x) / (fast * slow);
  const sheared = (fs.x * ss.x + fs.y * ss.y) / (fast * slow);
  const { line, text } = entry(panel, "ss");
  const problem =
    turned < 0
      ? "is mirrored: ss must be fs turned by +90° in CrystFEL's frame"
      : Math.abs(sheared) > SHEAR
        ? `is sheared: its angle to fs is off 90° by ${Math.abs(sheared).toPrecision(2)} rad (at most ${SHEAR})`
        : Math.max(Math.abs(fs.z) / fast, Math.abs(ss.z) / slow) > LEAN
          ? `leans along the beam by more than ${LEAN} rad`
          : undefined;
  if (problem === undefined) return;
  throw new SaclaError(
    "BAD_GEOMETRY",
    `Line ${line}: panel ${panel.name} (ss = ${text}) ${problem}. ` +
      "A sensor of the detector API cannot lie so; correct fs and ss.",
    {
      details: { panel: panel.name, line },
    },
  );
}

/** Photon energy of the file in eV; null when it is a place in the data file or not given. */
function energyOf(defaults: ReadonlyMap<string, Entry>): number | null {
  const energy = defaults.get("photon_energy");
  const wavelength = defaults.get("wavelength");
  if (energy !== undefined) return energy.text.startsWith("/") ? null : withUnit(energy, { "": 1, eV: 1, keV: 1000 });
  if (wavelength === undefined || wavelength.text.startsWith("/")) return null;
  return HC_EV_ANGSTROM / withUnit(wavelength, { A: 1, m: 1e10 });
}

function cameraLengthOf(clen: Entry | undefined): number | null {
  if (clen === undefined || clen.text.startsWith("/")) return null;
  return round(withUnit(clen, { "": 1, m: 1, mm: 1e-3 }) * 1000, 9);
}

function lengthM(shift: Entry | undefined): number {
  return shift === undefined ? 0 : withUnit(shift, { "": 1, m: 1, mm: 1e-3 });
}

function withUnit({ text, line }: Entry, units: Readonly<Record<string, number>>): number {
  const match = /^(\S+?)\s*([a-zA-Z]*)$/.exec(text);
  const value = Number(match?.[1]);
  const factor = units[match?.[2] ?? ""];
  if (!Number.isFinite(value) || factor === undefined) {
    throw badText(
      line,
      `${show(text)} is not a number with a unit of ${Object.keys(units).filter(Boolean).join(", ")}`,
    );
  }
  return value * factor;
}

function entry(block: Block, key: string): Entry {
  const found = block.entries.get(key);
  if (found === undefined) throw badText(block.line, `${block.name} begins here, but has no ${key}`);
  return found;
}

function number(block: Block, key: string): number {
  const { text, line } = entry(block, key);
  const value = Number(text);
  if (!Number.isFinite(value)) throw badText(line, `${key} of ${block.name} is ${show(text)}, but must be a number`);
  return value;
}

function positive(block: Block, key: string): number {
  const value = number(block, key);
  if (value <= 0) throw badText(entry(block, key).line, `${key} of ${block.name} is ${value}, but must be above 0`);
  return value;
}

function whole(block: Block, key: string): number {
  const value = number(block, key);
  if (!Number.isInteger(value) || value < 0)
    throw badText(entry(block, key).line, `${key} of ${block.name} is ${value}, but must be a whole number from 0`);
  return value;
}

/** Rounded to `digits` decimals, so that a number which went through text is the one that went in. Never −0. */
function round(value: number, digits: number): number {
  return Number(value.toFixed(digits)) + 0;
}

function badText(line: number, problem: string): SaclaError {
  return new SaclaError("BAD_TEXT", `Line ${line} of the CrystFEL geometry: ${problem}.`, { details: { line } });
}
