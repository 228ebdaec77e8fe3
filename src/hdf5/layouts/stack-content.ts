import { HC_EV_ANGSTROM } from "../../core/constants.ts";
import type { DetectorInfo, SensorGeometry } from "../../core/detector.ts";
import { SaclaError, show } from "../../core/errors.ts";
import { readTextFile } from "../../files/index.ts";
import { excludedPixels } from "../../ip/crystfel-regions.ts";
import { type CrystfelGeom, parseCrystfelGeom } from "../../ip/index.ts";
import { FIRST_IMAGES, mostFrequent } from "../read/first-images.ts";
import type { H5File } from "../read/h5file.ts";
import { surplusAxes } from "../read/h5types.ts";
import { type Provenance, readProvenance } from "../read/provenance.ts";
import { CXI_BITS, maskAt, NEXUS_BITS, type StackMask } from "../read/stack-mask.ts";
import type { StackContent, StackPart } from "../read/stack-source.ts";
import { moduleGeometry, placed, textOf } from "./module-geometry.ts";

export const EV_PER_JOULE = 1 / 1.602176634e-19;

const READS =
  "It reads DataConvert files (here /file_info/run_number_list is not there), and whole Cheetah, NXmx and CXI files.";

/** A file of a layout that lacks what reading needs: the message names the layout, as that is what was found. */
function lacks(file: H5File, layout: string, path: string, what = "is not there"): SaclaError {
  return new SaclaError(
    "NOT_DATACONVERT",
    `${show(file.path)} has the ${layout}, but sacla cannot read it: ${path} ${what}. ${READS}`,
    { details: { path: file.path, missing: path } },
  );
}

/** Files of `sacla convert` say which sensors they have, to the last digit. */
function recordedSensors(provenance: Provenance | undefined): readonly DetectorInfo[] {
  return (provenance?.constants.sensors ?? []) as readonly DetectorInfo[];
}

/** Cheetah at SACLA, and ostrich's files of that layout. @throws NOT_DATACONVERT */
export function cheetahContent(file: H5File): StackContent {
  const layout = "Cheetah layout (tag-<n> groups)";
  const names = file.keys("/").filter((name) => /^tag-\d+$/.test(name));
  const tags = names.map((name) => Number(name.slice(4)));
  const shape = imageShape(file, names);
  const [rows = 0, columns = 0] = shape ?? [];
  if (shape === undefined) throw lacks(file, layout, `/${names[0] ?? ""}/data`);
  const provenance = readProvenance(file);
  const count = provenance?.constants.sensors.length ?? file.shape("/metadata/sensor_id")?.[0] ?? 0;
  if (count === 0 || rows % count !== 0) throw lacks(file, layout, "/metadata/sensor_id", "has not the sensors");
  const list = (name: string): Float64Array => file.numbersOrNone(`/metadata/${name}`) ?? new Float64Array(0);
  const [x, y, z, turn] = [list("posx_in_um"), list("posy_in_um"), list("posz_in_um"), list("angle_in_rad")];
  const [wide, high] = [list("pixelsizex_in_um"), list("pixelsizey_in_um")];
  const ids = file.texts("/metadata/sensor_id") ?? [];
  const recorded = recordedSensors(provenance);
  const ysize = rows / count;
  const mask = maskAt(file, CXI_BITS, "/metadata/pixelmask");
  const parts = Array.from({ length: count }, (_, i) => {
    const geometry: SensorGeometry = {
      posXUm: x[i] ?? NaN,
      posYUm: y[i] ?? NaN,
      posZUm: z[i] ?? 0,
      // In degrees, whatever its name says.
      rotationDeg: turn[i] ?? NaN,
      pixelSizeXUm: wide[i] ?? NaN,
      pixelSizeYUm: high[i] ?? NaN,
      manipulatorShiftUm: 0,
    };
    const info = { id: ids[i] ?? `cheetah-${i + 1}`, xsize: columns, ysize, absGain: null, geometry: placed(geometry) };
    return { info: { ...(recorded[i] ?? info), pixelType: "float32" as const }, row: i * ysize, column: 0, mask };
  });
  return {
    title: "Cheetah",
    tags,
    images: tags.length,
    energiesEv: names.map((name) => file.numberOrNone(`/${name}/photon_energy_ev`) ?? NaN),
    parts,
    imageShape: shape,
    unitsPerPhoton: unitsIn(file, "/metadata/adu_per_photon", 10),
    place: (shot) => ({ path: `/${names[shot]}/data`, index: null }),
    bl: null,
    run: null,
    comment: file.textOrNone("/metadata/run_comment") ?? "",
    startTime: null,
  };
}

