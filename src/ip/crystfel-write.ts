import { EV_PER_ELECTRON } from "../core/constants.ts";
import type { DetectorInfo } from "../core/detector.ts";
import { asFinite, badArgument } from "../core/guards.ts";
import { any, flag, optional, resolveOptions } from "../core/options.ts";
import type { Roi } from "../core/roi.ts";
import { geometryOf } from "./geometry.ts";
import { checkPerSensor, entryFor, type PerSensor, readMask, type SensorMask } from "./pixels.ts";
import { direction } from "./placement.ts";

export interface CrystfelGeomOptions {
  /** Of all shots, or the mean of them where {@link photonEnergyPath} is given. */
  readonly photonEnergyEv: number;
  /** Where the data file has the photon energy of each shot in eV: `/%/photon_energy_ev`. */
  readonly photonEnergyPath?: string | undefined;
  /**
   * Value of a pixel for one photon, where it is the same whatever the photon energy, as in images of photons. By
   * default each sensor's `adu_per_eV` is written, from its gain.
   */
  readonly aduPerPhoton?: number | undefined;
  /** From the sample to the detector. */
  readonly cameraLengthMm: number;
  /** 1 = use; the rest becomes bad regions. */
  readonly masks?: PerSensor<SensorMask> | undefined;
  /**
   * Where the stacked images are in the data file, as CrystFEL writes paths: `/%/data`. CrystFEL's own default when
   * absent.
   */
  readonly dataPath?: string | undefined;
  /** The array there has the images of all shots, [shot, row, column]. @default false: one image, [row, column] */
  readonly hasShotAxis?: boolean | undefined;
  /** Where the stacked mask (0 = good) is in the data file; no lines about a mask when absent. */
  readonly maskPath?: string | undefined;
  /** Where the peak lists (CXI's: nPeaks, peakXPosRaw …) are in the data file; no lines about peaks when absent. */
  readonly peakListPath?: string | undefined;
}

/**
 * A CrystFEL geometry file (version 0.9 and later) for the sensors' raw images stacked in one array: sensor i in rows
 * [i·ysize, (i + 1)·ysize). CrystFEL's x points to the left looking from the source, so fs = (−cos a, sin a),
 * ss = (−sin a, −cos a) and corner = (−posX, posY) / pixel size; z points away from the source, so coffset = −posZ.
 * Values are written to 10⁻¹² (vectors) and 10⁻⁹ pixel (corners); {@link parseCrystfelGeom} gives the same sensors
 * back.
 *
 * Panels carry the sensors' ids, and each is a rigid group of its own, for geoptimiser; `align_detector` needs none.
 * `adu_per_eV` is 1 / (3.65 · absGain), so the data must be in each sensor's own ADU, unless `aduPerPhoton` is given.
 *
 * @throws BAD_ARGUMENT when an option is wrong, widths differ, or an id cannot be a panel name
 * @throws BAD_GEOMETRY when a geometry is absent, not finite, or the halves of the detector are open
 * @example
 * await writeFile("octal.geom", toCrystfelGeom(infos, { photonEnergyEv: 10_000, cameraLengthMm: 50 }));
 */
