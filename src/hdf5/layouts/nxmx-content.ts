import { HC_EV_ANGSTROM } from "../../core/constants.ts";
import { mostFrequent } from "../read/first-images.ts";
import type { H5File } from "../read/h5file.ts";
import { readProvenance } from "../read/provenance.ts";
import { maskAt, NEXUS_BITS } from "../read/stack-mask.ts";
import type { StackContent, StackPart } from "../read/stack-source.ts";
import { tagsOfImages } from "../read/tag-lists.ts";
import { moduleGeometry, textOf } from "./module-geometry.ts";
import {
  checkPixels,
  energiesAt,
  isOneImage,
  isStack,
  lacks,
  otherShape,
  recordedSensors,
  sensorsIn,
  stackShape,
  unitsIn,
} from "./stack-content.ts";

/** What one of these units is in ångström. */
const wavelengthUnits: Readonly<Record<string, number>> = {
  ...{ angstrom: 1, angstroms: 1, Angstrom: 1, A: 1, Å: 1 },
  ...{ nm: 10, pm: 0.01, um: 1e4, m: 1e10 },
};

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
  const numbered = pieces.toSorted((a, b) => Number(a.slice(5)) - Number(b.slice(5))).map((name) => `${group}/${name}`);
  const whole = names.find((one) => file.shape(one) !== undefined);
  const used = whole === undefined ? numbered : [whole];
  const stacks = used.filter((one) => isStack(file.shape(one)) && (whole !== undefined || file.hasNumbers(one)));
  const ofImage = (one: string): readonly number[] => stackShape(file.shape(one) ?? []).slice(1);
  const most = mostFrequent(stacks.map(ofImage));
  const path = stacks.find((one) => ofImage(one).join() === most?.join()) ?? whole ?? numbered[0] ?? names[0] ?? "";
  const shape = file.shape(path);
  if (shape === undefined) throw lacks(file, layout, path);
  if (!isStack(shape)) throw lacks(file, layout, path, otherShape(shape));
  checkPixels(file, layout, path);
  const places: Place[] = [];
  const notes: string[] = [];
  for (const one of used) {
    const [length = 0] = file.shape(one) ?? [];
    const isUsed = stacks.includes(one) && ofImage(one).join() === most?.join();
    if (isUsed && isOneImage(file.shape(one))) places.push({ path: one, index: null });
    else if (isUsed) for (let index = 0; index < length; index++) places.push({ path: one, index });
    else notes.push(`the images of ${one} are left out: ${whyOut(file, one)}`);
  }
  return { path, shape: stackShape(shape), places, notes };
}

function whyOut(file: H5File, path: string): string {
  const found = file.described(path);
  if (found !== undefined) return `they are ${found}`;
  const link = file.linkOut(path);
  if (link === undefined) return "it is not there";
  const where = file.sibling(link.file) === undefined ? `in ${link.file}` : `${link.path} of ${link.file}`;
  return `they are ${where}, which is not there`;
}

/** The tags of the images of a NeXus file; none where they are counted from 1, and why. */
export function nxmxTags(file: H5File, images: number): { readonly tags: ArrayLike<number>; readonly why?: string } {
  const path = ["/entry/data/tag_id", "/entry/data/tag"].find((one) => file.kind(one) === "dataset");
  if (path === undefined) return { tags: [] };
  const tags = tagsOfImages(file, path, images);
  return typeof tags === "string" ? { tags: [], why: `${path} ${tags}` } : { tags };
}

function notesOfEnergies(file: H5File, images: number): string[] {
  const path = "/entry/instrument/beam/incident_energy";
  const length = file.numbersOrNone(path)?.length ?? images;
  return length === images || length === 1
    ? []
    : [`${path} has ${length} values for ${images} images: they are not used`];
}

