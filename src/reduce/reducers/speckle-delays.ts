import { asFinite, asText, badArgument } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import {
  contrastOf,
  MOMENTS,
  type SpeckleContrast,
  type SpeckleContrastOptions,
  speckleMoments,
} from "./speckle-contrast.ts";

export interface SpeckleDelaysOptions extends SpeckleContrastOptions {
  /** Equipment id of the delay; the shots must have been asked for with it in `signals`. */
  readonly equipId: string;
  /** Edges of the delay bins in units of the signal, ascending: bin k is from edge k up to, without, edge k + 1. */
  readonly edges: readonly number[];
  /** Contrast of one branch alone, for g2: from shots with the other branch closed. @default g2 is NaN */
  readonly oneBranch?: { readonly contrast: number; readonly contrastError: number } | undefined;
  /** Share of the pulse energy in the first branch, above 0 and below 1. @default 0.5 */
  readonly branchShare?: number | undefined;
}

/** What {@link speckleDelays} gives for one delay bin. Errors are 1 σ. */
export interface SpeckleDelay extends Omit<SpeckleContrast, "perShot"> {
  readonly from: number;
  readonly to: number;
  /** Mean of the delays of the shots; NaN without shots. */
  readonly delay: number;
  readonly shots: number;
  /** Intensity correlation of the two pulses; NaN without `oneBranch`. */
  readonly g2: number;
  readonly g2Error: number;
}

/** What {@link speckleDelays} gives. */
export interface SpeckleDelays {
  readonly bins: readonly SpeckleDelay[];
  /** Shots whose delay is in no bin, and shots without a number for it: they went into no bin. */
  readonly outside: number;
  readonly withoutDelay: number;
}

/**
 * Contrast of speckle against delay, for two pulses of a split-delay optic that fall on one image (speckle
 * visibility). The contrast of each delay bin is that of {@link speckleContrast}. For branches with the shares s and
 * 1 − s of the light, β(τ) = β₁ (s² + (1 − s)²) + 2 s (1 − s) (g2(τ) − 1), with β₁ the contrast of one branch (Gutt et
 * al. 2009, Opt. Express 17, 55): where the sample has not moved β(τ) = β₁, where all has changed it is β₁/2 for equal
 * branches. Memory: 8 bytes per pixel and 76 bytes per shot.
 *
 * @throws BAD_ARGUMENT when an option cannot be, or the shots do not carry the delay
 * @example
 * const delay = "xfel_bl_3_st_1_motor_73/position";
 * const edges = [0, 100, 200, 400, 800];
 * const speckle = speckleDelays({ aduPerPhoton: perPhoton, noiseAdu: dark, equipId: delay, edges });
 * const { g2 } = await reduce(shots, { g2: speckle }, { dark });
 * g2[sensor].bins.map((bin) => [bin.delay, bin.contrast, bin.contrastError]);
 */
export function speckleDelays(options: SpeckleDelaysOptions): Reducer<SpeckleDelays> {
  resolveOptions("speckleDelays", options, {
    aduPerPhoton: any,
    noiseAdu: any,
    illumination: any,
    equipId: any,
    edges: any,
    oneBranch: any,
    branchShare: any,
  });
  const { edges, oneBranch, branchShare = 0.5 } = options;
  const equipId = asText("equipId", options.equipId);
  if (!Array.isArray(edges) || edges.length < 2 || edges.some((edge, k) => !(edge > (edges[k - 1] ?? -Infinity))))
    throw badArgument("edges", edges, "two or more ascending numbers");
  for (const edge of edges) asFinite("edges", edge);
  if (!(branchShare > 0 && branchShare < 1)) throw badArgument("branchShare", branchShare, "above 0 and below 1");
  if (oneBranch !== undefined) {
    asFinite("oneBranch.contrast", oneBranch.contrast, 0);
    asFinite("oneBranch.contrastError", oneBranch.contrastError, 0);
  }
  const moments = speckleMoments(options);
  const words = `${equipId} at ${edges.join(", ")}, branch ${branchShare} ${JSON.stringify(oneBranch ?? null)}`;
  return defineReducer({
    name: `speckleDelays(${words}, ${moments.words})`,
    signals: [equipId],
    layout: (frame) => {
      moments.check(frame);
      return {
        shots: { type: "series", width: MOMENTS + 1 },
        deviations: { type: "scratch", bytes: 8 * frame.rows * frame.columns },
      };
    },
    add: ({ shots }, pixels, shot, frame) => {
      const read = shot.value(equipId);
      shots.push(shot.tag, ...moments.of(pixels, frame), "reason" in read ? NaN : read.value);
    },
    result: ({ shots }) => {
      const columns = Array.from({ length: MOMENTS + 1 }, (_, k) => shots.column(k));
      const delays = columns[MOMENTS] ?? new Float64Array(0);
      const bins = edges.slice(1).map((to, k) => {
        const from = edges[k] ?? NaN;
        const chosen = [...delays.keys()].filter((shot) => (delays[shot] ?? NaN) >= from && (delays[shot] ?? NaN) < to);
        return binOf(from, to, chosen, shots.tags, columns, { oneBranch, branchShare });
      });
      const inBins = bins.reduce((sum, bin) => sum + bin.shots, 0);
      const withoutDelay = delays.filter((delay) => !Number.isFinite(delay)).length;
      return { bins, outside: delays.length - inBins - withoutDelay, withoutDelay };
    },
  });
}

function binOf(
  from: number,
  to: number,
  chosen: readonly number[],
  tags: Uint32Array,
  columns: readonly Float64Array[],
  { oneBranch, branchShare: s }: { oneBranch: SpeckleDelaysOptions["oneBranch"]; branchShare: number },
): SpeckleDelay {
  const part = columns.map((column) => Float64Array.from(chosen, (shot) => column[shot] ?? NaN));
  const { perShot: _, ...all } = contrastOf(
    Uint32Array.from(chosen, (shot) => tags[shot] ?? 0),
    part,
  );
  const [apart, together] = [s * s + (1 - s) ** 2, 2 * s * (1 - s)];
  const single = oneBranch?.contrast ?? NaN;
  return {
    ...all,
    from,
    to,
    delay: (part[MOMENTS] ?? new Float64Array(0)).reduce((sum, delay) => sum + delay, 0) / chosen.length,
    shots: chosen.length,
    g2: 1 + (all.contrast - single * apart) / together,
    g2Error: Math.hypot(all.contrastError, (oneBranch?.contrastError ?? NaN) * apart) / together,
  };
}
