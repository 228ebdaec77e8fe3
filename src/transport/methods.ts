import * as v from "valibot";
import type { Pixels } from "../core/ndarray.ts";
import { citiusMethods } from "./citius-methods.ts";
import { controlMethods } from "./control-methods.ts";
import { beamline, bytes, doubles, reads, roi, run, tag, tags, text, whole } from "./method-rows.ts";
import { pageMethods } from "./page-methods.ts";
import { presetMethods } from "./preset-methods.ts";
import { scanMethods } from "./scan-methods.ts";

/**
 * The method table: every question an Endpoint answers, with the schema of what is asked and answered, the Python
 * call it mirrors, and what differs from it. Types, client checks, server checks and docs/from-python.md come from
 * here and nowhere else.
 */

const hightag = whole(0, 999_999);
/** `olpy.NEWESTTAG`: stands for the newest tag. */
export const NEWEST_TAG = -1;
const floats: v.GenericSchema<Float32Array> = v.instance(Float32Array);
const pixels: v.GenericSchema<Pixels> = v.union([v.instance(Float32Array), v.instance(Uint16Array)]);
const ofRun = { bl: beamline, run };
const seconds = v.number();
const shot = v.tuple([hightag, tag]);
const nothing = v.strictObject({});

const nullable = <S extends v.GenericSchema>(schema: S) => v.nullable(schema);
const sensorGeometry = v.strictObject({
  posXUm: v.number(),
  posYUm: v.number(),
  posZUm: v.number(),
  rotationDeg: v.number(),
  pixelSizeXUm: v.number(),
  pixelSizeYUm: v.number(),
  manipulatorShiftUm: v.number(),
});
const detectorInfo = v.strictObject({
  id: text,
  xsize: whole(1, 65_536),
  ysize: whole(1, 65_536),
  absGain: nullable(v.number()),
  geometry: nullable(sensorGeometry),
  pixelType: v.optional(v.picklist(["float32", "uint16"])),
  pixelUnit: v.optional(v.picklist(["photon"])),
});

const runInfo = v.looseObject({
  starttime: seconds,
  stoptime: seconds,
  total_tagnumber: whole(0, 0xffff_ffff),
  start_tagnumber: tag,
  end_tagnumber: tag,
  hightagnumber: hightag,
  comment: v.string(),
  runtype: v.string(),
  stationnumber: v.pipe(v.number(), v.integer()),
  runstatus: whole(-1, 2),
  // Of stored runs: what is odd about them, each a sentence that names the place.
  notes: v.optional(v.array(v.string())),
});
/** The dictionary of `read_runinfo`, by its Python keys; newer runs carry more of them (`fy_id`, `detectors`). */
export type RunInfo = v.InferOutput<typeof runInfo>;

const column = v.strictObject({ equipId: text, unit: v.string(), values: doubles, status: bytes });

/** A frame as it travels: row-major pixels, shape [rows, columns]. */
const shape = v.tuple([whole(1, 65_536), whole(1, 65_536)]);
const frame = v.strictObject({ detId: text, shape, data: floats });
/** The same as it is stored: unsigned 16-bit pixels stay so. */
const storedFrame = v.strictObject({ detId: text, shape, data: pixels });
export type Frame = v.InferOutput<typeof storedFrame>;

const missingFrame = v.strictObject({ detId: text, reason: text });
const shotFrames = v.strictObject({ tag, frames: v.array(storedFrame), missing: v.array(missingFrame) });
/** The frames of one shot, and the reason for each detector that has none. */
export type ShotFrames = v.InferOutput<typeof shotFrames>;

/**
 * 0-D values of one live shot, in the order of the signals asked: `status` is an index into syncStatus, or {@link
 * STATUS_LATE}.
 */
const liveValues = v.strictObject({ values: doubles, status: bytes, units: v.array(v.string()) });

const liveShot = v.strictObject({
  hightag,
  // null: no shot any more; the item tells what was lost before the end of the stream.
  tag: nullable(tag),
  run,
  // When the shot happened, unix seconds of the source's clock, and how long ago that was when the item was made.
  time: seconds,
  latencyMs: v.number(),
  frames: v.array(storedFrame),
  missing: v.array(missingFrame),
  signals: liveValues,
  // Tags between the item before and this one that are not given, by reason.
  gaps: v.array(v.strictObject({ reason: text, tags })),
});
/** A live shot as it travels. */
export type LiveItem = v.InferOutput<typeof liveShot>;