/** NXmx with one module a sensor, ours and ostrich's. @throws NOT_DATACONVERT */
export function nxmxContent(file: H5File): StackContent {
  const layout = "NXmx layout (/entry)";
  const { path, shape, places, notes } = nxmxStack(file, layout);
  const images = places.length;
  const detector = "/entry/instrument/detector";
  const recorded = recordedSensors(readProvenance(file));
  const modules = modulesIn(file, detector);
  const name = file.textOrNone(`${detector}/description`);
  const id = name === undefined || !/^\S+$/.test(name) ? "nxmx" : name;
  const mask = maskAt(file, NEXUS_BITS, `${detector}/pixel_mask`, `${detector}/detectorSpecific/pixel_mask`);
  const whole = sensorsIn(shape, id, mask);
  const odd: string[] = [];
  const parts = modules.flatMap(({ at, origin }, i): StackPart[] => {
    // Of [images, modules, rows, columns] an origin begins with the module.
    const { info: all, axes } = whole[origin.length > 2 ? (origin.at(-3) ?? 0) : 0] ?? {};
    const size = file.numbersOrNone(`${at}/data_size`)?.slice(-2) ?? [];
    const [ysize = all?.ysize ?? NaN, xsize = all?.xsize ?? NaN] = size;
    const [row = NaN, column = NaN] = origin.slice(-2);
    const isPart = isWithin(row, ysize, all?.ysize) && isWithin(column, xsize, all?.xsize);
    if (!isPart) {
      const where = `data_origin [${[...origin].join(", ")}] and data_size [${[...size].join(", ")}]`;
      odd.push(`${at} is left out: ${where} are no part of images of [${shape.slice(1).join(", ")}]`);
      return [];
    }
    const sensor = modules.length === 1 ? id : `${id}-${i + 1}`;
    const info = { id: sensor, xsize, ysize, absGain: null, geometry: moduleGeometry(file, at) };
    const stored = { ...(recorded[i] ?? info), pixelType: "float32" as const };
    return [{ info: stored, row, column, mask, ...(axes === undefined ? {} : { axes }) }];
  });
  const isTold = parts.length > 0 && (whole.length === 1 || modules.every(({ origin }) => origin.length > 2));
  const factor = unitsIn(file, "/entry/data/data_scale_factor", null);
  const { tags, why } = nxmxTags(file, images);
  const counted = why === undefined ? [] : [`${why}: shots are counted from 1`];
  const start = Date.parse(file.textOrNone("/entry/start_time") ?? "");
  const [, bl] = /BL(\d+)/.exec(file.textOrNone("/entry/instrument/name") ?? "") ?? [];
  const run = file.textOrNone("/entry/experiment_identifier") ?? "";
  return {
    title: "NXmx",
    tags,
    images,
    energiesEv: [...nxmxEnergies(file, images)],
    imageShape: shape.slice(1),
    parts: isTold ? parts : whole.map((part) => ({ ...part, info: { ...part.info, pixelType: "float32" as const } })),
    // 0.1 is not a binary number: 1 / 0.1 is to be 10.
    unitsPerPhoton: factor === null ? null : Math.round(1e6 / factor) / 1e6,
    place: (shot) => places[shot] ?? { path, index: shot },
    notes: [...notes, ...counted, ...notesOfEnergies(file, images), ...odd],
    bl: bl === undefined ? null : Number(bl),
    run: Number(/\d+/.exec(run)?.[0] ?? NaN) || null,
    comment: file.textOrNone("/entry/title") ?? "",
    startTime: Number.isNaN(start) ? null : start / 1000,
  };
}

/** Groups of modules, which say where in the images they begin, in that order. */
function modulesIn(file: H5File, detector: string) {
  return file
    .keys(detector)
    .map((name) => `${detector}/${name}`)
    .filter((at) => file.keys(at).includes("data_origin"))
    .map((at) => ({ at, origin: file.numbersOrNone(`${at}/data_origin`) ?? new Float64Array(0) }))
    .toSorted((a, b) => compared(a.origin, b.origin));
}

function isWithin(from: number, length: number, all = 0): boolean {
  return Number.isInteger(from) && Number.isInteger(length) && from >= 0 && length > 0 && from + length <= all;
}

function compared(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a, (value, k) => value - (b[k] ?? 0)).find((difference) => difference !== 0) ?? 0;
}
