import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { File, type Group, type GuessableDataTypes, ready } from "h5wasm/node";
import { lookup3 } from "../../src/hdf5/direct/checksum.ts";

interface Part {
  /** An external link instead of data: to a path of a file. */
  readonly link?: readonly [file: string, path: string];
  /** A hard link to what was written before at this path, instead of data. */
  readonly hardLink?: string;
  /** A soft link to this path, instead of data. */
  readonly softLink?: string;
  readonly data: GuessableDataTypes;
  readonly dtype?: string;
  readonly shape?: number[];
  readonly gzip?: boolean;
  /** Where gzip is said, in all of the file: the number that stands for its filter, below 256. */
  readonly filter?: number;
}

/** Paths and what to write there; undefined leaves a path out. A plain value has the type h5wasm guesses. */
export type Parts = Record<string, Part | undefined>;

export const ROWS = 4;
export const COLUMNS = 3;
export const TAGS = [101, 103, 105];

/** Pixel i of the image of a tag is tag + i. */
export function pixelsOf(tag: number): number[] {
  return Array.from({ length: ROWS * COLUMNS }, (_, i) => tag + i);
}

/** The smallest DataConvert run: one sensor, three tags, two signals. */
export function runParts(run = 7, bl = 3, tags: readonly number[] = TAGS): Parts {
  const root = `/run_${run}`;
  const detector = `${root}/detector_2d_1`;
  const images = tags.map((tag): [string, Part] => [
    `${detector}/tag_${tag}/detector_data`,
    { data: Float32Array.from(pixelsOf(tag)), shape: [ROWS, COLUMNS] },
  ]);
  const statuses = tags.map((tag): [string, Part] => [`${detector}/tag_${tag}/detector_status`, { data: 1 }]);
  return {
    [`${root}/run_info/start_tag_number`]: { data: tags[0] ?? 0 },
    [`${root}/run_info/end_tag_number`]: { data: (tags.at(-1) ?? 0) + 2 },
    [`${root}/run_info/detector_config/detector_2d_list`]: { data: Int32Array.of(1) },
    [`${root}/run_info/sacla_config/photon_energy_in_eV`]: { data: Float64Array.of(7500), shape: [] },
    [`${root}/exp_info/comment`]: { data: "a comment", dtype: "A32" },
    [`${root}/event_info/tag_number_list`]: { data: Int32Array.from(tags) },
    [`${root}/event_info/time_stamp`]: { data: Float64Array.from(tags, (tag) => 1_760_000_000 + tag / 60) },
    [`${root}/event_info/bl_${bl}/tc/bm_1_pd_charge`]: { data: Float32Array.from(tags, (_, i) => i + 0.5) },
    [`${root}/event_info/bl_${bl}/shutter_1_open_valid_status`]: { data: Int32Array.from(tags, () => 1) },
    [`${detector}/detector_info/detector_name`]: { data: "MPCCD-1N0-M06-002", dtype: "A17" },
    [`${detector}/detector_info/absolute_gain`]: { data: Float32Array.of(17.5), shape: [] },
    [`${detector}/detector_info/detector_coordinate_in_micro_meter`]: { data: Float32Array.of(-1755, 51711, 5) },
    [`${detector}/detector_info/detector_rotation_angle_in_degree`]: { data: Float32Array.of(-90), shape: [] },
    [`${detector}/detector_info/pixel_size_in_micro_meter`]: { data: Float32Array.of(50, 51) },
    [`${detector}/detector_info/manipulator_position_in_micro_meter`]: { data: Float32Array.of(12), shape: [] },
    ...Object.fromEntries(images),
    ...Object.fromEntries(statuses),
  };
}

/** A whole file: the given runs (run 7 by default), changed by `changes`. */
export function archiveParts(
  changes: Parts = {},
  runs: readonly Parts[] = [runParts()],
  numbers: readonly number[] = [7],
): Parts {
  return {
    "/file_info/run_number_list": { data: BigInt64Array.from(numbers, BigInt) },
    "/file_info/version": { data: "3.20", dtype: "A6" },
    ...Object.assign({}, ...runs),
    ...changes,
  };
}

/** Writes the parts as an HDF5 file and gives its path. */
export async function writeHdf5(folder: string, name: string, parts: Parts): Promise<string> {
  await ready;
  const path = join(folder, name);
  const file = new File(path, "w");
  for (const [place, part] of Object.entries(parts)) if (part !== undefined) writePart(file, place, part);
  file.close();
  const filter = Object.values(parts).find((part) => part?.filter !== undefined)?.filter;
  if (filter !== undefined) renumberGzip(path, filter);
  return path;
}

/** Writes another number for gzip into headers of datasets, and their checksums anew. */
function renumberGzip(path: string, filter: number): void {
  const bytes = readFileSync(path);
  const gzip = Buffer.from([2, 1, 1, 0, 0, 0, 1, 0]);
  for (let at = bytes.indexOf("OHDR"); at >= 0; at = bytes.indexOf("OHDR", at + 4)) {
    const [head, ofDatasets] = [24, 0x21];
    if (bytes[at + 5] !== ofDatasets) continue;
    const end = at + head + bytes.readUInt16LE(at + head - 2);
    const place = bytes.subarray(0, end).indexOf(gzip, at);
    if (place < 0) continue;
    bytes.writeUInt16LE(filter, place + 2);
    bytes.writeUInt32LE(lookup3(new DataView(bytes.buffer, bytes.byteOffset + at, end - at), end - at), end);
  }
  writeFileSync(path, bytes);
}

function writePart(file: File, place: string, part: Part): void {
  const names = place.split("/").filter((name) => name !== "");
  const last = names.pop() ?? "";
  let group: Group = file;
  for (const name of names) {
    const known = group.keys().includes(name) ? group.get(name) : group.create_group(name);
    if (known === null || !("create_group" in known)) throw new Error(`${name} of ${place} is not a group`);
    group = known;
  }
  const { data, dtype, shape, gzip, link, hardLink, softLink } = part;
  if (hardLink !== undefined) {
    group.create_hard_link(hardLink, last);
    return;
  }
  if (softLink !== undefined) {
    group.create_soft_link(softLink, last);
    return;
  }
  if (link !== undefined) {
    group.create_external_link(...link, last);
    return;
  }
  const storage = gzip === true && shape !== undefined ? { chunks: shape, compression: "gzip" as const } : {};
  group.create_dataset({
    name: last,
    data,
    ...(dtype === undefined ? {} : { dtype }),
    ...(shape === undefined ? {} : { shape }),
    ...storage,
  });
}
