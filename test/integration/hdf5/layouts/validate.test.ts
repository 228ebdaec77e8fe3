import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type LayoutRule, layoutRules, validateFile } from "../../../../src/hdf5/index.ts";
import { archiveParts, type Parts, runParts, writeHdf5 } from "../../../support/archive-parts.ts";
import { itWithSharedData, sharedData } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
let files = 0;

async function findings(parts: Parts) {
  return await validateFile(await writeHdf5(folder, `v${++files}.h5`, parts));
}

/** The good file with format_type, which build.ts leaves out. */
const good = (changes: Parts = {}): Parts =>
  archiveParts({ "/file_info/format_type": { data: "run_data_format", dtype: "A15" }, ...changes });
const info = "/run_7/detector_2d_1/detector_info";
const events = "/run_7/event_info";

const provenance = (used: number, asked = 3): object => ({
  format: "sacla conversion 1",
  request: { run: 7, bl: 3 },
  source: {},
  run: { starttime: 1, stoptime: 2, hightagnumber: 202502 },
  ledger: { asked, used, dropped: [] },
  signals: [],
  constants: {},
  versions: {},
});
const text = (value: object): { data: string; dtype: string } => ({ data: JSON.stringify(value), dtype: "A1000" });

const stackedImage = { data: new Uint16Array(24), shape: [8, 3] };
const cheetah = (changes: Parts = {}): Parts => ({
  "/tag-101/data": stackedImage,
  "/tag-101/photon_energy_ev": { data: Float64Array.of(10_000), shape: [] },
  "/tag-103/data": stackedImage,
  "/tag-103/photon_energy_ev": { data: Float64Array.of(10_000), shape: [] },
  "/metadata/sensor_id": { data: ["a-1", "a-2"], dtype: "A3" },
  ...Object.fromEntries(
    ["posx_in_um", "posy_in_um", "posz_in_um", "angle_in_rad", "pixelsizex_in_um", "pixelsizey_in_um"].map((name) => [
      `/metadata/${name}`,
      { data: Float64Array.of(1, 2) },
    ]),
  ),
  "/metadata/pixelmask": stackedImage,
  ...changes,
});

const detector = "/entry/instrument/detector";
const nxmx = (changes: Parts = {}): Parts => ({
  "/entry/definition": { data: "NXmx", dtype: "A4" },
  "/entry/data/data": { data: new Int32Array(48), shape: [2, 8, 3] },
  "/entry/data/tag_id": { data: Uint32Array.of(101, 103) },
  "/entry/instrument/beam/incident_energy": { data: Float64Array.of(10_000, 10_001) },
  [`${detector}/pixel_mask`]: { data: new Uint32Array(24), shape: [8, 3] },
  [`${detector}/q1/data_origin`]: { data: Int32Array.of(0, 0) },
  [`${detector}/q1/data_size`]: { data: Int32Array.of(4, 3) },
  [`${detector}/q2/data_origin`]: { data: Int32Array.of(4, 0) },
  [`${detector}/q2/data_size`]: { data: Int32Array.of(4, 3) },
  ...changes,
});

/** Hits with lists of peaks: up to two in a shot. */
const cxi = (changes: Parts = {}): Parts => ({
  ...nxmx(),
  "/entry_1/result_1/nPeaks": { data: Int32Array.of(2, 1) },
  ...Object.fromEntries(
    ["peakXPosRaw", "peakYPosRaw", "peakTotalIntensity"].map((name) => [
      `/entry_1/result_1/${name}`,
      { data: new Float32Array(4), shape: [2, 2] },
    ]),
  ),
  ...changes,
});

const extraDetector = (name: string): Parts => ({
  "/run_7/detector_2d_2/detector_info/detector_name": { data: name, dtype: "A17" },
  "/run_7/detector_2d_2/tag_101/detector_data": { data: new Float32Array(12), shape: [4, 3] },
  "/run_7/detector_2d_2/tag_101/detector_status": { data: 1 },
});

