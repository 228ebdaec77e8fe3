import type { DetectorInfo, SensorGeometry } from "../../core/detector.ts";
import { SaclaError, show } from "../../core/errors.ts";
import { readTextFile } from "../../files/index.ts";
import { parseCrystfelGeom } from "../../ip/index.ts";
import type { H5File } from "../read/h5file.ts";
import { type Provenance, readProvenance } from "../read/provenance.ts";
import type { StackContent } from "../read/stack-source.ts";

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
  const [first = ""] = names;
  const shape = file.shape(`/${first}/data`);
  const [rows = 0, columns = 0] = shape ?? [];
  if (shape?.length !== 2) throw lacks(file, layout, `/${first}/data`);
  const provenance = readProvenance(file);
  const count = provenance?.constants.sensors.length ?? file.shape("/metadata/sensor_id")?.[0] ?? 0;
  if (count === 0 || rows % count !== 0) throw lacks(file, layout, "/metadata/sensor_id", "has not the sensors");
  const list = (name: string): Float64Array => file.numbers(`/metadata/${name}`) ?? new Float64Array(0);
  const [x, y, z, turn] = [list("posx_in_um"), list("posy_in_um"), list("posz_in_um"), list("angle_in_rad")];
  const [wide, high] = [list("pixelsizex_in_um"), list("pixelsizey_in_um")];
  const ids = file.texts("/metadata/sensor_id") ?? [];
  const recorded = recordedSensors(provenance);
  const ysize = rows / count;
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
    const info = { id: ids[i] ?? `cheetah-${i + 1}`, xsize: columns, ysize, absGain: null, geometry };
    return { info: { ...(recorded[i] ?? info), pixelType: "float32" as const }, row: i * ysize, column: 0 };
  });
  return {
    title: "Cheetah",
    tags,
    images: tags.length,
    energiesEv: names.map((name) => file.number(`/${name}/photon_energy_ev`) ?? NaN),
    parts,
    unitsPerPhoton: file.number("/metadata/adu_per_photon") ?? 10,
    place: (shot) => ({ path: `/${names[shot]}/data`, index: null }),
    bl: null,
    run: null,
    comment: file.text("/metadata/run_comment") ?? "",
    startTime: null,
  };
}

/** NXmx with one module a sensor, ours and ostrich's. @throws NOT_DATACONVERT */
export function nxmxContent(file: H5File): StackContent {
  const layout = "NXmx layout (/entry)";
  const path = "/entry/data/data";
  const shape = file.shape(path);
  const [images = 0, rows = 0, columns = 0] = shape ?? [];
  if (shape?.length !== 3) throw lacks(file, layout, path, shape === undefined ? "is not there" : "has not three axes");
  const detector = "/entry/instrument/detector";
  const recorded = recordedSensors(readProvenance(file));
  const modules = file
    .keys(detector)
    .filter((name) => file.keys(`${detector}/${name}`).includes("data_origin"))
    .map((name) => ({ name, origin: file.numbers(`${detector}/${name}/data_origin`) ?? [] }))
    .toSorted((a, b) => (a.origin[0] ?? 0) - (b.origin[0] ?? 0) || (a.origin[1] ?? 0) - (b.origin[1] ?? 0));
  const name = file.text(`${detector}/description`);
  const id = name === undefined || !/^\S+$/.test(name) ? "nxmx" : name;
  const parts = modules.map((module, i) => {
    const at = `${detector}/${module.name}`;
    const [ysize = rows, xsize = columns] = file.numbers(`${at}/data_size`) ?? [];
    const sensor = modules.length === 1 ? id : `${id}-${i + 1}`;
    const info = { id: sensor, xsize, ysize, absGain: null, geometry: moduleGeometry(file, at) };
    const [row = 0, column = 0] = module.origin;
    return { info: { ...(recorded[i] ?? info), pixelType: "float32" as const }, row, column };
  });
  const energies = file.numbers("/entry/instrument/beam/incident_energy") ?? new Float64Array(0);
  const factor = file.number("/entry/data/data_scale_factor");
  const tags = file.numbers("/entry/data/tag_id") ?? file.numbers("/entry/data/tag") ?? new Float64Array(0);
  const start = Date.parse(file.text("/entry/start_time") ?? "");
  const whole: DetectorInfo = { id, xsize: columns, ysize: rows, absGain: null, geometry: null };
  const [, bl] = /BL(\d+)/.exec(file.text("/entry/instrument/name") ?? "") ?? [];
  const run = file.text("/entry/experiment_identifier") ?? "";
  return {
    title: "NXmx",
    tags: tags.length === images ? [...tags] : [],
    images,
    energiesEv: [...energies],
    parts: parts.length > 0 ? parts : [{ info: whole, row: 0, column: 0 }],
    // 0.1 is not a binary number: 1 / 0.1 is to be 10.
    unitsPerPhoton: factor === undefined ? null : Math.round(1e6 / factor) / 1e6,
    place: (shot) => ({ path, index: shot }),
    bl: bl === undefined ? null : Number(bl),
    run: Number(/\d+/.exec(run)?.[0] ?? NaN) || null,
    comment: file.text("/entry/title") ?? "",
    startTime: Number.isNaN(start) ? null : start / 1000,
  };
}

