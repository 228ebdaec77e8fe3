/** Files of every kind that sacla writes, made from the fixture, and what a reader must find in them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect, Facility } from "../../src/connect.ts";
import { type ConvertRequest, convert, openArchive, writeColumns } from "../../src/hdf5/index.ts";
import { EV_PER_JOULE } from "../../src/hdf5/layouts/stack-content.ts";
import { endpointOf } from "../../src/source/index.ts";

export const fixture = fileURLToPath(new URL("../../fixtures/tiny-octal.h5", import.meta.url));
export const [BL, RUN, ROWS, COLUMNS] = [2, 300001, 64, 32];
export const TAGS = [384559329, 384559333];
export const SENSORS = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `MPCCD-8B0-2-010-${n}`);
export const SIGNAL = "xfel_bl_2_tc_bm_1_pd/charge";
const ENERGY = "xfel_bl_2_tc_spec_1/energy";

/** One thing of a file, by its path in it: numbers row by row, one text, or a list of texts. */
export interface Item {
  readonly path: string;
  readonly kind: "numbers" | "text" | "texts";
  readonly expected: readonly (number | string)[];
}

export interface HdfOutput {
  readonly file: string;
  readonly items: readonly Item[];
}

/** A run as tables have it, in the order of its tags. */
export interface TableTruth {
  readonly tags: readonly number[];
  /** Null where there is none. */
  readonly values: readonly (number | null)[];
  readonly status: readonly string[];
}

/** What is in the fixture. */
interface Truth {
  /** For each tag all sensors under each other. */
  readonly adu: readonly Float32Array[];
  readonly energiesEv: readonly number[];
  readonly gains: readonly number[];
  readonly comment: string;
}

/** Opens the fixture as a source of its own, to be closed by whom asks. */
export async function openFixture(): Promise<Facility> {
  return new Facility(endpointOf(await openArchive(fixture)));
}

async function truth(): Promise<Truth> {
  const archive = await openArchive(fixture);
  const adu: Float32Array[] = [];
  for (const tag of TAGS) {
    const stack = new Float32Array(SENSORS.length * ROWS * COLUMNS);
    for (const [k, id] of SENSORS.entries())
      await archive.readFrame(BL, RUN, id, tag, stack.subarray(k * ROWS * COLUMNS, (k + 1) * ROWS * COLUMNS));
    adu.push(stack);
  }
  const { hightagnumber, comment } = await archive.runInfo(BL, RUN);
  const { values } = await archive.column(ENERGY, hightagnumber, Uint32Array.from(TAGS));
  const gains: number[] = [];
  for (const id of SENSORS) gains.push((await archive.detectorInfo(BL, RUN, id)).absGain ?? NaN);
  await archive.close();
  return { adu, energiesEv: Array.from(values, (keV) => 1000 * keV), gains, comment };
}

const numbers = (path: string, expected: ArrayLike<number>): Item => ({
  path,
  kind: "numbers",
  expected: Array.from(expected),
});
const text = (path: string, expected: string): Item => ({ path, kind: "text", expected: [expected] });

/** ADU × gain × 3.65 eV / photon energy, in tenths. */
function tenths({ adu, energiesEv, gains }: Truth, shot: number): number[] {
  const perSensor = ROWS * COLUMNS;
  return Array.from(adu[shot] ?? [], (v, i) =>
    Math.round(v * (((gains[Math.floor(i / perSensor)] ?? NaN) * 3.65 * 10) / (energiesEv[shot] ?? NaN))),
  );
}