/** For each rule a file that breaks it, and nothing worse. */
const bad: readonly (readonly [rule: LayoutRule, parts: Parts])[] = [
  ["format", { "/something": { data: 1 } }],
  ["run-list", good({ "/file_info/run_number_list": undefined })],
  ["format-type", good({ "/file_info/format_type": { data: "other", dtype: "A5" } })],
  ["run-group", good({ "/file_info/run_number_list": { data: BigInt64Array.of(7n, 8n) } })],
  [
    "tag-list",
    good({
      [`${events}/tag_number_list`]: { data: Int32Array.of(101, 103, 103) },
      "/run_7/detector_2d_1/tag_105/detector_data": undefined,
      "/run_7/detector_2d_1/tag_105/detector_status": undefined,
    }),
  ],
  [
    "tag-list",
    good({
      [`${events}/tag_number_list`]: { data: Float64Array.of(101, 103.5, 105) },
      "/run_7/detector_2d_1/tag_103/detector_data": undefined,
      "/run_7/detector_2d_1/tag_103/detector_status": undefined,
    }),
  ],
  ["tag-order", good({ [`${events}/tag_number_list`]: { data: Int32Array.of(103, 101, 105) } })],
  ["tag-range", good({ "/run_7/run_info/end_tag_number": { data: 105 } })],
  ["time-stamp", good({ [`${events}/time_stamp`]: { data: Float64Array.of(1, NaN, 3) } })],
  ["beamline", good({ [`${events}/bl_2/x`]: { data: Int32Array.of(1, 1, 1) } })],
  ["comment", good({ "/run_7/exp_info/comment": { data: 5 } })],
  ["signal-type", good({ [`${events}/bl_3/wave`]: { data: new Float32Array(6), shape: [3, 2] } })],
  ["signal-length", good({ [`${events}/bl_3/tc/bm_1_pd_charge`]: { data: Float32Array.of(1, 2) } })],
  [
    "photon-energy",
    good({ "/run_7/run_info/sacla_config/photon_energy_in_eV": { data: Float64Array.of(NaN), shape: [] } }),
  ],
  ["detector-list", good({ "/run_7/run_info/detector_config/detector_2d_list": { data: Int32Array.of(1, 2) } })],
  ["detector-name", good({ ...extraDetector("OPAL-1"), [`${info}/detector_name`]: { data: "OPAL-1", dtype: "A6" } })],
  ["detector-gain", good({ [`${info}/absolute_gain`]: { data: Float32Array.of(-1), shape: [] } })],
  ["geometry", good({ [`${info}/pixel_size_in_micro_meter`]: { data: Float32Array.of(50, 0) } })],
  ["geometry", good({ [`${info}/manipulator_position_in_micro_meter`]: { data: "0 um" } })],
  [
    "no-geometry",
    good({
      [`${info}/detector_coordinate_in_micro_meter`]: undefined,
      [`${info}/detector_rotation_angle_in_degree`]: undefined,
    }),
  ],
  [
    "unlisted-tag",
    good({ "/run_7/detector_2d_1/tag_999/detector_data": { data: new Float32Array(12), shape: [4, 3] } }),
  ],
  ["image-shape", good({ "/run_7/detector_2d_1/tag_103/detector_data": { data: new Float32Array(6), shape: [2, 3] } })],
  ["image-type", good({ "/run_7/detector_2d_1/tag_103/detector_data": { data: Array(12).fill("a"), shape: [4, 3] } })],
  [
    "image-type",
    good({
      "/run_7/detector_2d_1/tag_101/detector_data": { data: new Uint16Array(12), shape: [4, 3] },
      "/run_7/detector_2d_1/tag_103/detector_data": { data: new Uint16Array(12), shape: [4, 3] },
    }),
  ],
  [
    "filter",
    good({
      "/run_7/detector_2d_1/tag_103/detector_data": {
        data: new Float32Array(12),
        shape: [4, 3],
        gzip: true,
        filter: 255,
      },
    }),
  ],
  ["image-status", good({ "/run_7/detector_2d_1/tag_103/detector_data": undefined })],
  ["written", good({ "/run_7/detector_2d_1/tag_103/detector_data": { data: [], link: ["gone.h5", "/a"] } })],
  ["no-image", good({ "/run_7/detector_2d_2/detector_info/detector_name": { data: "OPAL-1", dtype: "A6" } })],
  [
    "assembled-missing",
    good({
      "/run_7/detector_2d_assembled_1/tag_101/detector_data": { data: new Float32Array(4), shape: [2, 2] },
      "/run_7/detector_2d_assembled_1/tag_103/detector_data": { data: new Float32Array(4), shape: [2, 2] },
    }),
  ],
  [
    "provenance",
    good({ "/sacla/provenance": text(provenance(3, 5)), "/sacla/tags_used": { data: Uint32Array.of(101, 103, 105) } }),
  ],
  [
    "tags-used",
    good({ "/sacla/provenance": text(provenance(3)), "/sacla/tags_used": { data: Uint32Array.of(101, 103, 107) } }),
  ],
  [
    "image-digest",
    good({
      "/sacla/provenance": text(provenance(3)),
      "/sacla/tags_used": { data: Uint32Array.of(101, 103, 105) },
      "/sacla/image_digests/1/path": { data: "/run_7/detector_2d_1/tag_{tag}/detector_data", dtype: "A44" },
      "/sacla/image_digests/1/sha256": { data: new Uint8Array(96).fill(7), shape: [3, 32] },
    }),
  ],
  ["stack-image", cheetah({ "/tag-103/data": { data: new Uint16Array(12), shape: [4, 3] } })],
  ["stack-energy", cheetah({ "/tag-103/photon_energy_ev": undefined })],
  ["stack-metadata", cheetah({ "/metadata/posy_in_um": { data: Float64Array.of(1) } })],
  ["stack-mask", cheetah({ "/metadata/pixelmask": { data: new Uint16Array(12), shape: [4, 3] } })],
  ["stack-tags", nxmx({ "/entry/data/tag_id": { data: Uint32Array.of(101) } })],
  ["nxmx-definition", nxmx({ "/entry/definition": { data: "NXother", dtype: "A7" } })],
  ["peak-list", cxi({ "/entry_1/result_1/nPeaks": { data: Int32Array.of(3, 1) } })],
  ["nxmx-modules", nxmx({ [`${detector}/q2/data_origin`]: { data: Int32Array.of(5, 0) } })],
];

