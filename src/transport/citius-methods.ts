import * as v from "valibot";
import { beamline, bytes, reads, run, tag, text, whole } from "./method-rows.ts";

const ofRun = { bl: beamline, run };
const sensorId = whole(0, 65_535);
/** Above the 72 of the largest detector, and an answer of 28 MB at most. */
const MOST_SENSORS = 100;
const sensorIds = v.pipe(v.array(sensorId), v.maxLength(MOST_SENSORS));

const sensor = v.strictObject({ detId: text, sensorId });
/** A sensor of a CITIUS: its long name, as other methods take it, and its number. */
export type CitiusSensor = v.InferOutput<typeof sensor>;

const runStatus = v.picklist(["can-read", "wait-calib", "not-citius"]);
/** Whether the CITIUS images of a run can be read, are still being calibrated, or do not exist. */
export type CitiusRunStatus = v.InferOutput<typeof runStatus>;

const reconstInfo = v.strictObject({
  pixel_size_x: v.number(),
  pixel_size_y: v.number(),
  position_x: v.number(),
  position_y: v.number(),
  position_z: v.number(),
  position_theta: v.number(),
});
/** The dictionary of `read_reconstinfo`: µm from the beam, degrees. */
export type ReconstInfo = v.InferOutput<typeof reconstInfo>;

const masks = v.strictObject({
  shape: v.tuple([whole(0, MOST_SENSORS), whole(1, 65_536), whole(1, 65_536)]),
  data: bytes,
});

/**
 * The rows of the method table that only CITIUS detectors need. Images and tags are asked for as those of any detector:
 * `st.frames`, `st.collect`, `st.readDetectorInfo`, `db.readTaglistBydetid`, with the long names of the sensors.
 */
export const citiusMethods = {
  "citius.getApiVersion": reads(
    v.strictObject({}),
    text,
    "Version of what answers for CITIUS.",
    "ctdapy_xfel.get_api_version()",
  ),
  "citius.getRunstatus": reads(
    v.strictObject(ofRun),
    runStatus,
    "Whether the CITIUS images of a run can be read.",
    "ctdapy_xfel.get_runstatus(bl, run)",
    "A word: only one of the three numbers is known.",
  ),
  "citius.readSensors": reads(
    v.strictObject(ofRun),
    v.array(sensor),
    "The CITIUS sensors of a run by number; none for a run without CITIUS.",
    "ctdapy_xfel.CtrlBuffer(bl, run).read_detidlist(), .read_sensoridlist()",
  ),
  "citius.readBadpixelMask": reads(
    v.strictObject({ ...ofRun, sensorIds }),
    masks,
    "Bad pixels of sensors, in the order asked: 1 is bad, 0 good; shape [sensors, ysize, xsize].",
    "ctdapy_xfel.CtrlBuffer(bl, run).read_badpixel_mask(out, sensor)",
  ),
  "citius.readReconstinfo": reads(
    v.strictObject({ ...ofRun, sensorIds, tag }),
    v.array(reconstInfo),
    "Where sensors lie, in the order asked.",
    "ctdapy_xfel.CtrlBuffer(bl, run).read_reconstinfo(sensor, tag)",
  ),
} as const;

/** A row of {@link citiusMethods}. */
export type CitiusMethod = keyof typeof citiusMethods;

/** Size of a CITIUS sensor without binning: `CITIUS_IMAGE_WIDTH` and `CITIUS_IMAGE_HEIGHT` of ctdapy_xfel. */
export const CITIUS_SIZE = { xsize: 384, ysize: 728 } as const;