/** One row of the table. */
export interface Method {
  readonly params: v.GenericSchema;
  readonly result: v.GenericSchema;
  /** Whether answering changes anything at the facility. */
  readonly changes: boolean;
  /** The role that a client needs for a call that changes something. @default "control" */
  readonly role?: "operator";
  /** Whether the parameters hold a secret, which must stand in no address: over HTTP only POST is taken. */
  readonly hasSecret?: boolean;
  readonly meaning: string;
  /** The Python call this mirrors; null for what only the idiomatic layer uses. */
  readonly python: string | null;
  /** What differs from Python beyond the name and the `await`. */
  readonly note?: string;
}

/** How a broken stream is taken up again. A stream without it is not. */
export interface Resume<P, I> {
  /** The parameters for what is still to come after `item`; null when `item` is not the next one of `params`. */
  rest(params: P, item: I): P | null;
  /** The tags that `params` ask for. */
  tags(params: P): Uint32Array;
  /** Whether nothing is left to come. */
  isComplete(params: P): boolean;
}

/** Methods with one answer. */
export const callMethods = {
  "facility.describe": reads(
    nothing,
    v.strictObject({ name: text, methods: v.array(text), renewed: v.optional(v.number()) }),
    "What answers, and which methods of this table it can answer; it answers the others with UNSUPPORTED. " +
      "`renewed`: when a server opened its files anew because they had changed, Unix seconds.",
    null,
  ),
  "db.getApiVersion": reads(nothing, text, "Version of what answers.", "dbpy.get_api_version()"),
  "db.listBeamlines": reads(nothing, v.array(beamline), "Beamlines this source knows.", null),
  "db.listRuns": reads(
    v.strictObject({ bl: beamline, last: whole(1, 100_000) }),
    v.array(run),
    "The last runs of a beamline, ascending.",
    null,
  ),
  "db.readRunnumberNewest": reads(
    v.strictObject({ bl: beamline }),
    run,
    "Newest run number of a beamline.",
    "dbpy.read_runnumber_newest(bl)",
  ),
  "db.readRunstatus": reads(
    v.strictObject(ofRun),
    whole(-1, 2),
    "−1 not yet existing, 0 stopped (ready to read), 1 paused, 2 running.",
    "dbpy.read_runstatus(bl, run)",
    "Answers −1 for an unknown run, where readRuninfo fails, as in Python.",
  ),
  "db.readRuninfo": reads(
    v.strictObject(ofRun),
    runInfo,
    "What is recorded about a run.",
    "dbpy.read_runinfo(bl, run)",
    "Same keys as the Python dictionary; an unknown run is an APIError.",
  ),
  "db.readComment": reads(v.strictObject(ofRun), v.string(), "The run's comment.", "dbpy.read_comment(bl, run)"),
  "db.readStarttime": reads(
    v.strictObject(ofRun),
    seconds,
    "Start of the run, unix seconds.",
    "dbpy.read_starttime(bl, run)",
  ),
  "db.readStoptime": reads(
    v.strictObject(ofRun),
    seconds,
    "End of the run, unix seconds.",
    "dbpy.read_stoptime(bl, run)",
  ),
  "db.readStartTagnumber": reads(
    v.strictObject(ofRun),
    shot,
    "[HighTag, first tag], inclusive.",
    "dbpy.read_start_tagnumber(bl, run)",
  ),
  "db.readEndTagnumber": reads(
    v.strictObject(ofRun),
    shot,
    "[HighTag, end tag], **exclusive**.",
    "dbpy.read_end_tagnumber(bl, run)",
  ),
  "db.readHightagnumber": reads(
    v.strictObject(ofRun),
    hightag,
    "HighTag of a run.",
    "dbpy.read_hightagnumber(bl, run)",
  ),
  "db.readHightagnumberFromtime": reads(
    v.strictObject({ time: text, day: whole(1, 31), month: whole(1, 12), year: whole(1970, 9999) }),
    hightag,
    "HighTag in force at a time.",
    "dbpy.read_hightagnumber_fromtime(time, day, month, year)",
    'time is "HH:MM:SS", Japan time.',
  ),
  "db.readTaglistByrun": reads(
    v.strictObject(ofRun),
    tags,
    "Tags of a run, ascending; the step follows the repetition rate.",
    "dbpy.read_taglist_byrun(bl, run)",
    "A Uint32Array, not a tuple.",
  ),
  "db.readTaglistBydetid": reads(
    v.strictObject({ ...ofRun, detId: text }),
    tags,
    "Tags for which a detector has an image.",
    "dbpy.read_taglist_bydetid(bl, run, detID)",
    "A Uint32Array; can be shorter than the run's list.",
  ),
  "db.readTaglist": reads(
    v.strictObject({ bl: beamline, hightag, starttag: tag, endtag: tag }),
    tags,
    "Tags of a beamline between two tags, both **inclusive**, runs or not.",
    "dbpy.read_taglist(bl, hightag, starttag, endtag)",
    "A Uint32Array.",
  ),
  "db.readTagnumberNewest": reads(
    v.strictObject({ equipId: text }),
    shot,
    "[HighTag, newest tag] with a value of a signal.",
    "dbpy.read_tagnumber_newest(equipID)",
  ),
  "db.readSyncdatalist": reads(
    v.strictObject({ equipId: text, hightag, tags }),
    v.array(v.string()),
    "Values as text with the unit glued on.",
    "dbpy.read_syncdatalist(equipID, hightag, tags)",
    "`not-converged`, `saturated` as in Python; `missing` where nothing was recorded.",
  ),
  "db.readSyncdatalistFloat": reads(
    v.strictObject({ equipId: text, hightag, tags }),
    doubles,
    "Values as numbers.",
    "dbpy.read_syncdatalist_float(equipID, hightag, tags)",
    "A Float64Array, NaN where there is no number; Run.column keeps the reason.",
  ),
  "db.readColumns": reads(
    v.strictObject({ equipIds: v.array(text), hightag, tags }),
    v.array(column),
    "Several signals with unit, and a reason for each missing value.",
    null,
  ),
  "db.readDetidlist": reads(
    v.strictObject(ofRun),
    v.array(text),
    "Detectors of a run: composite ids and each sensor.",
    "dbpy.read_detidlist(bl, run)",
  ),
  "db.readEquiplist": reads(nothing, v.array(text), "Every equipment id.", "dbpy.read_equiplist()"),
  "db.readConfigPhotonenergy": reads(
    v.strictObject(ofRun),
    v.number(),
    "Configured photon energy, **keV**.",
    "dbpy.read_config_photonenergy(bl, run)",
  ),
  "db.readConfigPhotonenergyInKeV": reads(
    v.strictObject(ofRun),
    v.number(),
    "The same under its older name, keV.",
    "dbpy.read_config_photonenergy_in_keV(bl, run)",
  ),
  "db.readTimestampFromtag": reads(
    v.strictObject({ hightag, tag, equipId: text }),
    seconds,
    "When a shot happened, unix seconds.",
    "dbpy.read_timestamp_fromtag(hightag, tag, equipID)",
  ),
  "db.readTimestamps": reads(
    v.strictObject({ hightag, tags, equipId: text }),
    doubles,
    "When shots happened, unix seconds: one number a tag.",
    null,
  ),
  "db.readTimingEdges": reads(
    v.strictObject(ofRun),
    v.strictObject({ comment: text, tags, derivativePx: doubles, fittingPx: doubles }),
    "Edges of the timing monitor's analysis (TMA) for the shots of a run, pixel; NaN where it found none.",
    null,
  ),
  "st.readDetectorInfo": reads(
    v.strictObject({ ...ofRun, detId: text }),
    detectorInfo,
    "Size, gain and geometry of a detector.",
    null,
  ),
  "st.readImageOffsets": reads(
    v.strictObject({ ...ofRun, detId: text, tags }),
    v.strictObject({
      file: text,
      size: whole(0, Number.MAX_SAFE_INTEGER),
      modifiedMs: v.number(),
      dtype: text,
      shape: v.tuple([whole(1, 65_536), whole(1, 65_536)]),
      offsets: doubles,
    }),
    "Where the images of a sensor stand in a file as plain numbers, for programs on the same computer: byte offsets, " +
      "NaN for what is compressed, missing or elsewhere, and numpy's name of the type. Of use while size and time of " +
      "change of the file are these.",
    null,
  ),
  "st.readImageStates": reads(
    v.strictObject({ ...ofRun, detId: text, tags }),
    bytes,
    "Which images of a sensor a file has, for programs that skip the others: one number a tag, 0 there, " +
      "1 frame-missing, 2 frame-not-written, 3 frame-partly-written, 4 frame-source-gone, 5 frame-damaged, " +
      "6 frame-unsupported. No image is read: one that is there may still turn out to be damaged.",
    null,
  ),
  "st.readBadPixels": reads(
    v.strictObject({ ...ofRun, detId: text }),
    v.nullable(v.strictObject({ shape, data: bytes })),
    "Bad pixels that a file names beside its images, as CXI and NXmx files do: bits of the NeXus pixel mask, 0 good; " +
      "shape [ysize, xsize]. Null where the file names none.",
    null,
  ),
  "st.collect": reads(
    v.strictObject({ detId: text, bl: beamline, runs: v.pipe(v.array(run), v.nonEmpty()), tag }),
    v.strictObject({ run, tag, frame, info: detectorInfo }),
    "One image with its information.",
    "stpy.StorageReader(detID, bl, runs).collect(buffer, tag)",
    "A missing image is an APIError with code FRAME_MISSING.",
  ),
  "live.readDetidlist": reads(
    v.strictObject({ bl: v.optional(beamline) }),
    v.array(text),
    "Detectors whose images can be had live.",
    "olpy.read_detidlist()",
    "Of all beamlines this source serves, or of `bl` alone.",
  ),
  "live.collect": reads(
    v.strictObject({ detId: text, bl: v.optional(beamline), tag: whole(NEWEST_TAG, 0xffff_ffff) }),
    v.strictObject({ bl: beamline, hightag, run, tag, frame, info: detectorInfo }),
    "One image while it is in memory; waits for a tag that has not happened yet.",
    "olpy.StorageReader(detID).collect(buffer, tag)",
    "Gives the real tag. Failures are APIErrors with code DATA_GONE (−200010000) or TAG_INVALID (−200050000).",
  ),
  ...citiusMethods,
  ...controlMethods,
  ...pageMethods,
  ...scanMethods,
  ...presetMethods,
} as const satisfies Record<string, Method>;

