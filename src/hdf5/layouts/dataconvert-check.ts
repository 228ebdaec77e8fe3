import { isSaclaError } from "../../core/errors.ts";
import { TagRows } from "../../core/tag-rows.ts";
import { imageShape } from "../direct/dataset.ts";
import { absenceOf } from "../read/absence.ts";
import { pathsBelow, TOO_DEEP } from "../read/below.ts";
import type { H5File } from "../read/h5file.ts";
import { surplusAxes, unlessOdd } from "../read/h5types.ts";
import { StoredDetector } from "../read/stored-detector.ts";
import { checkDataset, datasetRules, error, type FindingBook, warning } from "./rules.ts";

/** What readers of the DataConvert layout rely on. */
export const dataConvertRules = {
  "run-list": error("Readers find the runs by /file_info/run_number_list."),
  "format-type": warning("DataConvert writes run_data_format; some scripts look for it."),
  "run-group": error("A run that the list names must be there."),
  "tag-list": error("Every value and image is found by its tag: the list must be there, with each tag once."),
  "tag-order": warning("Scripts take the list to be ascending, and the last one for the newest."),
  "tag-range": error("Tags lie from start_tag_number to before end_tag_number, or they belong to another run."),
  "time-stamp": error("One time a tag, finite: the HighTag and the run's times are derived from them."),
  beamline: error("Signals are below one bl_<n>, by which readers know the beamline."),
  comment: warning("The comment is a text; scripts print it."),
  "signal-type": error("A signal is one number a tag, or one text as SyncDB has it; what is neither is left out."),
  "signal-length": error("A signal has one number a tag, or values go to the wrong shots."),
  "photon-energy": warning("ADU become photons by the configured energy; dxtbx takes the wavelength from it."),
  "detector-list": error("A detector that detector_2d_list names must be there."),
  "detector-name": error("Detectors are asked for by detector_name, each by its own."),
  "detector-gain": warning("ADU become photons by absolute_gain."),
  geometry: error(
    "Position, angle and pixel size are there together, finite, with pixels above zero: " +
      "or no picture can be assembled.",
  ),
  "no-geometry": warning("An MPCCD sensor without a place cannot be assembled."),
  "unlisted-tag": warning("An image whose tag is not in tag_number_list is never found."),
  ...datasetRules,
  "image-shape": error("All images of a detector have one shape of two axes."),
  "image-status": error("detector_status 1 says that there is an image."),
  "no-image": warning("A detector without any image has no size."),
  "assembled-missing": warning(
    "dxtbx reads an assembled picture for every tag of the list, and stops where there is none.",
  ),
};

type Book = FindingBook<keyof typeof dataConvertRules>;

/** Checks the DataConvert layout (docs/archive.md; leosala h5pyinfo.ipynb). */
export function checkDataConvert(file: H5File, book: Book): void {
  const listPath = "/file_info/run_number_list";
  const runs = book.read("run-list", listPath, () => file.numbers(listPath));
  if (runs === undefined || runs.length === 0)
    book.add("run-list", listPath, runs === undefined ? "is not there" : "is empty");
  book.check("format-type", "/file_info/format_type", () => {
    const type = file.text("/file_info/format_type");
    return type === "run_data_format"
      ? null
      : type === undefined
        ? "is not there"
        : `is ${JSON.stringify(type)}, not "run_data_format"`;
  });
  for (const run of runs ?? []) {
    const root = `/run_${run}`;
    if (file.kind(root) !== "group") book.add("run-group", root, "is not there, though the list names it");
    else checkRun(file, root, book);
  }
}

function checkRun(file: H5File, root: string, book: Book): void {
  const tags = checkTags(file, root, book);
  checkTimes(file, root, tags, book);
  const beamlines = file.keys(`${root}/event_info`).filter((name) => /^bl_\d+$/.test(name));
  if (beamlines.length !== 1)
    book.add("beamline", `${root}/event_info`, `has ${beamlines.length === 0 ? "no bl_<n>" : beamlines.join(" and ")}`);
  checkSignals(file, `${root}/event_info`, tags.length, book);
  const energyPath = `${root}/run_info/sacla_config/photon_energy_in_eV`;
  book.check("photon-energy", energyPath, () => {
    const energyEv = file.number(energyPath);
    return energyEv !== undefined && energyEv > 0 && Number.isFinite(energyEv) ? null : `is ${energyEv ?? "not there"}`;
  });
  book.check("comment", `${root}/exp_info/comment`, () => {
    file.text(`${root}/exp_info/comment`);
    return null;
  });
  checkDetectors(file, root, new Set(tags), book);
}

