import { SaclaError } from "../../core/errors.ts";
import { asText } from "../../core/guards.ts";
import { droppedWords } from "../../core/ledger.ts";
import { any, finite, oneOf, optional, resolveOptions } from "../../core/options.ts";
import type { PlanSteps, Positions, ShotsRequest, ShotsTaken } from "../messages/messages.ts";
import { checkShots } from "../messages/shots-request.ts";
import { checkpoint, confirm, move, once, point, set, shots, spot, wait } from "./stubs.ts";
import { asShutters, withShutterOpen } from "./wrappers.ts";

/** What is done at every point of a plan. */
export interface PointOptions {
  /** Good shots, or the whole {@link ShotsRequest}. */
  readonly shots: number | ShotsRequest;
  /** Opened for the shots of each point only; of several, such as those of X-rays and pump laser, in this order. */
  readonly shutter?: string | readonly string[] | undefined;
  /** Seconds between the end of a move and the first shot. @default 0 */
  readonly settleSeconds?: number | undefined;
  /** What to do when a point is given up. @default "stop" with TOO_FEW_SHOTS */
  readonly giveUp?: "stop" | "go-on" | undefined;
  /** Every point on a fresh spot of this target map; see {@link TargetMap}. */
  readonly freshSpots?: FreshSpots | undefined;
}

/** How a spot is shot once. */
export interface FreshSpots {
  readonly map: string;
  /** Opened for the shots on the spot; of several, in this order. */
  readonly shutter: string | readonly string[];
  /**
   * Pulse selector: one pulse per spot, as {@link onePulse} gives it. It is `off` while the shutter opens and acts when
   * that is open; before, the pulse would meet a closed shutter. With `shots` of 1, whose conditions tell the shot that
   * hit.
   */
  readonly selector?: string | undefined;
  /** Set before the shutter opens, such as an attenuator. */
  readonly before?: Readonly<Record<string, number | string>> | undefined;
}

const freshSpotChecks = { map: asText, shutter: asShutters, selector: optional(asText), before: any };

/** The checks of {@link PointOptions}, for `resolveOptions`. */
export const pointChecks = {
  shots: checkShots,
  shutter: optional(asShutters),
  settleSeconds: optional(finite(0, 86_400)),
  giveUp: optional(oneOf("stop", "go-on")),
  freshSpots: optional((name, value) => resolveOptions(name, value as FreshSpots, freshSpotChecks)),
};

/** One point: move, settle, take the shots, write the row. */
export function* measure(to: Positions, options: PointOptions, extra: Positions = {}): PlanSteps<ShotsTaken> {
  resolveOptions("measure", options, pointChecks);
  return yield* measurePoint(to, options, extra);
}

/** As {@link measure}, with options that have been checked: those of a whole scan, which has more of them. */
export function* measurePoint(to: Positions, options: PointOptions, extra: Positions = {}): PlanSteps<ShotsTaken> {
  yield* checkpoint();
  const row = Object.keys(to).length === 0 ? extra : { ...extra, ...to };
  if (Object.keys(to).length > 0) yield* move(to);
  if (options.settleSeconds !== undefined && options.settleSeconds !== 0) yield* wait(options.settleSeconds);
  if (options.freshSpots !== undefined) return yield* onFreshSpot(row, options, options.freshSpots);
  const taken = yield* withShutterOpen(options.shutter ?? [], shots(options.shots));
  yield* judge(row, taken, options);
  return taken;
}

/** A spot whose shots are not known to have come is left alone: the next fresh one is taken. */
function* onFreshSpot(
  row: Positions,
  options: PointOptions,
  { map, shutter: name, selector, before = {} }: FreshSpots,
): PlanSteps<ShotsTaken> {
  const request =
    selector === undefined
      ? options.shots
      : { ...(typeof options.shots === "number" ? { count: options.shots } : options.shots), selector };
  for (;;) {
    yield* checkpoint();
    const fresh = yield* spot(map);
    yield* move(fresh.at);
    for (const [setting, value] of Object.entries(before)) yield* set(setting, value);
    if (selector !== undefined) yield* set(selector, "off");
    const taken = yield* once(withShutterOpen(name, shots(request)));
    const hit = taken.outcome === "done" || taken.outcome === "precise";
    yield* confirm(map, fresh, hit);
    if (taken.outcome === "interrupted") continue;
    yield* judge({ ...row, ...fresh.at, spot: fresh.index }, taken, options);
    return taken;
  }
}

function* judge(row: Positions, taken: ShotsTaken, { giveUp = "stop", freshSpots }: PointOptions): PlanSteps {
  yield* point(row, taken);
  if (taken.outcome !== "gave-up" || giveUp === "go-on") return;
  const { ledger, attempts } = taken;
  const reasons = droppedWords(ledger.dropped);
  // A spot is never shot twice, not even when no pulse came: which of the shots the selector had let through is not
  // known.
  const hint =
    freshSpots?.selector === undefined
      ? ""
      : " Now and then the accelerator gives no pulse when the selector asks for one; the spot is marked as " +
        'missed and not used again. To take the next one then: giveUp: "go-on".';
  throw new SaclaError(
    "TOO_FEW_SHOTS",
    `Only ${ledger.used} of ${ledger.asked} shots were good at ${JSON.stringify(row)} after ${attempts} attempts ` +
      `(${reasons}).${hint}`,
    {
      details: { row, used: ledger.used, asked: ledger.asked },
    },
  );
}
