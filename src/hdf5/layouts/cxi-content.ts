import { SaclaError, show } from "../../core/errors.ts";
import { readTextFile } from "../../files/index.ts";
import { excludedPixels } from "../../ip/crystfel-regions.ts";
import { type CrystfelGeom, parseCrystfelGeom } from "../../ip/index.ts";
import type { H5File } from "../read/h5file.ts";
import { CXI_BITS, maskAt, type StackMask } from "../read/stack-mask.ts";
import type { StackContent, StackPart } from "../read/stack-source.ts";
import { nxmxContent } from "./nxmx-content.ts";
import {
  checkPixels,
  energiesAt,
  isOneImage,
  isStack,
  lacks,
  otherShape,
  sensorsIn,
  stackShape,
} from "./stack-content.ts";

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
  const layout = "CXI layout (/entry_1)";
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
    if (found === undefined) throw lacks(file, layout, other);
    const next = ", and its panels are in a CrystFEL geometry: FILE?geom=FILE.geom";
    throw lacks(file, layout, other, otherShape(found) + next);
  }
  checkPixels(file, layout, path);
  const parts = panels && partsIn(file, path, panels, geom ?? "");
  const shape = file.shape(path) ?? [];
  const isOne = parts === undefined ? isOneImage(shape) : !parts.some(({ axes }) => axes?.includes("shot"));
  const images = isOne ? 1 : (shape[parts?.[0]?.axes?.indexOf("shot") ?? 0] ?? 0);
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
    parts: parts ?? sensorsIn(stackShape(shape), "cxi", cxiMask(file, path)),
    unitsPerPhoton: null,
    imageShape: shape,
    place: (shot) => ({ path, index: isOne ? null : shot }),
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
      // Of rows and columns alone: the shots of a stack have an axis in front.
      ...(axes === undefined || (axes.length < 3 && !axes.includes("shot")) ? {} : { axes }),
    };
  });
}

function maskSaid(bits: Omit<StackMask, "path"> | undefined): Partial<StackMask> {
  return bits === undefined ? {} : { ...bits, isSaid: true };
}

/** The parts, where each lies inside its array. @param shared - path of the array of parts that name none */
function partsIn(file: H5File, shared: string, parts: readonly StackPart[], geom: string): StackPart[] {
  return parts.map((part) => {
    const { info, row, column } = part;
    const path = part.path !== undefined && file.shape(part.path) !== undefined ? part.path : shared;
    const mask = part.mask !== undefined && file.hasNumbers(part.mask.path) ? part.mask : cxiMask(file, path);
    const shape = file.shape(path) ?? [];
    const { axes = isOneImage(shape) ? ["row", "column"] : ["shot", "row", "column"] } = part;
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