export function toCrystfelGeom(sensors: readonly DetectorInfo[], options: CrystfelGeomOptions): string {
  resolveOptions("toCrystfelGeom", options, {
    photonEnergyEv: any,
    photonEnergyPath: any,
    aduPerPhoton: any,
    cameraLengthMm: any,
    masks: any,
    dataPath: any,
    hasShotAxis: optional(flag),
    maskPath: any,
    peakListPath: any,
  });
  const photonEnergyEv = asFinite("photonEnergyEv", options.photonEnergyEv, Number.MIN_VALUE);
  const cameraLengthMm = asFinite("cameraLengthMm", options.cameraLengthMm, Number.MIN_VALUE);
  checkStack(sensors);
  const { masks, dataPath, maskPath, peakListPath, photonEnergyPath, aduPerPhoton } = options;
  if (aduPerPhoton !== undefined) asFinite("aduPerPhoton", aduPerPhoton, Number.MIN_VALUE);
  if (masks !== undefined) checkPerSensor("masks", masks, new Map(sensors.map(({ id }, i) => [id, i])));
  const lines = [
    "; CrystFEL geometry written by sacla",
    "; for raw sensor images stacked along the slow direction, in the order of the panels below",
    ...(photonEnergyPath === undefined
      ? [`photon_energy = ${plain(photonEnergyEv)}`]
      : path("photon_energy", photonEnergyPath, `of each shot; ${fixed(photonEnergyEv, 1)} eV on average`)),
    `clen = ${plain(cameraLengthMm / 1000)}`,
    ...(aduPerPhoton === undefined ? [] : [`adu_per_photon = ${plain(aduPerPhoton)}`]),
    ...path("data", dataPath),
    ...(options.hasShotAxis === true ? ["dim0 = %", "dim1 = ss", "dim2 = fs"] : []),
    // CrystFEL from 0.11 on refuses what is good and bad in a mask without the place of one.
    ...(maskPath === undefined ? [] : [...path("mask", maskPath), "mask_good = 0x00", "mask_bad = 0xff"]),
    ...(peakListPath === undefined ? [] : [...path("peak_list", peakListPath), "peak_list_type = cxi"]),
    ...rigidGroups(sensors),
  ];
  let firstRow = 0;
  const bad: string[] = [];
  for (const [i, info] of sensors.entries()) {
    lines.push("", ...panelLines(info, firstRow, aduPerPhoton === undefined ? photonEnergyEv : null));
    const use =
      masks === undefined
        ? null
        : readMask(`the mask of ${info.id}`, entryFor(masks, i, info.id), info.ysize, info.xsize);
    if (use !== null) bad.push(...badLines(info, i, firstRow, use));
    firstRow += info.ysize;
  }
  return `${[...lines, ...bad].join("\n")}\n`;
}

function checkStack(sensors: readonly DetectorInfo[]): void {
  const [first] = sensors;
  if (first === undefined) throw badArgument("sensors", "an empty list", "at least one sensor");
  const seen = new Set<string>();
  for (const { id, xsize } of sensors) {
    if (xsize !== first.xsize)
      throw badArgument(`xsize of sensor ${id}`, xsize, `${first.xsize} as the first one's, to stack their images`);
    // Names CrystFEL gives a meaning of its own, and characters that end a name.
    if (!/^(?!bad|group|rigid_group)[^\s/=;,]+$/.test(id))
      throw badArgument(
        "a sensor's id",
        id,
        "a panel name of CrystFEL: no spaces or /=;, and not beginning with bad or group",
      );
    if (seen.has(id)) throw badArgument("sensors", id, "each sensor once");
    seen.add(id);
  }
}

/** As SACLA's pipelines write them (ostrich: write_crystfel_geom). CrystFEL from 0.11 on ignores these lines. */
function rigidGroups(sensors: readonly DetectorInfo[]): string[] {
  const all = sensors.map(({ id }) => id).join(",");
  return [
    "",
    ...sensors.map(({ id }) => `rigid_group_${id} = ${id}`),
    `rigid_group_collection_independent = ${all}`,
    `rigid_group_collection_connected = ${all}`,
  ];
}

function path(key: string, value: string | undefined, comment = ""): string[] {
  if (value === undefined) return [];
  if (!/^\/[^\s;]*$/.test(value))
    throw badArgument(`the path of ${key}`, value, "a path from the root of the file, as /%/data");
  return [`${key} = ${value}${comment === "" ? "" : ` ; ${comment}`}`];
}

