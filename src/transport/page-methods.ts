import * as v from "valibot";
import { beamline, bytes, count, doubles, reads, roi, run, tag, tags, text, whole } from "./method-rows.ts";
import { histogramSchema, liveSubject, pageDataMethods } from "./page-data-methods.ts";
import { isPresetMethod, type presetMethods } from "./preset-methods.ts";
import { isScanMethod, type scanMethods } from "./scan-methods.ts";

const levels: v.GenericSchema<Uint16Array> = v.instance(Uint16Array);
const unit = v.picklist(["r_mm", "2th_deg", "q_A^-1"]);

/** Most rectangles of one picture. */
const MOST_ROIS = 8;

const profileAxis = v.strictObject({
  unit,
  /** From the sample to the detector; needed for 2θ and q. */
  distanceMm: v.nullable(v.pipe(v.number(), v.minValue(1e-3))),
  photonEnergyEv: v.nullable(v.pipe(v.number(), v.minValue(1))),
});

/** How a picture is made of the images of a detector's sensors. */
const look = {
  bl: beamline,
  /** A detector, whose sensors are assembled (seen from the source), or one sensor. */
  detId: text,
  /** The mean of this run's dark shots is subtracted; of all its shots when none is marked dark. */
  dark: v.nullable(run),
  /** The part to be shown, in pixels of the whole picture. */
  region: v.nullable(roi),
  /** Most rows and columns to be sent: the mean of n × n pixels stands for them. */
  side: whole(16, 2400),
  rois: v.pipe(v.array(roi), v.maxLength(MOST_ROIS)),
  profile: v.nullable(profileAxis),
};

const picture = v.strictObject({
  size: v.tuple([count, count]),
  shown: roi,
  /** Pixels of the whole picture, across, that one value sent stands for. */
  step: count,
  shape: v.tuple([count, count]),
  /** Value = low + level × (high − low) / 65534; 65535: no data. */
  levels,
  low: v.number(),
  high: v.number(),
  /** Of the values sent, at these percentages. */
  percent: doubles,
  quantiles: doubles,
  pixelSizeUm: v.nullable(v.number()),
  /** Where the beam is, in pixels of the whole picture. */
  beam: v.nullable(v.strictObject({ row: v.number(), column: v.number() })),
});

const frame = v.strictObject({
  seq: count,
  bl: beamline,
  detId: text,
  hightag: count,
  run,
  tag,
  /** When the shot happened, unix seconds of the source's clock; null: the source does not say. */
  time: v.nullable(v.number()),
  /** From the shot to its coming here, by the source's clock. */
  latencyMs: v.nullable(v.number()),
  /** When it came here, unix seconds of this server's clock. */
  cameAt: v.number(),
  /** From then on to this answer. */
  reducedMs: v.number(),
  /** Shots of which this is the mean. */
  shots: count,
  what: liveSubject.what,
  /** Of pumped and unpumped shots; null: they are not told apart. */
  pumped: v.nullable(v.strictObject({ on: count, off: count })),
  dark: v.nullable(run),
  missing: v.array(v.strictObject({ detId: text, reason: text })),
  picture,
  /** `mean` and `max` are null where no pixel is. */
  rois: v.array(
    v.strictObject({ roi, sum: v.number(), mean: v.nullable(v.number()), max: v.nullable(v.number()), pixels: count }),
  ),
  /** Round the beam, at round values of the axis asked for as `profile`; null: it is not known where the beam is. */
  rings: v.nullable(
    v.strictObject({
      unit,
      rings: v.array(
        v.strictObject({
          value: v.number(),
          /** Pixels of the whole picture. */
          radius: v.number(),
          /** Distance of lattice planes that scatter there; null: without distance and photon energy. */
          dAngstrom: v.nullable(v.number()),
        }),
      ),
    }),
  ),
  /** Hits among the shots read so far; null: not asked for. */
  hits: v.nullable(
    v.strictObject({
      shots: count,
      hits: count,
      /** Of the last five minutes: the middle of each 10 s (unix seconds), hits per shot, standard error. */
      times: doubles,
      rate: doubles,
      error: doubles,
    }),
  ),
  /** Of all images of a shot: live of this one or of one somewhat older; null: they are not there yet. */
  numbers: v.nullable(
    v.strictObject({
      tag,
      /** Of all pixels of all sensors, 1 ADU (or photon) wide. */
      histogram: v.strictObject({ from: v.number(), binWidth: v.number(), counts: doubles }),
      profile: v.nullable(v.strictObject({ unit, radial: doubles, mean: doubles, error: doubles })),
    }),
  ),
});
/** One picture with what was computed of the same images. */
export type PageFrame = v.InferOutput<typeof frame>;

