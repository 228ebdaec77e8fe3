import { type CallOptions, callChecks, throwIfAborted } from "../core/async.ts";
import { withClipped } from "../core/clipped.ts";
import { asText, badArgument } from "../core/guards.ts";
import { type Ledger, LedgerBook, mergeLedgers, onlyDropped } from "../core/ledger.ts";
import { any, optional, resolveOptions } from "../core/options.ts";
import type { Roi } from "../core/roi.ts";
import type { Shot, ShotStream } from "../core/shots.ts";
import type { Run, ShotLabels } from "../db/index.ts";
import { correctedDelay, type DelayStage, edgeLimits, type JitterOptions, type ShotReader } from "../reduce/index.ts";
import { type DelayScanFit, type DelayScanFitOptions, type DelayShot, fitDelayScan } from "../scan/index.ts";

/** Sum of a rectangle of a sensor, less that of the run's dark shots. */
export interface SignalRegion {
  readonly detector: string;
  readonly roi: Roi;
}

export interface DelayScanOptions extends DelayScanFitOptions, CallOptions {
  readonly run: Run;
  /** What the pump changes: a 0-D signal, or part of a sensor. */
  readonly of: string | SignalRegion;
  /** I0. @default the charge of BM1 */
  readonly normaliseBy?: string | undefined;
  /** The pump's delay stage. `zeroPulse` need only be near: the fit says where time zero is. */
  readonly stage: DelayStage;
  /**
   * Edges of the timing monitor and their scale; `limits` are those of {@link edgeLimits} when none are given and its
   * stage rests. @default no correction
   */
  readonly jitter?: JitterOptions | undefined;
  /** As in {@link correctedDelay}. @default 1 */
  readonly sign?: 1 | -1 | undefined;
  /** Pumped and unpumped shots. @default `run.labels()` */
  readonly labels?: ShotLabels | undefined;
  /** Sensors without an image of which a shot is dropped. @default that of `of`, if any */
  readonly detectors?: readonly string[] | undefined;
}

/** What {@link analyseDelayScan} gives. */
export interface DelayScan {
  readonly fit: DelayScanFit;
  /** Reading of the stage at time zero, at the timing monitor's `zeroPixel`. */
  readonly t0Pulse: number;
  readonly t0ErrorPulse: number;
  /** Every shot of the run: used, or dropped with its reason. */
  readonly ledger: Ledger;
}

/**
 * A stored pump–probe scan from its shots to time zero, rise, lifetime and amplitude with errors: shots with and
 * without pump by their flags, each with its delay corrected by the timing monitor's edge, normalised by I0.
 *
 * Dropped are shots without a label (see `run.labels`), without a number of I0 (`i0-…`), signal (`signal-…`) or stage,
 * without an edge or with one beyond the limits (`delay-…`, see {@link correctedDelay}), and without an image.
 * @throws NO_STEP, TOO_FEW_SHOTS as `fitDelayScan`
 * @throws UNKNOWN_SIGNAL
 * @example
 * const jitter = { edges: timingEdges(await readFile("tma.csv", "utf8")), fsPerPixel: 2.6, zeroPixel: 1000 };
 * const stage = { equipId: "xfel_bl_3_st_2_motor_1/position", fsPerPulse: 6.671, zeroPulse: 15_000 };
 * const { fit, t0Pulse } = await analyseDelayScan(facility, { run, of: diode, stage, jitter });
 */
