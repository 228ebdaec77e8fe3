import { asFinite, asOneOf, asText, badArgument } from "../../core/guards.ts";
import { median } from "../../core/median.ts";
import { any, resolveOptions } from "../../core/options.ts";
import type { TimingEdges } from "../../db/index.ts";
import type { ShotValue } from "./axes.ts";

/** An optical delay stage. */
export interface DelayStage {
  /** Equipment id of its position, pulse. */
  readonly equipId: string;
  /** Delay per pulse, fs; there and back, so 2 / c times the way: 6.671 for 1 µm per pulse. A property of each axis. */
  readonly fsPerPulse: number;
  /**
   * Its reading at zero: for the pump laser's stage t0, for that of the timing monitor the position for which
   * `zeroPixel` holds.
   */
  readonly zeroPulse: number;
}

/** What the timing monitor says of the jitter. */
export interface JitterOptions {
  /** From the monitor's CSV, `timingEdges`. */
  readonly edges: TimingEdges;
  /**
   * Scale of the monitor; published campaigns have 2.44 to 2.8. Its sign is that of the formula of {@link
   * correctedDelay}.
   */
  readonly fsPerPixel: number;
  /** Column of the edge at which nothing is corrected. */
  readonly zeroPixel: number;
  /**
   * Edges outside are no edges of the pump laser: fringes, the second edge, a dark picture. Shots with one are dropped
   * (`timing-edge-out-of-limits`). In pixels; {@link edgeLimits} finds them.
   * @default no limits
   */
  readonly limits?: readonly [low: number, high: number] | undefined;
  /** @default "fitting" */
  readonly estimator?: "fitting" | "derivative" | undefined;
  /** The stage of the timing laser, when it moves: the edge moves back with it. */
  readonly stage?: DelayStage | undefined;
}

export interface CorrectedDelayOptions {
  readonly stage: DelayStage;
  /** @default the delay of the stage alone */
  readonly jitter?: JitterOptions | undefined;
  /**
   * 1: positive when the X-rays come after the laser, if the formula gives that. −1 turns the sign round.
   * @default 1
   */
  readonly sign?: 1 | -1 | undefined;
}

/**
 * Pump–probe delay of each shot, **fs**, corrected for jitter:
 *
 * τ = sign · [k (stage − t0) − k′ (timing stage − its zero) − c (edge − zero pixel)]
 *
 * with k, k′ in fs per pulse and c in fs per pixel. With c = 2.6 and a resting timing stage it is
 * τ = 6.671 (motor − t0) + 2.6 (1000 − px) of the XAS group; with the timing stage, 6.671 motor_1 − 6.671 motor_73 −
 * 2.4431 px of PULSE 2023, up to the zeros. There, positive means X-rays after the laser; Katayama 2016 counts the
 * other way round. The scales are calibrated in every beam time.
 *
 * A shot without a number is dropped: `no-timing-edge`, `timing-edge-out-of-limits`, or `stage-` and `timing-stage-`
 * with `not-converged`, `saturated` or `missing`, each after the name of the axis.
 *
 * @example
 * const edges = timingEdges(await readFile("tma.csv", "utf8"));
 * const stage = { equipId: "xfel_bl_3_st_2_motor_1/position", fsPerPulse: 6.671, zeroPulse: 12_000 };
 * const delay = correctedDelay({ stage, jitter: { edges, fsPerPixel: 2.6, zeroPixel: 1000 } });
 */
export function correctedDelay(options: CorrectedDelayOptions): ShotValue {
  const { stage, jitter, sign = 1 } = resolveOptions("correctedDelay", options, { stage: any, jitter: any, sign: any });
  if (sign !== 1 && sign !== -1) throw badArgument("sign", sign, "1 or −1");
  checkStage("stage", stage);
  if (jitter !== undefined) checkJitter(jitter);
  const timing = jitter?.stage;
  const [low, high] = jitter?.limits ?? [-Infinity, Infinity];
  return {
    signals: [stage.equipId, ...(timing === undefined ? [] : [timing.equipId])],
    read: (shot) => {
      const position = shot.value(stage.equipId);
      if ("reason" in position) return `stage-${position.reason}`;
      let delayFs = stage.fsPerPulse * (position.value - stage.zeroPulse);
      if (timing !== undefined) {
        const at = shot.value(timing.equipId);
        if ("reason" in at) return `timing-stage-${at.reason}`;
        delayFs -= timing.fsPerPulse * (at.value - timing.zeroPulse);
      }
      if (jitter !== undefined) {
        const edge = jitter.edges.at(shot.tag);
        const pixel = jitter.estimator === "derivative" ? edge?.derivativePx : edge?.fittingPx;
        if (pixel === undefined || !Number.isFinite(pixel)) return "no-timing-edge";
        if (pixel < low || pixel > high) return "timing-edge-out-of-limits";
        delayFs -= jitter.fsPerPixel * (pixel - jitter.zeroPixel);
      }
      return sign * delayFs;
    },
  };
}

/**
 * Limits between which the edges of a run lie: their median ± 5 standard deviations of the bulk (1.4826 × the median
 * distance from it), so that outliers do not move them. For runs whose timing stage rests.
 * @throws BAD_ARGUMENT when there is no edge
 * @example
 * correctedDelay({ stage, jitter: { edges, fsPerPixel: 2.6, zeroPixel: 1000, limits: edgeLimits(edges) } });
 */
export function edgeLimits(
  edges: TimingEdges,
  estimator: "fitting" | "derivative" = "fitting",
): readonly [low: number, high: number] {
  const pixels = (estimator === "fitting" ? edges.fittingPx : edges.derivativePx).filter(Number.isFinite);
  if (pixels.length === 0) throw badArgument("edges", "no edge at any shot", "edges at some shots");
  const centre = median(pixels);
  const reach = 5 * 1.4826 * median(pixels.map((pixel) => Math.abs(pixel - centre)));
  return [centre - reach, centre + reach];
}

function checkStage(name: string, stage: DelayStage): void {
  resolveOptions(name, stage, { equipId: any, fsPerPulse: any, zeroPulse: any });
  asText(`${name}.equipId`, stage.equipId);
  asFinite(`${name}.fsPerPulse`, stage.fsPerPulse);
  asFinite(`${name}.zeroPulse`, stage.zeroPulse);
}

function checkJitter(jitter: JitterOptions): void {
  const {
    fsPerPixel,
    zeroPixel,
    estimator = "fitting",
    limits,
    stage,
  } = resolveOptions("jitter", jitter, {
    edges: any,
    fsPerPixel: any,
    zeroPixel: any,
    limits: any,
    estimator: any,
    stage: any,
  });
  asFinite("jitter.fsPerPixel", fsPerPixel);
  asFinite("jitter.zeroPixel", zeroPixel);
  asOneOf("jitter.estimator", estimator, ["fitting", "derivative"]);
  if (limits !== undefined) asFinite("jitter.limits[1]", limits[1], asFinite("jitter.limits[0]", limits[0]));
  if (stage !== undefined) checkStage("jitter.stage", stage);
}