/** Writes the HDF5 files. @returns what is in each, by the name of the output */
export async function writeHdf5(folder: string, filters: readonly string[]): Promise<Record<string, HdfOutput>> {
  await using facility = await openFixture();
  const write = async (file: string, request: Partial<ConvertRequest>): Promise<void> => {
    await convert(facility, { bl: BL, run: RUN, tags: TAGS, dark: "none", ...request }, join(folder, file));
  };
  const found = await truth();
  const root = `/run_${RUN}`;
  const eventInfo = (below: string): Item[] => [
    numbers(`${below}/tag_number_list`, TAGS),
    numbers(
      `${below}/bl_2/tc/spec_1_energy`,
      found.energiesEv.map((eV) => eV / 1000),
    ),
  ];
  const sensor = (k: number, shot: number): ArrayLike<number> =>
    found.adu[shot]?.subarray((k - 1) * ROWS * COLUMNS, k * ROWS * COLUMNS) ?? [];
  const dataconvert: Item[] = [
    text("/file_info/format_type", "run_data_format"),
    text(`${root}/exp_info/comment`, found.comment),
    text(`${root}/detector_2d_3/detector_info/detector_name`, SENSORS[2] ?? ""),
    ...eventInfo(`${root}/event_info`),
    numbers(`${root}/detector_2d_1/tag_${TAGS[0]}/detector_data`, sensor(1, 0)),
    numbers(`${root}/detector_2d_8/tag_${TAGS[1]}/detector_data`, sensor(8, 1)),
  ];
  await write("dataconvert.h5", { compression: "gzip-1" });
  await write("nxmx.h5", { format: "nxmx", compression: "gzip-1" });
  await write("cheetah.h5", { format: "cheetah", compression: "gzip-1" });
  // Nearly every maximum is a peak, so that no shot is left out.
  const hits = { minPeaks: 1, thresholdPhotons: 0.1, snr: 0.1 };
  await write("hits.cxi", { format: "cxi", hits, compression: "gzip-1" });
  await write("assembled.h5", { assembled: true, sensors: false });
  const px = Float64Array.from([512.25, NaN]);
  await writeColumns(join(folder, "tma.h5"), { tag_number: Uint32Array.from(TAGS), timing_edge_fitting: px }, {});
  const filtered: Record<string, HdfOutput> = {};
  for (const filter of filters) {
    await write(`${filter}.h5`, { compression: filter as never });
    filtered[filter] = { file: `${filter}.h5`, items: dataconvert };
  }
  const stack = [0, 1].map((shot) => tenths(found, shot));
  const photons = stack.flatMap((shot) => Array.from(Float32Array.from(shot, (v) => v / 10)));
  return {
    dataconvert: { file: "dataconvert.h5", items: dataconvert },
    nxmx: {
      file: "nxmx.h5",
      items: [
        text("/entry/definition", "NXmx"),
        numbers("/entry/data/tag_id", TAGS),
        numbers("/entry/data/data", photons),
        ...eventInfo("/sacla/event_info"),
      ],
    },
    cheetah: {
      file: "cheetah.h5",
      items: [
        text("/metadata/run_comment", found.comment),
        { path: "/metadata/sensor_id", kind: "texts", expected: SENSORS },
        ...TAGS.flatMap((tag, shot) => [
          numbers(
            `/tag-${tag}/data`,
            (stack[shot] ?? []).map((v) => Math.min(65535, Math.max(0, v))),
          ),
          numbers(`/tag-${tag}/photon_energy_ev`, [found.energiesEv[shot] ?? NaN]),
        ]),
      ],
    },
    cxi: {
      file: "hits.cxi",
      items: [
        numbers("/cxi_version", [160]),
        numbers("/entry/data/tag_id", TAGS),
        numbers("/entry_1/data_1/data", photons),
        numbers(
          "/entry_1/instrument_1/source_1/energy",
          found.energiesEv.map((eV) => eV / EV_PER_JOULE),
        ),
        ...eventInfo("/sacla/event_info"),
      ],
    },
    tma: { file: "tma.h5", items: [numbers("/tag_number", TAGS), numbers("/timing_edge_fitting", px)] },
    ...filtered,
  };
}

/** Writes the signal as CSV, Arrow and Parquet. */
export async function writeTables(folder: string): Promise<TableTruth> {
  await using facility = await openFixture();
  const run = await facility.run(BL, RUN);
  const tags = await run.tags();
  const table = await run.table([SIGNAL], tags);
  for (const name of ["bm1.csv", "bm1.arrow", "bm1.parquet"])
    writeFileSync(join(folder, name), await table.encode(name));
  const { values, status } = await run.column(SIGNAL, tags);
  const words = ["ok", "not-converged", "saturated", "missing"];
  return {
    tags: [...tags],
    values: Array.from(values, (value) => (Number.isFinite(value) ? value : null)),
    status: Array.from(status, (code) => words[code] ?? ""),
  };
}

/** Of files for dxtbx, the pixels of the first shot. Its class for Cheetah files takes sensors of 1024 × 512 alone. */
export async function firstShots(folder: string): Promise<Record<string, readonly [string, readonly number[]]>> {
  const found = await truth();
  const photons = Float32Array.from(tenths(found, 0), (v) => v / 10);
  await using facility = await connect("sim:?seed=7");
  const request = { bl: 3, run: 1520000, format: "cheetah", dark: "none", limit: 1, signals: [] } as const;
  await convert(facility, request, join(folder, "octal.h5"));
  const archive = await openArchive(join(folder, "octal.h5"));
  const [tag = 0] = await archive.tags(3, 1520000);
  const pixels: number[] = [];
  for (const id of (await archive.detectors(3, 1520000)).filter((name) => /^MPCCD-8N0-3-002-\d$/.test(name))) {
    const { ysize, xsize } = await archive.detectorInfo(3, 1520000, id);
    const image = new Float32Array(ysize * xsize);
    await archive.readFrame(3, 1520000, id, tag, image);
    for (const v of image) pixels.push(Math.round(10 * v));
  }
  await archive.close();
  return {
    nxmx: ["nxmx.h5", [...photons]],
    cxi: ["hits.cxi", [...photons]],
    cheetah: ["octal.h5", pixels],
    assembled: ["assembled.h5", []],
  };
}