describe("validateFile", () => {
  it.each([
    ["DataConvert", good()],
    ["Cheetah", cheetah()],
    ["NXmx", nxmx()],
    ["CXI", cxi()],
  ])("finds nothing in a good %s file", async (_, parts) => {
    expect(await findings(parts)).toMatchObject({ isValid: true, findings: [], counts: {} });
  });

  it.each(bad)("finds %s, and only that", async (rule, parts) => {
    const report = await findings(parts);
    expect(report.counts).toEqual({ [rule]: expect.any(Number) });
    expect(report.isValid).toBe(layoutRules[rule].severity === "warning");
    expect(report.findings[0]).toMatchObject({ rule, ...layoutRules[rule], path: expect.stringMatching(/^\//) });
  });

  it("has a bad file for every rule", () => {
    // What is seen with `--deep` alone is tried with files of h5py (absent-images.test.ts).
    expect(new Set([...bad.map(([rule]) => rule), "dataset-type"])).toEqual(new Set(Object.keys(layoutRules)));
  });

  it("has every rule with its reason in docs/files.md", () => {
    const page = readFileSync(new URL("../../../../docs/files.md", import.meta.url), "utf8");
    const listed = [...page.matchAll(/^\| `([a-z-]+)` \| (error|warning) \| (.*) \|$/gm)].map(
      ([, rule = "", severity, reason]) => [rule, { severity, reason }],
    );
    expect(Object.fromEntries(listed)).toEqual(layoutRules);
  });

  it("goes on after the first finding, and after what it cannot read", async () => {
    const report = await findings(
      good({
        [`${info}/absolute_gain`]: { data: "seventeen", dtype: "A9" },
        [`${events}/time_stamp`]: undefined,
        "/run_7/detector_2d_1/tag_103/detector_data": undefined,
      }),
    );
    expect(Object.keys(report.counts).sort()).toEqual(["detector-gain", "image-status", "time-stamp"]);
    expect(report.findings.at(-1)?.severity).toBe("warning");
  });

  it("counts all and shows twenty of one rule", async () => {
    const tags = Array.from({ length: 40 }, (_, i) => 101 + 2 * i);
    const none = Object.fromEntries(tags.map((tag) => [`/run_7/detector_2d_1/tag_${tag}/detector_data`, undefined]));
    const parts = archiveParts({ "/file_info/format_type": { data: "run_data_format", dtype: "A15" }, ...none }, [
      runParts(7, 3, tags),
    ]);
    const report = await findings(parts);
    expect(report.counts).toEqual({ "image-status": 40, "no-image": 1 });
    expect(report.findings).toHaveLength(21);
  });

  it("passes lists that are matrices of one row or column, as reading does", async () => {
    const column = { data: Float32Array.of(1, 2, 3), shape: [3, 1] };
    const row = { data: ["1V", "2V", "3V"], dtype: "A2", shape: [1, 3] };
    const format: Parts = { "/file_info/format_type": { data: "run_data_format", dtype: "A16" } };
    const parts = archiveParts({ ...format, [`${events}/bl_3/eh_1/a`]: column, [`${events}/bl_3/eh_1/b`]: row });
    expect(await validateFile(await writeHdf5(folder, "lines.h5", parts))).toMatchObject({ findings: [] });
    const matrix = { ...format, [`${events}/bl_3/eh_1/a`]: { data: new Float32Array(6), shape: [3, 2] } };
    expect((await validateFile(await writeHdf5(folder, "matrix.h5", archiveParts(matrix)))).findings).toMatchObject([
      { rule: "signal-type", message: "is f4 of shape [3, 2]" },
    ]);
  });

  it("compares images with the size that most have, also where the first one is odd", async () => {
    const first = { "/run_7/detector_2d_1/tag_101/detector_data": { data: new Float32Array(15), shape: [5, 3] } };
    const { findings } = await validateFile(await writeHdf5(folder, "first.h5", good(first)));
    expect(findings).toMatchObject([
      { path: expect.stringContaining("tag_101"), message: "has shape [5, 3], and most images [4, 3]" },
    ]);
  });

  it("passes the fixture", async () => {
    const fixture = fileURLToPath(new URL("../../../../fixtures/tiny-octal.h5", import.meta.url));
    expect(await validateFile(fixture)).toMatchObject({ isValid: true, findings: [] });
  });

  itWithSharedData("passes the shared files", async () => {
    for (const name of ["206178.h5", "651251.h5"])
      expect(await validateFile(`${sharedData}${name}`)).toMatchObject({ isValid: true, findings: [] });
  });
});