/** The shape that most of the first arrays have; undefined where there is none of two axes. */
function imageShape(file: H5File, names: readonly string[]): readonly number[] | undefined {
  const found: (readonly number[])[] = [];
  for (const name of names) {
    if (found.length === FIRST_IMAGES) break;
    const shape = file.shape(`/${name}/data`);
    if (shape?.length === 2) found.push(shape);
  }
  return mostFrequent(found);
}

/** Units per photon; null where what stands there is no number above zero. */
function unitsIn(file: H5File, path: string, otherwise: number | null): number | null {
  if (file.kind(path) === undefined) return otherwise;
  const units = file.numberOrNone(path) ?? NaN;
  return units > 0 && Number.isFinite(units) ? units : null;
}

/** What one of these units is in eV. */
const energyUnits: Readonly<Record<string, number>> = { eV: 1, keV: 1e3, MeV: 1e6, J: EV_PER_JOULE };
/** What one of these units is in ångström. */
const wavelengthUnits: Readonly<Record<string, number>> = {
  ...{ angstrom: 1, angstroms: 1, Angstrom: 1, A: 1, Å: 1 },
  ...{ nm: 10, pm: 0.01, um: 1e4, m: 1e10 },
};

/** Photon energies in eV at a path, of one for all or one a shot; none where their unit is not known. */
function energiesAt(file: H5File, path: string, images: number, unit: string): Float64Array | undefined {
  const values = file.numbersOrNone(path);
  const factor = energyUnits[textOf(file, path, "units") ?? unit];
  if (values === undefined || factor === undefined || (values.length !== 1 && values.length !== images))
    return undefined;
  return values.map((value) => value * factor);
}

/** Photon energies of an NXmx file, from its wavelengths where it has no energies. */
function nxmxEnergies(file: H5File, images: number): Float64Array {
  const beam = "/entry/instrument/beam";
  const stored = energiesAt(file, `${beam}/incident_energy`, images, "eV");
  if (stored !== undefined) return stored;
  const path = `${beam}/incident_wavelength`;
  const lengths = file.numbersOrNone(path) ?? new Float64Array(0);
  const factor = wavelengthUnits[textOf(file, path, "units") ?? "angstrom"] ?? NaN;
  return lengths.length === 1 || lengths.length === images
    ? lengths.map((length) => HC_EV_ANGSTROM / (length * factor))
    : new Float64Array(0);
}

type Place = ReturnType<StackContent["place"]>;

/**
 * The images of a NeXus file: `/entry/data/data`, the signal that its group names, that of the detector, or the pieces
 * `data_000001`, … of a DECTRIS master file, of which those that are not there are named.
 */
function nxmxStack(file: H5File, layout: string) {
  const group = "/entry/data";
  const names = [
    `${group}/data`,
    `${group}/${textOf(file, group, "signal") ?? "data"}`,
    "/entry/instrument/detector/data",
  ];
  const pieces = file.keys(group).filter((name) => /^data_\d+$/.test(name));
  const paths = pieces.map((name) => `${group}/${name}`).toSorted();
  const whole = names.find((one) => file.shape(one) !== undefined);
  const used = whole === undefined ? paths : [whole];
  const [path = names[0] ?? ""] = used.filter((one) => isStack(file.shape(one)));
  const shape = file.shape(path) ?? (whole === undefined ? undefined : file.shape(whole));
  if (shape === undefined) throw lacks(file, layout, path);
  if (!isStack(shape)) throw lacks(file, layout, whole ?? path, otherShape(shape));
  const places: Place[] = [];
  const notes: string[] = [];
  for (const one of used) {
    const [length = 0, ...others] = file.shape(one) ?? [];
    if (others.join() === shape.slice(1).join())
      for (let index = 0; index < length; index++) places.push({ path: one, index });
    else
      notes.push(
        `the images of ${one} are left out: ${file.shape(one) === undefined ? whereGone(file, one) : "another shape"}`,
      );
  }
  return { path, shape, places, notes };
}