const liveParams = v.strictObject({
  bl: beamline,
  detIds: v.array(text),
  signals: v.array(text),
  policy: v.picklist(["newest", "every"]),
  // How long after a shot its images and values may take to arrive before it is given without them.
  maxWaitMs: whole(0, 60_000),
  // Go on after this tag; null: with the newest shot there is, or, under "every", the next one to happen.
  after: nullable(tag),
  // End after so many shots.
  limit: nullable(whole(0, 1_000_000_000)),
  // End with the run that is on, or that begins next.
  untilRunEnd: v.boolean(),
  roi: nullable(roi),
});

const framesParams = v.strictObject({
  ...ofRun,
  detIds: v.pipe(v.array(text), v.nonEmpty()),
  tags,
  roi: nullable(roi),
});

/** Methods with many answers. */
export const streamMethods = {
  "st.frames": {
    ...reads(
      framesParams,
      shotFrames,
      "Images of several detectors, tag by tag, in the order asked; a missing image is an entry in `missing`.",
      null,
    ),
    resume: {
      rest: (params: v.InferOutput<typeof framesParams>, item: ShotFrames) =>
        params.tags[0] === item.tag ? { ...params, tags: params.tags.subarray(1) } : null,
      tags: (params: v.InferOutput<typeof framesParams>) => params.tags,
      isComplete: (params: v.InferOutput<typeof framesParams>) => params.tags.length === 0,
    },
  },
  "live.shots": {
    ...reads(
      liveParams,
      liveShot,
      "Shots as they happen, images and 0-D values of one tag together; what is not given is in `gaps`.",
      null,
    ),
    resume: {
      rest: (params: v.InferOutput<typeof liveParams>, item: LiveItem) => {
        if (item.tag === null) return { ...params, limit: 0 };
        const isNext = params.after === null || item.tag > params.after;
        return isNext ? { ...params, after: item.tag, limit: params.limit === null ? null : params.limit - 1 } : null;
      },
      tags: () => new Uint32Array(0),
      isComplete: (params: v.InferOutput<typeof liveParams>) => params.limit === 0,
    },
  },
} as const satisfies Record<
  string,
  Method & {
    readonly resume?: {
      rest(params: never, item: never): object | null;
      tags(params: never): Uint32Array;
      isComplete(params: never): boolean;
    };
  }
>;

export type CallMethod = keyof typeof callMethods;
export type CallParams<M extends CallMethod> = v.InferOutput<(typeof callMethods)[M]["params"]>;
export type CallResult<M extends CallMethod> = v.InferOutput<(typeof callMethods)[M]["result"]>;
export type StreamMethod = keyof typeof streamMethods;
export type StreamParams<M extends StreamMethod> = v.InferOutput<(typeof streamMethods)[M]["params"]>;
export type StreamItem<M extends StreamMethod> = v.InferOutput<(typeof streamMethods)[M]["result"]>;
