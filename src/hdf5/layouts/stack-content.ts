import type { DetectorInfo } from "../../core/detector.ts";
import { SaclaError, show } from "../../core/errors.ts";
import { absenceOf } from "../read/absence.ts";
import type { H5File } from "../read/h5file.ts";
import { surplusAxes, unlessOdd } from "../read/h5types.ts";
import type { Provenance } from "../read/provenance.ts";
import type { StackMask } from "../read/stack-mask.ts";
import type { StackPart } from "../read/stack-source.ts";
import { textOf } from "./module-geometry.ts";

export const EV_PER_JOULE = 1 / 1.602176634e-19;

const READS =
  "It reads DataConvert files (here /file_info/run_number_list is not there), and whole Cheetah, NXmx and CXI files.";

/** A file of a layout that lacks what reading needs: the message names the layout, as that is what was found. */
export function lacks(file: H5File, layout: string, path: string, what = whyAbsent(file, path)): SaclaError {
  return new SaclaError(
    "NOT_DATACONVERT",
    `${show(file.path)} has the ${layout}, but sacla cannot read it: ${path} ${what}. ${READS}`,
    { details: { path: file.path, missing: path } },
  );
}

function whyAbsent(file: H5File, path: string): string {
  const absence = unlessOdd(() => absenceOf(file, path));
  return absence === undefined ? "is not there" : `is not there: ${absence.what}`;
}

/** @throws NOT_DATACONVERT when what stands at a path cannot be pixels */
export function checkPixels(file: H5File, layout: string, path: string): void {
  if (!file.hasNumbers(path)) throw lacks(file, layout, path, `is ${file.described(path)}, and pixels are numbers`);
}

/** Files of `sacla convert` say which sensors they have, to the last digit. */
export function recordedSensors(provenance: Provenance | undefined): readonly DetectorInfo[] {
  return (provenance?.constants.sensors ?? []) as readonly DetectorInfo[];
}

/** Units per photon; null where what stands there is no number above zero. */
export function unitsIn(file: H5File, path: string, otherwise: number | null): number | null {
  if (file.kind(path) === undefined) return otherwise;
  const units = file.numberOrNone(path) ?? NaN;
  return units > 0 && Number.isFinite(units) ? units : null;
}

/** What one of these units is in eV. */
const energyUnits: Readonly<Record<string, number>> = { eV: 1, keV: 1e3, MeV: 1e6, J: EV_PER_JOULE };

/** Photon energies in eV at a path, of one for all or one a shot; none where their unit is not known. */
export function energiesAt(file: H5File, path: string, images: number, unit: string): Float64Array | undefined {
  const values = file.numbersOrNone(path);
  const factor = energyUnits[textOf(file, path, "units") ?? unit];
  if (values === undefined || factor === undefined || (values.length !== 1 && values.length !== images))
    return undefined;
  return values.map((value) => value * factor);
}

export const STACK_SHAPES = "not [images, rows, columns] or [images, modules, rows, columns], nor one [rows, columns]";

export function otherShape(shape: readonly number[]): string {
  return `has shape [${shape.join(", ")}], ${STACK_SHAPES}${surplusAxes([1, ...shape.slice(1)])}`;
}

/** Of a pixel; the columns of a module are more. */
const MOST_CHANNELS = 4;

/** Whether it is a stack of images, or the one image of a file with one shot. */
export function isStack(shape: readonly number[] | undefined): boolean {
  if (shape?.slice(1).includes(0) === true) return false;
  if (shape?.length !== 4) return shape?.length === 3 || isOneImage(shape);
  const [, modules = 0, rows = 0, columns = 0] = shape;
  return isOneChannel(shape) || columns > MOST_CHANNELS || modules <= MOST_CHANNELS || rows <= MOST_CHANNELS;
}

/** An image without an axis of shots is that of one shot. */
export function isOneImage(shape: readonly number[] | undefined): boolean {
  return shape?.length === 2 && !shape.includes(0);
}

/** The shape of an array of images, of which there is one in an array without an axis of shots. */
export function stackShape(shape: readonly number[]): readonly number[] {
  return isOneImage(shape) ? [1, ...shape] : shape;
}

/** Images with an axis of channels, of which there is one. */
function isOneChannel([, modules = 0, rows = 0, columns]: readonly number[]): boolean {
  return columns === 1 && modules > 1 && rows > 1;
}

/** The sensors of an array of images: all of it is one; of [images, modules, rows, columns] each module. */
export function sensorsIn(shape: readonly number[], id: string, mask: StackMask | undefined): StackPart[] {
  const [ysize = 0, xsize = 0] = shape.slice(-2);
  const sensor = (name: string): StackPart => ({
    info: { id: name, xsize, ysize, absGain: null, geometry: null },
    row: 0,
    column: 0,
    mask,
  });
  if (shape.length === 3) return [sensor(id)];
  if (isOneChannel(shape)) {
    const [, rows = 0, columns = 0] = shape;
    const part = sensor(id);
    return [{ ...part, info: { ...part.info, ysize: rows, xsize: columns }, axes: ["shot", "row", "column", 0] }];
  }
  return Array.from({ length: shape[1] ?? 0 }, (_, module) => ({
    ...sensor(shape[1] === 1 ? id : `${id}-${module + 1}`),
    axes: ["shot", module, "row", "column"],
  }));
}
