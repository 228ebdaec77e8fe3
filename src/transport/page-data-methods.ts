import * as v from "valibot";
import { liveMeans } from "../core/live-means.ts";
import { beamline, bytes, count, doubles, reads, roi, run, tag, tags, text, whole } from "./method-rows.ts";

const path = v.pipe(v.string(), v.maxLength(4000));
const index = whole(0, Number.MAX_SAFE_INTEGER);

/** Which shots a live picture is of. */
export const liveSubject = {
  /** The mean of so many shots, the newest last; of pumped and unpumped ones, so many of each. */
  mean: whole(1, 1000),
  /**
   * Means of pumped or unpumped shots, by the signals that label the shots of runs; their difference, its standard
   * error from the scatter of the shots, or their ratio. No dark is subtracted from a difference: both means have it.
   * With `-i0` each mean is Σ images / Σ I0 (less the dark), for the mean I0 of both; I0 is the first beam monitor.
   */
  what: v.picklist(liveMeans),
  /** A shot with at least `minPixels` pixels at or above `threshold` (ADU, less the dark) is a hit. */
  hits: v.nullable(v.strictObject({ threshold: v.number(), minPixels: whole(1, 100_000_000) })),
};

/** From the least to the greatest value; `from`: the middle of the first bin. */
export const histogramSchema = v.nullable(v.strictObject({ from: v.number(), binWidth: v.number(), counts: doubles }));

const numbers = v.array(
  v.strictObject({
    name: text,
    /** null: it could not be computed, and `note` says why. */
    value: v.nullable(v.number()),
    /** Standard error; null: exactly known, or not determined. */
    error: v.nullable(v.number()),
    unit: v.string(),
    note: v.string(),
  }),
);

/** A file to be saved, and the command line that writes such a file; "": there is none. */
const file = v.strictObject({ name: text, bytes, command: v.string(), note: v.string() });

/** The rows of the method table for runs and files on the page; `withPage` of src/page answers them. */
export const pageDataMethods = {
  "page.summary": reads(
    v.strictObject({ bl: beamline, run }),
    numbers,
    "Numbers that describe a run: shots by class, mean intensity, nearest dark, and columns of one's own.",
  ),
  "page.imageSummary": reads(
    v.strictObject({ bl: beamline, run }),
    numbers,
    "Hit rate and pumped/unpumped of a sample of a run's images; one run at a time is computed.",
  ),
  "page.export": reads(
    v.strictObject({
      bl: beamline,
      detId: text,
      dark: v.nullable(run),
      /** Of a stored shot; null: the newest live one. */
      shot: v.nullable(v.strictObject({ run, tag })),
      ...liveSubject,
      /** The part that is shown, in pixels of the whole picture; null: all. */
      region: v.nullable(roi),
      form: v.picklist(["png", "h5"]),
      /** For PNG: colours, and the values of the lowest and the highest. */
      colourMap: v.string(),
      scale: v.string(),
      range: v.tuple([v.number(), v.number()]),
    }),
    file,
    "The picture that is shown as a file: PNG with its colours, or HDF5 with its numbers and where they are.",
  ),
  "page.report": reads(
    v.strictObject({ bl: beamline, run, detId: text, limit: whole(1, 1_000_000) }),
    file,
    "The report of a run, as `sacla demo` writes it: one HTML file with pictures in it.",
  ),
  "page.timingChoices": reads(
    v.strictObject({ bl: beamline, run: v.nullable(run) }),
    v.strictObject({
      /** Of a timing monitor: those whose ids begin with OPAL. */
      cameras: v.array(text),
      /** Of the user database of `sacla tma`, of this beamline. */
      tma: v.array(v.strictObject({ id: count, camera: text, comment: v.string(), shots: count })),
    }),
    "Where timing edges of a run, or of live shots, can come from.",
  ),
  "page.timing": reads(
    v.strictObject({
      bl: beamline,
      /** null: live shots, or the newest run of the source. */
      run: v.nullable(run),
      /** Found on images; or what the source, or the user database, has. */
      from: v.picklist(["images", "source", "database"]),
      /** Of the user database: whose edges, or what the finder has learnt. null: the finder learns from these shots. */
      tmaId: v.nullable(count),
      /** null: that of the TMA id. */
      camera: v.nullable(text),
      by: v.picklist(["fit", "derivative"]),
      /** Whether edges with a flag are given, too. */
      flagged: v.boolean(),
      /** null: edges are in pixels. */
      fsPerPixel: v.nullable(v.number()),
      zeroPx: v.nullable(v.number()),
    }),
    v.strictObject({
      tags,
      /** NaN where there is none that can be used. */
      edges: doubles,
      /** Standard errors; NaN: not known. */
      errors: doubles,
      unit: v.picklist(["px", "fs"]),
      usable: count,
      /** How often each flag was. */
      flags: v.record(v.string(), count),
      summary: v.strictObject({
        mean: v.nullable(v.number()),
        /** Of one shot. */
        standardDeviation: v.nullable(v.number()),
        histogram: histogramSchema,
      }),
      /** What is being done; "": nothing more. */
      state: v.string(),
      /** Shots of the run; null: not known, or live. */
      total: v.nullable(count),
      error: v.nullable(v.string()),
    }),
    "Timing edges of a run or of live shots, their mean, scatter and histogram; found as long as it is asked again.",
  ),
  "page.files": reads(
    v.strictObject({}),
    v.strictObject({ files: v.array(v.strictObject({ name: text, bytes: count, modified: v.number() })) }),
    "The HDF5 files of the folder, or the file, that is served.",
  ),
  "page.h5": reads(
    v.strictObject({ file: text, path }),
    v.strictObject({
      kind: v.picklist(["group", "dataset"]),
      /** Without links. */
      path,
      what: v.string(),
      attributes: v.array(v.strictObject({ name: v.string(), value: v.string() })),
      members: v.array(
        v.strictObject({
          name: v.string(),
          kind: v.picklist(["group", "dataset", "link", "other"]),
          /** Type and shape of a dataset, target of a link. */
          what: v.string(),
        }),
      ),
      /** Members that are not listed. */
      more: count,
      shape: v.nullable(v.array(count)),
      holds: v.picklist(["numbers", "texts", "other"]),
    }),
    "A group or dataset of a file, with its attributes and members. Nothing outside the folder is read.",
  ),
  "page.h5Data": reads(
    v.strictObject({
      file: text,
      path,
      /** Index on each axis but the last, or the last two of a picture or table. */
      at: v.pipe(v.array(index), v.maxLength(32)),
      as: v.picklist(["curve", "table", "picture", "texts"]),
      /** First row of a table. */
      from: index,
      /** Most numbers of a curve, rows and columns of a picture: every n-th is given. */
      most: whole(1, 2000),
    }),
    v.strictObject({
      /** Rows and columns that are given; [1, n] for a curve. */
      shape: v.tuple([count, count]),
      /** Every `step`-th is given. */
      step: count,
      /** Row-major; none for texts. */
      values: doubles,
      texts: v.array(v.string()),
    }),
    "A part of a dataset: a curve, a table, a picture, or a list of texts.",
  ),
} as const;