/** What has become of the shots since somebody looks. */
const counts = v.strictObject({
  used: count,
  dropped: v.record(v.string(), count),
  perSecond: v.number(),
});

/** Of all values kept. */
const summary = v.strictObject({
  /** Share of the shots that have a number; null: no shot yet. */
  complete: v.nullable(v.number()),
  mean: v.nullable(v.number()),
  /** Of one shot; null with fewer than two. */
  standardDeviation: v.nullable(v.number()),
  histogram: histogramSchema,
  /** With `against`, over the shots that have both: Pearson's coefficient and its standard error. */
  correlation: v.nullable(v.strictObject({ r: v.number(), error: v.number(), shots: count })),
});

const values = v.strictObject({ equipId: text, unit: v.string(), values: doubles, status: bytes });

/** The rows of the method table for the page; `withPage` of src/page answers them. */
export const pageMethods = {
  "page.live": reads(
    v.strictObject({
      ...look,
      ...liveSubject,
      /** The `seq` that is known already; null: none. */
      after: v.nullable(count),
      /** How long to wait for a newer one. */
      waitMs: whole(0, 1000),
    }),
    v.strictObject({
      frame: v.nullable(frame),
      counts,
      now: v.number(),
      error: v.nullable(v.string()),
      /** Why no shot has come for a while; null: they come. */
      quiet: v.nullable(v.string()),
    }),
    "The newest live picture after `after`; `frame` null: none in `waitMs`.",
  ),
  "page.signals": reads(
    v.strictObject({
      bl: beamline,
      signals: v.pipe(v.array(text), v.maxLength(32)),
      after: v.nullable(count),
      /** One of the signals, with which each is correlated. */
      against: v.nullable(text),
    }),
    v.strictObject({
      seq: count,
      hightag: count,
      tags,
      times: doubles,
      columns: v.array(v.strictObject({ ...values.entries, summary })),
      now: v.number(),
      error: v.nullable(v.string()),
    }),
    "0-D values of the live shots after number `after`, of the last 3600 at most.",
  ),
  "page.picture": reads(
    v.strictObject({ ...look, run, tag }),
    frame,
    "The picture of one shot of a run, as `page.live` makes it.",
  ),
  "page.pixel": reads(
    v.strictObject({
      bl: beamline,
      detId: text,
      dark: v.nullable(run),
      /** Of a stored shot; null: the newest live one. */
      shot: v.nullable(v.strictObject({ run, tag })),
      ...liveSubject,
      row: count,
      column: count,
    }),
    v.strictObject({
      tag,
      /** null: no data, or outside. */
      value: v.nullable(v.number()),
      sensor: v.nullable(v.strictObject({ detId: text, row: count, column: count })),
      /** From the beam, X to the right looking from the source, Y up. */
      xUm: v.nullable(v.number()),
      yUm: v.nullable(v.number()),
    }),
    "One pixel of a picture: its value, and the sensor pixel it comes from.",
  ),
  "page.experiment": reads(
    v.strictObject({}),
    v.strictObject({
      definition: v.nullable(v.string()),
      /** What the page shows when its address says nothing else. */
      defaults: v.strictObject({ bl: v.nullable(beamline), colourMap: v.nullable(text) }),
    }),
    "The experiment file of the server as JSON text (null: it has none), and its settings for the page.",
  ),
  ...pageDataMethods,
} as const;

/** A row that is for the page alone. */
export type PageMethod = keyof typeof pageMethods | keyof typeof scanMethods | keyof typeof presetMethods;

/** Whether a method is one for the page alone, which no source answers by itself. */
export function isPageMethod(method: string): method is PageMethod {
  return Object.hasOwn(pageMethods, method) || isScanMethod(method) || isPresetMethod(method);
}
