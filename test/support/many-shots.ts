import { Random } from "../../src/core/random.ts";
import { archiveParts, type Parts, runParts, writeHdf5 } from "./archive-parts.ts";

export const manyShotsRun = 7;
export const manyShotsBeamline = 3;
const detector = "/run_7/detector_2d_1";

/** A DataConvert file `many.h5` of run 7 with `shots` shots of one sensor of 32 × 24 pixels; the first `dark` are dark. */
export async function writeManyShots(folder: string, shots: number, dark = 20, more: Parts = {}): Promise<string> {
  const random = new Random(5);
  const tags = Array.from({ length: shots }, (_, k) => 250_018_001 + 2 * k);
  const images = tags.map((tag, k): [string, Parts[string]] => [
    `${detector}/tag_${tag}/detector_data`,
    {
      data: Float32Array.from(
        { length: 32 * 24 },
        () => Math.round(40 + 9 * random.uniform()) + (k < dark ? 0 : k % 11),
      ),
      shape: [32, 24],
    },
  ]);
  const run = {
    ...runParts(manyShotsRun, manyShotsBeamline, tags),
    ...Object.fromEntries(images),
    ...more,
    "/run_7/event_info/bl_3/shutter_1_open_valid_status": {
      data: Int32Array.from(tags, (_, k) => (k < dark ? 0 : 1)),
    },
  };
  return await writeHdf5(folder, "many.h5", archiveParts({}, [run]));
}

/** A request for it with reducers of all kinds of state and a cube. */
export const manyShotsRequest = {
  where: ["xfel_bl_3_tc_bm_1_pd/charge > 30"],
  corrections: [{ kind: "between", low: -100, high: 5000 }],
  reducers: {
    average: { kind: "mean" },
    spread: { kind: "variance", ddof: 1 },
    range: { kind: "minMax" },
    adu: { kind: "histogram", from: -20, to: 40 },
    rois: { kind: "roiSeries", rois: [{ rows: [0, 8], columns: [2, 20] }] },
    drops: { kind: "droplets", aduPerPhoton: 6 },
  },
  cubes: {
    charge: {
      axes: [{ name: "charge", of: "xfel_bl_3_tc_bm_1_pd/charge", from: 0, to: 2000, step: 100 }],
      images: { average: { kind: "mean" } },
      sums: { all: { detector: "MPCCD-1N0-M06-002" } },
    },
  },
} as const;