const lengths: Readonly<Record<string, number>> = { m: 1e6, mm: 1e3, um: 1 };

function textOf(file: H5File, path: string, name: string): string | undefined {
  const found = file.attribute(path, name);
  return typeof found === "string" ? found : undefined;
}

function numbersOf(file: H5File, path: string, name: string): Float64Array | undefined {
  const found = file.attribute(path, name);
  return typeof found === "string" ? undefined : found;
}

/** The place of a module, by the offsets of its own and of `module_offset`; null when they are not as ostrich's. */
function moduleGeometry(file: H5File, at: string): SensorGeometry | null {
  const pixelUm = (axis: string): number =>
    (file.number(`${at}/${axis}`) ?? NaN) * (lengths[textOf(file, `${at}/${axis}`, "units") ?? "m"] ?? NaN);
  const offsetUm = (path: string): readonly number[] => {
    const offset = numbersOf(file, path, "offset") ?? [];
    const units = textOf(file, path, "offset_units") ?? textOf(file, path, "units") ?? "m";
    return [0, 1, 2].map((k) => (offset[k] ?? 0) * (lengths[units] ?? NaN));
  };
  const fast = numbersOf(file, `${at}/fast_pixel_direction`, "vector");
  if (fast === undefined) return null;
  const [own, module] = [offsetUm(`${at}/fast_pixel_direction`), offsetUm(`${at}/module_offset`)];
  const sum = (k: number): number => (own[k] ?? 0) + (module[k] ?? 0);
  const geometry = {
    posXUm: -sum(0),
    posYUm: sum(1),
    posZUm: -sum(2) + 0,
    rotationDeg: (Math.atan2(fast[1] ?? 0, -(fast[0] ?? 0)) * 180) / Math.PI,
    pixelSizeXUm: pixelUm("fast_pixel_direction"),
    pixelSizeYUm: pixelUm("slow_pixel_direction"),
    manipulatorShiftUm: 0,
  };
  return Object.values(geometry).every(Number.isFinite) ? geometry : null;
}

/** Whether a CXI file is NXmx too, as those of `sacla convert` are: it says its sensors and tags. */
export function isCxiNxmx(file: H5File): boolean {
  return file.text("/entry/definition") === "NXmx";
}

export const EV_PER_JOULE = 1 / 1.602176634e-19;

/**
 * CXI (cxidb.org, format 1.4 and later): images without the places of sensors, which a CrystFEL geometry has.
 * @param geom - path of the geometry
 * @throws NOT_DATACONVERT
 * @throws BAD_GEOMETRY when a panel lies outside the images, or is mirrored
 */
export function cxiContent(file: H5File, geom?: string): StackContent {
  if (isCxiNxmx(file)) {
    const content = { ...nxmxContent(file), title: "CXI" };
    const [, rows = 0, columns = 0] = file.shape("/entry/data/data") ?? [];
    return geom === undefined ? content : { ...content, parts: panelsOf(geom, rows, columns) };
  }
  const paths = ["/entry_1/data_1/data", "/entry_1/instrument_1/detector_1/data", "/entry_1/image_1/data"];
  const path = paths.find((one) => file.shape(one)?.length === 3);
  if (path === undefined) throw lacks(file, "CXI layout (/entry_1)", paths[0] ?? "", "is not [images, rows, columns]");
  const [images = 0, rows = 0, columns = 0] = file.shape(path) ?? [];
  // Cheetah's files have eV beside CXI's joule.
  const ev = file.numbers("/LCLS/photon_energy_eV");
  const joule = file.numbers("/entry_1/instrument_1/source_1/energy");
  const energies = ev ?? joule?.map((energy) => energy * EV_PER_JOULE) ?? new Float64Array(0);
  const whole = { id: "cxi", xsize: columns, ysize: rows, absGain: null, geometry: null };
  return {
    title: "CXI",
    tags: [],
    images,
    energiesEv: [...energies],
    parts: geom === undefined ? [{ info: whole, row: 0, column: 0 }] : panelsOf(geom, rows, columns),
    unitsPerPhoton: null,
    place: (shot) => ({ path, index: shot }),
    bl: null,
    run: null,
    comment: "",
    startTime: null,
  };
}

function panelsOf(geom: string, rows: number, columns: number): StackContent["parts"] {
  const { sensors, panels } = parseCrystfelGeom(readTextFile("The geometry file", geom));
  return sensors.map((info, i) => {
    const { firstRow: row = 0, firstColumn: column = 0, isMirrored = false } = panels[i] ?? {};
    const isInside = row + info.ysize <= rows && column + info.xsize <= columns;
    if (isInside && !isMirrored) return { info: { ...info, pixelType: "float32" as const }, row, column };
    const what = isInside ? "is mirrored" : `lies outside the images, which have ${rows} × ${columns} pixels`;
    throw new SaclaError("BAD_GEOMETRY", `Panel ${info.id} of ${show(geom)} ${what}.`, { details: { path: geom } });
  });
}