function whereGone(file: H5File, path: string): string {
  const link = file.linkOut(path);
  return link === undefined ? "it is not there" : `they are in ${link.file}, which is not there`;
}

/** What a NeXus file has of its shots, and not one for each. */
function ofOtherLength(file: H5File, images: number): string[] {
  const beam = "/entry/instrument/beam";
  const said = { "/entry/data/tag_id": "shots are counted from 1", [`${beam}/incident_energy`]: "they are not used" };
  return Object.entries(said).flatMap(([path, what]) => {
    const length = file.numbersOrNone(path)?.length ?? images;
    const isOne = length === 1 && path.startsWith(beam);
    return length === images || isOne ? [] : [`${path} has ${length} values for ${images} images: ${what}`];
  });
}

/** NXmx with one module a sensor, ours and ostrich's. @throws NOT_DATACONVERT */
export function nxmxContent(file: H5File): StackContent {
  const layout = "NXmx layout (/entry)";
  const { path, shape, places, notes } = nxmxStack(file, layout);
  const images = places.length;
  const detector = "/entry/instrument/detector";
  const recorded = recordedSensors(readProvenance(file));
  const modules = file
    .keys(detector)
    .filter((name) => file.keys(`${detector}/${name}`).includes("data_origin"))
    .map((name) => ({ name, origin: file.numbers(`${detector}/${name}/data_origin`) ?? [] }))
    .toSorted((a, b) => compared(a.origin, b.origin));
  const name = file.textOrNone(`${detector}/description`);
  const id = name === undefined || !/^\S+$/.test(name) ? "nxmx" : name;
  const mask = maskAt(file, NEXUS_BITS, `${detector}/pixel_mask`, `${detector}/detectorSpecific/pixel_mask`);
  const whole = sensorsIn(shape, id, mask);
  const parts = modules.map(({ name: module, origin }, i) => {
    const at = `${detector}/${module}`;
    // Of [images, modules, rows, columns] an origin begins with the module.
    const { info: all, axes } = whole[origin.length > 2 ? (origin.at(-3) ?? 0) : 0] ?? {};
    const [ysize = all?.ysize ?? 0, xsize = all?.xsize ?? 0] = file.numbers(`${at}/data_size`)?.slice(-2) ?? [];
    const sensor = modules.length === 1 ? id : `${id}-${i + 1}`;
    const info = { id: sensor, xsize, ysize, absGain: null, geometry: moduleGeometry(file, at) };
    const [row = 0, column = 0] = origin.slice(-2);
    const stored = { ...(recorded[i] ?? info), pixelType: "float32" as const };
    return { info: stored, row, column, mask, ...(axes === undefined ? {} : { axes }) };
  });
  const isTold = parts.length > 0 && (whole.length === 1 || modules.every(({ origin }) => origin.length > 2));
  const factor = unitsIn(file, "/entry/data/data_scale_factor", null);
  const tags = file.numbersOrNone("/entry/data/tag_id") ?? file.numbersOrNone("/entry/data/tag") ?? new Float64Array(0);
  const start = Date.parse(file.textOrNone("/entry/start_time") ?? "");
  const [, bl] = /BL(\d+)/.exec(file.textOrNone("/entry/instrument/name") ?? "") ?? [];
  const run = file.textOrNone("/entry/experiment_identifier") ?? "";
  return {
    title: "NXmx",
    tags: tags.length === images ? [...tags] : [],
    images,
    energiesEv: [...nxmxEnergies(file, images)],
    parts: isTold ? parts : whole.map((part) => ({ ...part, info: { ...part.info, pixelType: "float32" as const } })),
    // 0.1 is not a binary number: 1 / 0.1 is to be 10.
    unitsPerPhoton: factor === null ? null : Math.round(1e6 / factor) / 1e6,
    place: (shot) => places[shot] ?? { path, index: shot },
    notes: [...notes, ...ofOtherLength(file, images)],
    bl: bl === undefined ? null : Number(bl),
    run: Number(/\d+/.exec(run)?.[0] ?? NaN) || null,
    comment: file.textOrNone("/entry/title") ?? "",
    startTime: Number.isNaN(start) ? null : start / 1000,
  };
}

