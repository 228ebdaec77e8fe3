import * as v from "valibot";

const whole = (min: number, max: number) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
const bl = whole(0, 1000);
const text = v.pipe(v.string(), v.nonEmpty(), v.maxLength(500));
const finite = v.number();
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** A step scan of one axis, as `sacla scan` takes it. */
const settings = v.strictObject({
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
/** The settings of a scan that the page starts. */
export type PageScanSettings = v.InferOutput<typeof settings>;

const point = v.strictObject({
  index: count,
  position: v.number(),
  asked: count,
  used: count,
  /** In the order of the signals; null: no shot has a number. */
  values: v.array(v.nullable(v.strictObject({ mean: v.number(), error: v.nullable(v.number()), count: count }))),
});

const scan = v.strictObject({
  id: text,
  by: text,
  reason: text,
  settings,
  state: v.picklist(["starting", "running", "pausing", "paused", "stopping", "done", "stopped", "aborted", "failed"]),
  /** What it does now, in words. */
  line: v.string(),
  /** Unix seconds of the server's clock. */
  began: v.number(),
  ended: v.nullable(v.number()),
  points: v.array(point),
  /** Remarks such as a wait for the beam, the newest last. */
  notes: v.array(v.string()),
  error: v.nullable(v.string()),
  /** The file by which `sacla resume` goes on. */
  journal: v.nullable(v.string()),
});
/** A scan as the page shows it. */
export type PageScan = v.InferOutput<typeof scan>;

const row = <P extends v.GenericSchema, R extends v.GenericSchema, C extends boolean>(
  params: P,
  result: R,
  changes: C,
  meaning: string,
) => ({ params, result, changes, meaning, python: null });

/** The rows of the method table for scans that the server runs: a browser that is closed does not end them. */
export const scanMethods = {
  "page.scan": row(
    v.strictObject({ bl }),
    v.strictObject({ scan: v.nullable(scan), now: v.number() }),
    false,
    "The scan that is on at a beamline, or was last.",
  ),
  "page.startScan": row(
    v.strictObject({ bl, name: text, reason: text, settings }),
    v.strictObject({ id: text }),
    true,
    "Starts a scan under a lease of its own.",
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
