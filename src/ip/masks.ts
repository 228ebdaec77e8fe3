import type { DetectorInfo } from "../core/detector.ts";
import { familyOf } from "../core/detector-families.ts";
import { asInteger, asText, badArgument } from "../core/guards.ts";
import { asImage, type NdArray, shapeOf } from "../core/ndarray.ts";

/** Why a pixel is bad: bits of the NeXus pixel mask (NXdetector pixel_mask). 0 is a good pixel. */
export const badPixelReasons = { gap: 1, dead: 2, cold: 4, hot: 8, noisy: 16 } as const;

interface Damage {
  /** One sensor. */
  readonly id: string;
  /** Unbinned columns, the end excluded. */
  readonly columns: readonly [start: number, end: number];
  /** Beamline and first run from which it is seen; always when absent. */
  readonly since?: { readonly bl: number; readonly run: number };
}

const since2019B = { bl: 2, run: 73832 };

const damages: readonly Damage[] = [
  { id: "MPCCD-8B0-2-003-2", columns: [501, 512] }, // ostrich geometry: damaged columns 501–511
  // ostrich geometry: columns 0–12 in its .geom (0–10 in its mask; the wider is taken)
  { id: "MPCCD-8B0-2-003-3", columns: [0, 13] },
  { id: "MPCCD-8B0-2-003-2", columns: [448, 512], since: since2019B }, // ostrich geometry: dead port, 2019B
  { id: "MPCCD-8B0-2-003-3", columns: [0, 64], since: since2019B }, // ostrich geometry: dead port, 2019B
  { id: "MPCCD-8B0-2-003-6", columns: [0, 64], since: since2019B }, // ostrich geometry: dead port, 2019B
  { id: "MPCCD-8B0-2-003-7", columns: [448, 512], since: since2019B }, // ostrich geometry: dead port, 2019B
];

/**
 * Whether images are parts of a sensor whose edges are known: where the part lies, its size does not tell. A part may
 * have the proportions of the sensor; pixels of a binned image are larger.
 */
export function isCut({ id, ysize, xsize, geometry }: Omit<DetectorInfo, "absGain">): boolean {
  const family = familyOf(id);
  if (family?.edges === undefined) return false;
  const binning = family.rows / ysize;
  if (!Number.isInteger(binning) || family.columns / xsize !== binning) return true;
  if (binning === 1 || geometry === null) return binning !== 1;
  return Math.abs(geometry.pixelSizeXUm / family.pixelSizeUm - binning) > 0.1 * binning;
}

/**
 * The pixels of a sensor known to be bad before anything is measured: edges and amplifier shields ({@link
 * badPixelReasons} `cold`: they see less light) and damaged or dead readout ports (`dead`), from a public SFX pipeline
 * (ostrich). Detectors without an entry have none. Binned images (2×2, …) get every pixel that holds a bad one.
 *
 * @param sensorId - one sensor, as `MPCCD-8B0-2-003-2`
 * @param shape - [ysize, xsize] of its images
 * @returns reasons, 0 = good, shape [ysize, xsize]
 * @throws BAD_ARGUMENT when the id is that of a whole octal, or the shape is not that of its sensors
 * @example
 * const masks = infos.map(({ id, ysize, xsize }) => usable(badPixels(id, bl, run, [ysize, xsize])));
 * new Assembler(infos, { view: "source", masks });
 */
export function badPixels(
  sensorId: string,
  bl: number,
  run: number,
  shape: readonly [ysize: number, xsize: number],
): NdArray<Uint8Array> {
  asText("sensorId", sensorId);
  asInteger("bl", bl, 1);
  asInteger("run", run);
  const ysize = asInteger("ysize", shape[0], 1);
  const xsize = asInteger("xsize", shape[1], 1);
  if (/^MPCCD-8[^-]*-\d+-\d+$/.test(sensorId))
    throw badArgument("sensorId", sensorId, `one of its sensors, ${sensorId}-1 to ${sensorId}-8`);
  const mask = asImage(new Uint8Array(ysize * xsize), ysize, xsize);
  const family = familyOf(sensorId);
  if (family?.edges === undefined) return mask;
  const binning = family.rows / ysize;
  if (!Number.isInteger(binning) || family.columns / xsize !== binning) {
    throw badArgument(
      `shape of ${sensorId}`,
      `[${ysize}, ${xsize}]`,
      `[${family.rows}, ${family.columns}], or that divided by a binning`,
    );
  }
  const mark = (rows: readonly [number, number], columns: readonly [number, number], reason: number): void => {
    for (let r = Math.floor(rows[0] / binning); r < Math.ceil(rows[1] / binning); r++) {
      for (let c = Math.floor(columns[0] / binning); c < Math.ceil(columns[1] / binning); c++)
        mask.set(r, c, mask.get(r, c) | reason);
    }
  };
  const { rows, columns, edges: edge } = family;
  mark([0, rows], [0, edge.firstColumns], badPixelReasons.cold);
  mark([0, rows], [columns - edge.lastColumns, columns], badPixelReasons.cold);
  mark([0, edge.firstRows], [0, columns], badPixelReasons.cold);
  mark([rows - edge.lastRows, rows], [0, columns], badPixelReasons.cold);
  for (const { id, columns: dead, since } of damages) {
    if (id === sensorId && (since === undefined || (since.bl === bl && run >= since.run)))
      mark([0, rows], dead, badPixelReasons.dead);
  }
  return mask;
}

/** Whether {@link badPixels} gives the same for two runs. */
export function areSamePixelsBad(sensorId: string, bl: number, run: number, other: number): boolean {
  return damages.every(
    ({ id, since }) => id !== sensorId || since?.bl !== bl || run >= since.run === other >= since.run,
  );
}

/**
 * A mask of reasons as a mask of pixels to use: 1 where there is no reason against it, else 0. What
 * {@link Assembler}, {@link reconstruction} and {@link toCrystfelGeom} take.
 */
export function usable(mask: NdArray<Uint8Array>): NdArray<Uint8Array> {
  const [rows, columns] = shapeOf("mask", mask);
  const use = new Uint8Array(rows * columns);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) use[r * columns + c] = mask.get(r, c) === 0 ? 1 : 0;
  return asImage(use, rows, columns);
}