function checkTags(file: H5File, root: string, book: Book): number[] {
  const path = `${root}/event_info/tag_number_list`;
  const absence = book.read("tag-list", path, () => absenceOf(file, path));
  if (absence !== undefined) {
    book.add("tag-list", path, absence.what);
    return [];
  }
  const listed = Array.from(book.read("tag-list", path, () => file.numbers(path)) ?? [], (tag) =>
    tag < 0 ? tag + 2 ** 32 : tag,
  );
  if (listed.length === 0) book.add("tag-list", path, "is not there, or empty");
  const noTag = listed.find((tag) => tag !== tag >>> 0);
  if (noTag !== undefined) book.add("tag-list", path, `has ${noTag}, which is not a tag`);
  if (new Set(listed).size < listed.length) book.add("tag-list", path, "names a tag twice");
  if (listed.some((tag, i) => i > 0 && tag < (listed[i - 1] ?? 0))) book.add("tag-order", path, "is not ascending");
  const info = `${root}/run_info`;
  book.check("tag-range", info, () => {
    const [start, end] = [file.number(`${info}/start_tag_number`), file.number(`${info}/end_tag_number`)];
    if (start === undefined || end === undefined)
      return `has no ${start === undefined ? "start_tag_number" : "end_tag_number"}`;
    const outside = listed.find((tag) => tag < start >>> 0 || tag >= end >>> 0);
    return outside === undefined ? null : `says ${start >>> 0} to ${end >>> 0} (excluded), but the list has ${outside}`;
  });
  return listed;
}

function checkTimes(file: H5File, root: string, tags: readonly number[], book: Book): void {
  const path = `${root}/event_info/time_stamp`;
  book.check("time-stamp", path, () => {
    const times = file.numbers(path);
    if (times === undefined) return "is not there";
    if (times.length !== tags.length) return `has ${times.length} values for ${tags.length} tags`;
    const bad = times.findIndex((time) => !Number.isFinite(time));
    return bad < 0 ? null : `is ${times[bad]} at tag ${tags[bad]}`;
  });
}

function checkSignals(file: H5File, root: string, tags: number, book: Book): void {
  const others = new Set([`${root}/tag_number_list`, `${root}/time_stamp`]);
  const paths = book.read("signal-type", root, () => pathsBelow(file, root)) ?? [];
  for (const path of paths.filter((below) => !others.has(below))) {
    checkDataset(file, path, book);
    book.check("signal-type", path, () => {
      // What a link leads to, and is away, has no type.
      if (file.linkOut(path) !== undefined) return null;
      if (file.kind(path) === "group") return `is ${TOO_DEEP}`;
      const found = file.described(path);
      if (found === undefined) return "is neither a group nor a dataset";
      const shape = file.shape(path) ?? [];
      const length = shape.reduce((product, n) => product * n, 1);
      if (!file.isList(path, length)) return `is ${found}`;
      if (length !== tags) book.add("signal-length", path, `has shape [${shape.join(", ")}] for ${tags} tags`);
      return null;
    });
  }
}

function checkDetectors(file: H5File, root: string, tags: ReadonlySet<number>, book: Book): void {
  const listPath = `${root}/run_info/detector_config/detector_2d_list`;
  const groups = file.keys(root);
  for (const k of book.read("detector-list", listPath, () => file.numbers(listPath)) ?? []) {
    if (!groups.includes(`detector_2d_${k}`))
      book.add("detector-list", listPath, `names ${k}, but there is no ${root}/detector_2d_${k}`);
  }
  const names = new Map<string, string>();
  for (const group of groups.filter((name) => /^detector_2d_\d+$/.test(name))) {
    const path = `${root}/${group}`;
    checkName(file, path, names, book);
    checkPlace(file, path, book);
    checkImages(file, path, tags, true, book);
  }
  for (const group of groups.filter((name) => /^detector_2d_assembled_\d+$/.test(name))) {
    const path = `${root}/${group}`;
    const found = checkImages(file, path, tags, false, book);
    const missing = [...tags].filter((tag) => !found.has(tag)).length;
    if (missing > 0) book.add("assembled-missing", path, `has no picture for ${missing} of ${tags.size} tags`);
  }
}

function checkName(file: H5File, detector: string, names: Map<string, string>, book: Book): void {
  const path = `${detector}/detector_info/detector_name`;
  book.check("detector-name", path, () => {
    const name = file.text(path);
    if (name === undefined || name === "") return name === undefined ? "is not there" : "is empty";
    const other = names.get(name);
    names.set(name, detector);
    return other === undefined ? null : `is ${JSON.stringify(name)}, the name of ${other} too`;
  });
}

