import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { DetectorInfo } from "../core/detector.ts";
import { fileError, SaclaError, show } from "../core/errors.ts";
import { badArgument, isRecord } from "../core/guards.ts";
import { asImage, type NdArray } from "../core/ndarray.ts";
import { readTextFile } from "../files/index.ts";
import { H5File } from "../hdf5/read/h5file.ts";
import { Assembler, parsePoni, type RingGeometry } from "../ip/index.ts";
import type { CheckedRequest } from "./request.ts";

/** The files that a request names, by the names that it has for them. */
export type RequestFiles = Readonly<Record<string, { readonly path: string; readonly digest: string }>>;

/** An image of each sensor in an HDF5 file. */
export interface MapsRequest {
  readonly file: string;
  /** The group with a dataset, or a group of a reducer, for each sensor. */
  readonly group: string;
}

/** Where each file of a request is, and what it holds now. @throws FILE_NOT_FOUND */
export function requestFiles(request: CheckedRequest): RequestFiles {
  const names = new Set<string>();
  const look = (value: unknown, key: string): void => {
    if (typeof value === "string") {
      if (key === "file" || key === "poni" || (key === "edges" && value !== "run")) names.add(value);
    } else if (Array.isArray(value)) for (const entry of value) look(entry, "");
    else if (isRecord(value)) for (const [name, entry] of Object.entries(value)) look(entry, name);
  };
  look([request.corrections, Object.values(request.reducers), Object.values(request.cubes)], "");
  return Object.fromEntries([...names].map((name) => [name, { path: resolve(name), digest: fileDigest(name) }]));
}

/** @throws FILE_NOT_FOUND @throws FILE_CHANGED when a file is another one than when the reduction was begun */
export function checkFiles(files: RequestFiles): void {
  for (const { path, digest } of Object.values(files))
    if (fileDigest(path) !== digest)
      throw new SaclaError(
        "FILE_CHANGED",
        `${show(path)}, which the request names, was changed since the reduction was begun. ` +
          "Put the old file back, or begin anew with --restart.",
        { details: { path } },
      );
}

function fileDigest(path: string): string {
  try {
    return `sha256:${createHash("sha256").update(readFileSync(path)).digest("hex")}`;
  } catch (cause) {
    throw fileError("FILE_NOT_FOUND", "A file that the request names", path, cause);
  }
}

/** The path of a file by the name that the request has for it. */
export function pathOf(files: RequestFiles, name: string): string {
  return files[name]?.path ?? name;
}

/**
 * An image of each sensor: the dataset `group/SENSOR`, or `group/SENSOR/leaf` as a reducer writes it.
 * @throws BAD_ARGUMENT when a sensor has none @throws FILE_DAMAGED when it has another shape
 */
export async function readMaps(
  files: RequestFiles,
  { file: name, group }: MapsRequest,
  leaf: string,
  sensors: readonly DetectorInfo[],
): Promise<Record<string, NdArray<Float32Array>>> {
  const path = pathOf(files, name);
  const file = await H5File.open(path);
  try {
    return Object.fromEntries(
      sensors.map(({ id, ysize, xsize }) => {
        const at = `/${group.replace(/^\/+|\/+$/g, "")}/${id}`;
        const found = [at, `${at}/${leaf}`].find((place) => file.kind(place) === "dataset");
        if (found === undefined)
          throw badArgument(
            `group of ${show(path)}`,
            group,
            `one with ${id}, or ${id}/${leaf}, of shape [rows, columns]`,
          );
        const pixels = new Float32Array(ysize * xsize);
        file.readImage(found, ysize, xsize, pixels);
        return [id, asImage(pixels, ysize, xsize)];
      }),
    );
  } finally {
    file.close();
  }
}

/**
 * The geometry of a PONI file for the assembled picture of the sensors.
 * @throws BAD_TEXT when it is none, or for other pixels @throws BAD_GEOMETRY when a sensor has no place
 */
export function readPoni(
  files: RequestFiles,
  { poni, view = "source" }: { readonly poni: string; readonly view?: "source" | "detector" | undefined },
  sensors: readonly DetectorInfo[],
): { readonly geometry: RingGeometry; readonly photonEnergyEv?: number } {
  const { width, height, pixelSizeUm } = new Assembler(sensors, { view });
  const text = readTextFile("The PONI file", pathOf(files, poni));
  const { geometry, photonEnergyEv } = parsePoni(text, { width, height, pixelSizeUm, view });
  return { geometry, ...(photonEnergyEv === undefined ? {} : { photonEnergyEv }) };
}