export const STACK_SHAPES = "not [images, rows, columns] or [images, modules, rows, columns]";

function otherShape(shape: readonly number[]): string {
  return `has shape [${shape.join(", ")}], ${STACK_SHAPES}${surplusAxes([1, ...shape.slice(1)])}`;
}

/** Of a pixel; the columns of a module are more. */
const MOST_CHANNELS = 4;

export function isStack(shape: readonly number[] | undefined): boolean {
  if (shape?.length !== 4) return shape?.length === 3;
  const [, modules = 0, rows = 0, columns = 0] = shape;
  return isOneChannel(shape) || columns > MOST_CHANNELS || modules <= MOST_CHANNELS || rows <= MOST_CHANNELS;
}

/** Images with an axis of channels, of which there is one. */
function isOneChannel([, modules = 0, rows = 0, columns]: readonly number[]): boolean {
  return columns === 1 && modules > 1 && rows > 1;
}

/** The sensors of an array of images: all of it is one; of [images, modules, rows, columns] each module. */
function sensorsIn(shape: readonly number[], id: string, mask: StackMask | undefined): StackPart[] {
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

function compared(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a, (value, k) => value - (b[k] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

/** Whether a CXI file is NXmx too, as those of `sacla convert` are: it says its sensors and tags. */
export function isCxiNxmx(file: H5File): boolean {
  return file.textOrNone("/entry/definition") === "NXmx";
}

/**
 * CXI (cxidb.org, format 1.4 and later): images without the places of sensors, which a CrystFEL geometry has.
 * @param geom - path of the geometry
 * @throws NOT_DATACONVERT
 * @throws BAD_GEOMETRY when a panel lies outside the images, or its axes are others than the array has
 */
export function cxiContent(file: H5File, geom?: string): StackContent {
  const isNxmx = isCxiNxmx(file);
  const geometry = geom === undefined ? undefined : geometryIn(geom);
  const panels = geometry?.parts;
  const [named] =
    panels?.flatMap(({ path }) => (path === undefined || file.shape(path) === undefined ? [] : path)) ?? [];
  const paths = ["/entry_1/data_1/data", "/entry_1/instrument_1/detector_1/data", "/entry_1/image_1/data"];
  const path =
    named ?? paths.find((one) => file.shape(one) !== undefined && (panels !== undefined || isStack(file.shape(one))));
  if (isNxmx) {
    const content = { ...nxmxContent(file), title: "CXI" };
    if (geometry === undefined) return content;
    return { ...content, notes: geometry.notes, parts: partsIn(file, path ?? "", geometry.parts, geom ?? "") };
  }
  if (path === undefined) {
    const [other = paths[0] ?? ""] = paths.filter((one) => file.shape(one) !== undefined);
    const found = file.shape(other);
    const what = found === undefined ? `is ${STACK_SHAPES}` : otherShape(found);
    const next = found === undefined ? "" : ", and its panels are in a CrystFEL geometry: FILE?geom=FILE.geom";
    throw lacks(file, "CXI layout (/entry_1)", other, what + next);
  }
  const parts = panels && partsIn(file, path, panels, geom ?? "");
  const shape = file.shape(path) ?? [];
  const images = shape[parts?.[0]?.axes?.indexOf("shot") ?? 0] ?? 0;
  // Cheetah's files have eV beside CXI's joule.
  const energies =
    energiesAt(file, "/LCLS/photon_energy_eV", images, "eV") ??
    energiesAt(file, "/entry_1/instrument_1/source_1/energy", images, "J") ??
    new Float64Array(0);
  return {
    title: "CXI",
    tags: [],
    images,
    energiesEv: [...energies].map((energyEv) => (energyEv < MOST_EV ? energyEv : NaN)),
    parts: parts ?? sensorsIn(shape, "cxi", cxiMask(file, path)),
    unitsPerPhoton: null,
    place: (shot) => ({ path, index: shot }),
    bl: null,
    run: null,
    comment: "",
    startTime: null,
    notes: geometry?.notes ?? [],
  };
}

/** The mask beside the images, else that of the detector. */
function cxiMask(file: H5File, path: string): StackMask | undefined {
  const beside = path.slice(0, path.lastIndexOf("/"));
  const detector = "/entry_1/instrument_1/detector_1";
  const paths = [beside, "/entry_1/data_1", detector].map((group) => `${group}/mask`);
  return maskAt(file, CXI_BITS, ...paths, `${detector}/mask_shared`);
}

/** No photon of an X-ray laser has as much: a number above is in another unit than the file should have. */
const MOST_EV = 1e6;

/** The panels of a CrystFEL geometry, as parts of arrays that nobody has looked at yet, and what is odd about them. */
function geometryIn(path: string): { readonly parts: StackPart[]; readonly notes: string[] } {
  const geometry = parseCrystfelGeom(readTextFile("The geometry file", path));
  const { badRegions } = geometry;
  const notes = geometry.notes.map((note) => `${show(path)}: ${note.replace(/\.$/, "")}`);
  if (badRegions.length === 0) return { parts: panelsOf(geometry), notes };
  const parts = panelsOf(geometry).map((part, i) => ({ ...part, excluded: excludedPixels(geometry, i) }));
  const bad = parts.reduce((sum, { excluded }) => excluded.reduce((count, is) => count + is, sum), 0);
  const all = parts.reduce((sum, { excluded }) => sum + excluded.length, 0);
  notes.push(
    `${bad} of ${all} pixels are bad by the ${badRegions.length} bad regions of ${show(path)}, and are left out`,
  );
  return { parts, notes };
}

function panelsOf({ sensors, panels }: CrystfelGeom): StackPart[] {
  const names = { "%": "shot", ss: "row", fs: "column" } as const;
  return sensors.map((info, i) => {
    const { firstRow = 0, firstColumn = 0, isMirrored = false, dims, dataPath = null } = panels[i] ?? {};
    const { maskPath = null, maskBits } = panels[i] ?? {};
    const axes = dims?.map((dim) => (typeof dim === "number" ? dim : names[dim]));
    return {
      info: { ...info, pixelType: "float32" as const },
      row: firstRow,
      column: firstColumn,
      isMirrored,
      ...(maskPath === null || maskPath.includes("%")
        ? {}
        : { mask: { path: maskPath, ...CXI_BITS, ...maskSaid(maskBits) } }),
      ...(dataPath === null || dataPath.includes("%") ? {} : { path: dataPath }),
      ...(axes === undefined || !axes.includes("shot") ? {} : { axes }),
    };
  });
}

function maskSaid(bits: Omit<StackMask, "path"> | undefined): Partial<StackMask> {
  return bits === undefined ? {} : { ...bits, isSaid: true };
}

/** The parts, where each lies inside its array. @param shared - path of the array of parts that name none */
function partsIn(file: H5File, shared: string, parts: readonly StackPart[], geom: string): StackPart[] {
  return parts.map((part) => {
    const { info, row, column, axes = ["shot", "row", "column"] } = part;
    const path = part.path !== undefined && file.shape(part.path) !== undefined ? part.path : shared;
    const mask = part.mask !== undefined && file.hasNumbers(part.mask.path) ? part.mask : cxiMask(file, path);
    const shape = file.shape(path) ?? [];
    const ends = { shot: 1, row: row + info.ysize, column: column + info.xsize };
    const isInside = axes.every((axis, k) => (typeof axis === "number" ? axis + 1 : ends[axis]) <= (shape[k] ?? 0));
    if (isInside && axes.length === shape.length) return { ...part, path, axes, mask };
    const dims = axes.map((axis) => (axis === "shot" ? "%" : axis === "row" ? "ss" : axis === "column" ? "fs" : axis));
    throw new SaclaError(
      "BAD_GEOMETRY",
      `Panel ${info.id} of ${show(geom)} lies outside the images: ${path} has shape [${shape.join(", ")}], ` +
        `the panel ends at row ${ends.row} and column ${ends.column} of axes ${dims.join(", ")} (dim0, dim1, …).`,
      { details: { path: geom } },
    );
  });
}