function checkPlace(file: H5File, detector: string, book: Book): void {
  const info = `${detector}/detector_info`;
  const isMpccd =
    book.read("detector-name", info, () => file.text(`${info}/detector_name`))?.startsWith("MPCCD") === true;
  book.check("detector-gain", `${info}/absolute_gain`, () => {
    const gain = file.number(`${info}/absolute_gain`);
    if (gain === undefined) return isMpccd ? "is not there" : null;
    return gain > 0 && Number.isFinite(gain) ? null : `is ${gain}`;
  });
  const parts = [
    "detector_coordinate_in_micro_meter",
    "detector_rotation_angle_in_degree",
    "pixel_size_in_micro_meter",
  ];
  const values = parts.map((part) => book.read("geometry", `${info}/${part}`, () => file.numbers(`${info}/${part}`)));
  const [position, rotation, pixel] = values;
  if (position === undefined && rotation === undefined) {
    if (isMpccd) book.add("no-geometry", info, "has no position and no rotation");
    return;
  }
  const wanted = [2, 1, 2];
  book.check("geometry", `${info}/manipulator_position_in_micro_meter`, () => {
    file.number(`${info}/manipulator_position_in_micro_meter`);
    return null;
  });
  for (const [i, value] of values.entries()) {
    if (value === undefined)
      book.add("geometry", `${info}/${parts[i]}`, "is not there, though the rest of the geometry is");
    else if (value.length < (wanted[i] ?? 1))
      book.add("geometry", `${info}/${parts[i]}`, `has ${value.length} numbers`);
    else if (!value.every(Number.isFinite) || (value === pixel && !value.every((size) => size > 0)))
      book.add("geometry", `${info}/${parts[i]}`, `is [${value.join(", ")}]`);
  }
}

/** The tags that have an image. */
function checkImages(
  file: H5File,
  detector: string,
  tags: ReadonlySet<number>,
  hasStatus: boolean,
  book: Book,
): Set<number> {
  const found = new Set<number>();
  const stored = new StoredDetector(file, detector, detector, 0, new TagRows(Uint32Array.from(tags)));
  const { ysize, xsize } = (stored.hasImage ? unlessOdd(() => stored.info) : undefined) ?? {};
  const expected = ysize === undefined ? undefined : `[${ysize}, ${xsize}]`;
  for (const name of file.keys(detector)) {
    const tag = Number(/^tag_(\d+)$/.exec(name)?.[1]);
    if (Number.isNaN(tag)) continue;
    const path = `${detector}/${name}/detector_data`;
    const status = hasStatus
      ? book.read("image-status", path, () => file.number(`${detector}/${name}/detector_status`))
      : 1;
    if (!tags.has(tag)) book.add("unlisted-tag", `${detector}/${name}`, "is not in tag_number_list");
    const fault = book.read("image-shape", path, () => stored.faultOf(tag));
    if (isSaclaError(fault, "FRAME_MISSING")) {
      book.add("written", path, String(fault.details["what"]));
      continue;
    }
    const shape = book.read("image-shape", path, () => file.shape(path) && imageShape(file.shape(path) ?? []));
    if (shape === undefined) {
      // Said already where it cannot be read.
      if (hasStatus && status === 1 && fault === undefined)
        book.add("image-status", path, "is not there, though detector_status is 1");
      continue;
    }
    found.add(tag);
    if (fault !== undefined) book.add("image-type", path, fault.message);
    book.check("image-type", path, () => {
      const isOther = stored.info.pixelType === "uint16" && file.pixelType(path) !== "uint16";
      if (file.hasNumbers(path) && !isOther) return null;
      return `is ${file.described(path)}${isOther ? ", the first images u2" : ""}`;
    });
    book.check("filter", path, () => file.unreadable(path)?.what ?? null);
    const text = `[${shape.join(", ")}]`;
    if (shape.length !== 2 || shape.some((length) => length < 1))
      book.add("image-shape", path, `has shape ${text}${surplusAxes(shape)}`);
    else if (expected !== undefined && text !== expected)
      book.add("image-shape", path, `has shape ${text}, and most images ${expected}`);
  }
  if (found.size === 0) {
    for (const tag of book.read("image-shape", detector, () => stored.tags) ?? []) found.add(tag);
    const { stack } = stored;
    if (typeof stack === "object") checkDataset(file, stack.path, book);
    if (found.size === 0) book.add("no-image", detector, `has no image${stored.whyNone}`);
  }
  return found;
}