export async function analyseDelayScan(reader: ShotReader, options: DelayScanOptions): Promise<DelayScan> {
  const {
    run,
    of,
    normaliseBy,
    jitter,
    stage,
    sign,
    labels: given,
    signal,
    offset,
    robust,
  } = resolveOptions("analyseDelayScan", options, {
    run: any,
    of: any,
    normaliseBy: optional(asText),
    stage: any,
    jitter: any,
    sign: any,
    labels: any,
    detectors: any,
    ...callChecks,
    offset: any,
    robust: any,
  });
  const i0 = normaliseBy ?? `xfel_bl_${run.bl}_tc_bm_1_pd/charge`;
  const delay = correctedDelay({ stage, sign, ...(jitter === undefined ? {} : { jitter: withLimits(jitter) }) });
  const labels = given ?? (await run.labels(undefined, { signal }));
  const region = typeof of === "object" ? of : undefined;
  const detectors = options.detectors ?? (region === undefined ? [] : [region.detector]);
  if (region !== undefined && !detectors.includes(region.detector))
    throw badArgument("detectors", detectors, `some with ${region.detector}`);
  const signals = [...new Set([...delay.signals, i0, ...(typeof of === "string" ? [of] : [])])];
  const dark = region === undefined ? 0 : await darkSum(reader, run, labels, region, signal);
  const book = new LedgerBook();
  const used: DelayShot[] = [];
  const usedTags: number[] = [];
  const tags = labels.on.union(labels.off);
  const shots: ShotStream = reader.shots({ run, tags, detectors, signals, signal });
  for await (const shot of shots) {
    throwIfAborted(signal);
    const found = shotOf(shot, { of, i0, dark, delay: delay.read(shot), pumped: labels.on.has(shot.tag) });
    if (typeof found === "string") book.drop(shot.tag, found);
    else {
      book.use();
      used.push(found);
      usedTags.push(shot.tag);
    }
  }
  const dropped = new LedgerBook();
  for (const tag of labels.dark) dropped.drop(tag, "dark");
  for (const { reason, tags: all } of labels.dropped) for (const tag of all) dropped.drop(tag, reason);
  const before = mergeLedgers(dropped.ledger, shots.ledger === undefined ? book.ledger : onlyDropped(shots.ledger));
  const ledger = shots.ledger === undefined ? before : mergeLedgers(before, book.ledger);
  const fit = fitDelayScan(used, { offset, robust });
  return {
    fit,
    t0Pulse: stage.zeroPulse + fit.t0Fs / ((sign ?? 1) * stage.fsPerPulse),
    t0ErrorPulse: fit.t0ErrorFs / Math.abs(stage.fsPerPulse),
    ledger: withClipped(ledger, usedTags, {
      i0: used.map(({ monitor }) => monitor),
      ...(region === undefined ? { signal: used.map((shot) => shot.signal) } : {}),
    }),
  };
}

function withLimits(jitter: JitterOptions): JitterOptions {
  if (jitter.limits !== undefined || jitter.stage !== undefined) return jitter;
  return { ...jitter, limits: edgeLimits(jitter.edges, jitter.estimator) };
}

/** What a shot says, or why it says nothing. */
function shotOf(
  shot: Shot,
  so: {
    readonly of: string | SignalRegion;
    readonly i0: string;
    readonly dark: number;
    readonly delay: number | string;
    readonly pumped: boolean;
  },
): DelayShot | string {
  const monitor = shot.value(so.i0);
  if ("reason" in monitor) return `i0-${monitor.reason}`;
  if (!(monitor.value > 0)) return "i0-not-positive";
  if (typeof so.delay === "string") return `delay-${so.delay}`;
  const { delay: delayFs, pumped } = so;
  if (typeof so.of === "object")
    return { delayFs, pumped, monitor: monitor.value, signal: regionSum(shot, so.of) - so.dark };
  const value = shot.value(so.of);
  if ("reason" in value) return `signal-${value.reason}`;
  return { delayFs, pumped, monitor: monitor.value, signal: value.value };
}

/** Sum of the pixels that have a value. @throws BAD_ARGUMENT when the rectangle is not inside the image */
function regionSum(shot: Shot, { detector, roi }: SignalRegion): number {
  const image = shot.images[detector];
  if (image === undefined) return NaN;
  const [rows = 0, columns = 0] = image.shape;
  const [[r0, r1], [c0, c1]] = [roi.rows, roi.columns];
  if (!(r0 >= 0 && r0 < r1 && r1 <= rows && c0 >= 0 && c0 < c1 && c1 <= columns))
    throw badArgument("roi", roi, `[first, end) inside ${rows} rows and ${columns} columns`);
  let sum = 0;
  for (let r = r0; r < r1; r++)
    for (let c = c0; c < c1; c++) {
      const value = image.get(r, c);
      if (Number.isFinite(value)) sum += value;
    }
  return sum;
}

/** Mean over the dark shots; 0 of a run without. */
async function darkSum(
  reader: ShotReader,
  run: Run,
  { dark }: ShotLabels,
  region: SignalRegion,
  signal: AbortSignal | undefined,
): Promise<number> {
  if (dark.length === 0) return 0;
  let [sum, count] = [0, 0];
  for await (const shot of reader.shots({ run, tags: dark, detectors: [region.detector], signal })) {
    sum += regionSum(shot, region);
    count++;
  }
  return count === 0 ? 0 : sum / count;
}
