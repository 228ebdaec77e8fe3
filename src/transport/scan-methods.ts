import * as v from "valibot";
import { beamline as bl, count, row, whole } from "./method-rows.ts";

const text = v.pipe(v.string(), v.nonEmpty(), v.maxLength(500));
const finite = v.number();

/** A step scan of one axis, as `sacla scan` takes it. */
const axisScan = v.strictObject({
  axis: text,
  from: finite,
  to: finite,
  points: whole(1, 10_000),
  /** Good shots at each point. */
  shots: whole(1, 1_000_000),
  signals: v.pipe(v.array(text), v.maxLength(32)),
  /** Opened for the shots of each point. */
  shutter: v.nullable(text),
  settleSeconds: v.pipe(finite, v.minValue(0), v.maxValue(3600)),
  /** `off`: shots without beam count, too. */
  beam: v.picklist(["auto", "off"]),
});
const settings = v.union([axisScan, v.strictObject({ file: text })]);
/** What the page starts: a scan of one axis, or a plan out of a file of the server's folder of plans. */
export type PageScanSettings = v.InferOutput<typeof settings>;

const mean = v.strictObject({ mean: finite, error: v.nullable(finite), count });
const point = v.strictObject({
  index: count,
  /** Positions, and what a plan adds, by name. */
  at: v.record(v.string(), finite),
  asked: count,
  used: count,
  /** By signal; null: no shot has a number. */
  values: v.record(v.string(), v.nullable(mean)),
});

/** What was found in one signal so far; see `ScanAnswer` of the scans. */
const answer = v.strictObject({
  signal: text,
  axis: text,
  kind: v.picklist(["peak", "dip", "step", "none"]),
  centre: v.nullable(finite),
  centreError: v.nullable(finite),
  fwhm: v.nullable(finite),
  fwhmError: v.nullable(finite),
  /** The fitted model over the points, to be drawn; null where there is none. */
  curve: v.nullable(v.strictObject({ x: v.array(finite), y: v.array(finite) })),
  why: v.string(),
});

const scan = v.strictObject({
  id: text,
  by: text,
  reason: text,
  settings,
  state: v.picklist(["starting", "running", "pausing", "paused", "stopping", "done", "stopped", "aborted", "failed"]),
  /** Whether it waits for the beam, or for the operators of the accelerator; the newest note says for what. */
  isHeld: v.boolean(),
  /** What it does now, in words. */
  line: v.string(),
  /** Unix seconds of the server's clock. */
  began: v.number(),
  ended: v.nullable(v.number()),
  /** Points that it will have; null where this follows from what is measured. */
  total: v.nullable(count),
  /** Without waits and pauses; null where nobody knows. */
  secondsLeft: v.nullable(finite),
  points: v.array(point),
  answers: v.array(answer),
  /** Of axes and signals, by name. */
  units: v.record(v.string(), v.string()),
  /** Remarks such as a wait for the beam, the newest last. */
  notes: v.array(v.string()),
  error: v.nullable(v.string()),
  /** The file by which `sacla resume` goes on. */
  journal: v.nullable(v.string()),
});
/** A scan as the page shows it. */
export type PageScan = v.InferOutput<typeof scan>;

const range = v.strictObject({ from: finite, to: finite });
const dryRun = v.strictObject({
  plan: text,
  seconds: range,
  points: range,
  shots: range,
  shutterCycles: range,
  dosePerSpot: range,
  /** Why it cannot be started. */
  problems: v.array(v.string()),
  /** Where the axes go, as SVG; null: nothing moves. */
  path: v.nullable(v.string()),
  /** The same as a command line. */
  command: text,
});
/** What a plan out of a file would do. */
export type PageDryRun = v.InferOutput<typeof dryRun>;

/** The rows of the method table for scans that the server runs: a browser that is closed does not end them. */
export const scanMethods = {
  "page.scan": row(
    v.strictObject({ bl }),
    v.strictObject({ scan: v.nullable(scan), now: v.number() }),
    false,
    "The scan that is on at a beamline, or was last.",
  ),
  "page.plans": row(
    v.strictObject({}),
    v.strictObject({ folder: v.nullable(text), files: v.array(text) }),
    false,
    "The plans in the server's folder of plans; `folder` null: it was given none.",
  ),
  "page.dryRun": row(
    v.strictObject({ bl, file: text }),
    dryRun,
    // The file is loaded, which runs what is in it.
    true,
    "What a plan out of a file would do from where the axes are now; nothing is moved.",
  ),
  "page.startScan": row(
    v.strictObject({ bl, name: text, reason: text, settings }),
    v.strictObject({ id: text }),
    true,
    "Starts a scan or a plan under a lease of its own.",
  ),
  "page.doScan": row(
    v.strictObject({ bl, what: v.picklist(["pause", "resume", "stop", "abort"]) }),
    v.strictObject({}),
    true,
    "Pauses, resumes, stops (at the next point) or aborts (at once) the scan.",
  ),
} as const;

/** Whether a method is one of {@link scanMethods}. */
export function isScanMethod(method: string): method is keyof typeof scanMethods {
  return Object.hasOwn(scanMethods, method);
}