/** @param photonEnergyEv - for `adu_per_eV` from the gain; null: the file has `adu_per_photon` */
function panelLines(info: DetectorInfo, firstRow: number, photonEnergyEv: number | null): string[] {
  const g = geometryOf(info);
  const { id, xsize, ysize, absGain } = info;
  const { cos, sin } = direction(g.rotationDeg);
  // CrystFEL has one pixel size per panel; another size along the rows' direction goes into the length of ss.
  const ratio = g.pixelSizeYUm / g.pixelSizeXUm;
  const values: [string, string][] = [
    ["min_fs", "0"],
    ["max_fs", String(xsize - 1)],
    ["min_ss", String(firstRow)],
    ["max_ss", String(firstRow + ysize - 1)],
    ["res", plain(1e6 / g.pixelSizeXUm)],
    ["fs", vectorText(-cos, sin)],
    ["ss", vectorText(-sin * ratio, -cos * ratio)],
    ["corner_x", fixed(-g.posXUm / g.pixelSizeXUm, 9)],
    ["corner_y", fixed(g.posYUm / g.pixelSizeXUm, 9)],
    ["coffset", fixed(-g.posZUm / 1e6, 12)],
  ];
  const lines = values.map(([key, value]) => `${id}/${key} = ${value}`);
  if (absGain !== null && photonEnergyEv !== null) {
    asFinite(`absGain of sensor ${id}`, absGain, Number.MIN_VALUE);
    const aduPerEv = 1 / (EV_PER_ELECTRON * absGain);
    lines.push(
      `${id}/adu_per_eV = ${aduPerEv.toPrecision(15)} ; ${fixed(aduPerEv * photonEnergyEv, 3)} ADU per photon`,
    );
  }
  return lines;
}

function badLines(info: DetectorInfo, index: number, firstRow: number, use: Uint8Array): string[] {
  return rectangles(use, info.ysize, info.xsize).flatMap(({ rows, columns }, n) => {
    const name = `bad${index + 1}r${n + 1}`;
    return [
      "",
      `${name}/panel = ${info.id}`,
      `${name}/min_fs = ${columns[0]}`,
      `${name}/max_fs = ${columns[1] - 1}`,
      `${name}/min_ss = ${firstRow + rows[0]}`,
      `${name}/max_ss = ${firstRow + rows[1] - 1}`,
    ];
  });
}

/** The pixels that are 0, as rectangles that do not overlap: equal stretches of neighbouring rows are joined. */
function rectangles(use: Uint8Array, rows: number, columns: number): Roi[] {
  const done: Roi[] = [];
  let open = new Map<string, { start: number; columns: readonly [number, number] }>();
  for (let r = 0; r <= rows; r++) {
    const next: typeof open = new Map();
    for (const stretch of r < rows ? stretches(use, r * columns, columns) : []) {
      const key = stretch.join();
      next.set(key, { start: open.get(key)?.start ?? r, columns: stretch });
    }
    for (const [key, { start, columns: stretch }] of open) {
      if (!next.has(key)) done.push({ rows: [start, r], columns: stretch });
    }
    open = next;
  }
  return done;
}

function stretches(use: Uint8Array, from: number, columns: number): (readonly [start: number, end: number])[] {
  const found: (readonly [number, number])[] = [];
  for (let c = 0; c < columns; c++) {
    if (use[from + c] !== 0) continue;
    const start = c;
    while (c < columns && use[from + c] === 0) c++;
    found.push([start, c]);
  }
  return found;
}

/** Shortest text that reads back as the same number. */
function plain(value: number): string {
  return String(value);
}

/** A direction as CrystFEL reads it: it takes no exponents. */
export function vectorText(x: number, y: number, z = 0): string {
  return `${signed(x)}x ${signed(y)}y${z === 0 ? "" : ` ${signed(z)}z`}`;
}

export function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return /^-[0.]+$/.test(text) ? text.slice(1) : text;
}

function signed(value: number): string {
  const text = fixed(value, 12);
  return text.startsWith("-") ? text : `+${text}`;
}
