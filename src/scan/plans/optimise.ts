import { isSaclaError, SaclaError, toSaclaError } from "../../core/errors.ts";
import { asText, badArgument, isRecord } from "../../core/guards.ts";
import { finite, integer, oneOf, optional, resolveOptions } from "../../core/options.ts";
import { type PointMean, pooledErrors } from "../../core/point-errors.ts";
import { counted } from "../../core/show.ts";
import { normalisedSummary } from "../beamline/shot-collector.ts";
import { type Plan, type PlanSteps, plan, type ShotsRequest, type ShotsTaken } from "../messages/messages.ts";
import { Bayesian } from "../optimisers/bayesian.ts";
import { type Measured, type Optimiser, type SteppedRange, withinStep } from "../optimisers/optimiser.ts";
import { Simplex } from "../optimisers/simplex.ts";
import { measurePoint, type PointOptions, pointChecks } from "./points.ts";
import { move, note, request, set, where } from "./stubs.ts";

/** A thing that is turned: its range, and the furthest it goes at once. */
export interface Knob extends SteppedRange {
  /** How it is turned: moved, set, or asked of the operators of the accelerator. @default "axis" */
  readonly by?: "axis" | "setting" | "request" | undefined;
  /** Where it is now; needed but for an axis, which is asked. */
  readonly start?: number | undefined;
}

export interface OptimiseOptions extends Omit<PointOptions, "freshSpots" | "giveUp"> {
  /** By the names of axes or settings. */
  readonly knobs: Readonly<Record<string, Knob>>;
  /** One of the signals of the shots. */
  readonly signalName: string;
  /** The objective is then the ratio of the sums of both: brightness is pulse energy by bandwidth. */
  readonly normaliseBy?: string | undefined;
  /** @default "maximum" */
  readonly goal?: "maximum" | "minimum" | undefined;
  /**
   * `bayesian`: a Gaussian process, for noisy signals and few shots. `simplex`: Nelder and Mead, for a signal whose
   * points are much less uncertain than what is to be gained. @default "bayesian"
   */
  readonly method?: "bayesian" | "simplex" | undefined;
  /** Most shots in all, those of the verification included. */
  readonly budget: number;
  /** Shots at each of the two places that are compared at the end. @default four times those of a point */
  readonly verifyShots?: number | undefined;
  /** Of the places that are looked at. @default 1 */
  readonly seed?: number | undefined;
}

/** What an optimisation has found. */
export interface Optimised {
  /** Where the knobs are now. */
  readonly at: Readonly<Record<string, number>>;
  /** Whether it is better than the start by more than two standard errors; otherwise the knobs are at the start. */
  readonly isBetter: boolean;
  /** Objective at the best place and at the start, one after the other at the end, with standard errors. */
  readonly best: PointMean;
  readonly start: PointMean;
  readonly points: number;
  readonly shots: number;
  /** `budget`: all shots were used; `nothing-to-gain`: it expects less than it could show. */
  readonly why: "budget" | "nothing-to-gain";
}

const { freshSpots: _, giveUp: __, ...ownPointChecks } = pointChecks;
const optimiseChecks = {
  ...ownPointChecks,
  knobs: asKnobs,
  signalName: asText,
  normaliseBy: optional(asText),
  goal: optional(oneOf("maximum", "minimum"), "maximum"),
  method: optional(oneOf("bayesian", "simplex"), "bayesian"),
  budget: integer(1),
  verifyShots: optional(integer(3)),
  seed: optional(integer(0, 0xffff_ffff), 1),
};
const knobChecks = {
  from: finite(),
  to: finite(),
  step: finite(Number.MIN_VALUE),
  by: optional(oneOf("axis", "setting", "request"), "axis"),
  start: optional(finite()),
};
/** A knob with what has a default. */
type GivenKnob = Knob & { readonly by: NonNullable<Knob["by"]> };
/** A significant difference is so many of its standard errors. */
const SIGMAS = 2;

/**
 * Turns knobs to where a signal is greatest, or least. No knob goes further than its `step` from one point to the next.
 * It ends when the budget of shots is used or nothing is to be gained; then the best place and the start are measured
 * again, one after the other, and the knobs stay at the best only when it is better by more than two standard errors.
 * However else it ends, they go back to the start, in steps; not after a fault of a device.
 * @throws TOO_FEW_SHOTS where the signal has no number
 * @example
 * const tune = optimise({
 *   knobs: { pitch: { from: -1, to: 1, step: 0.2 }, roll: { from: -1, to: 1, step: 0.2 } },
 *   signalName: "diode", normaliseBy: "i0", shots: { count: 10, signals: ["diode", "i0"] }, budget: 300,
 * });
 */
export function optimise(options: OptimiseOptions): Plan<Optimised> {
  const given = givenOf(options);
  const { budget, verifyShots } = given;
  const count = countOf(given.shots);
  const least = 2 * verifyShots + 2 * count;
  if (budget < least)
    throw badArgument(
      "budget",
      budget,
      `at least ${least}: two points of ${count} shots, and those of the verification`,
    );
  const path = (): PlanSteps<unknown> => new Optimisation(given).path();
  return plan("optimise", { ...options }, () => new Optimisation(given).steps(), { adaptive: true, path });
}

/** Every option, checked, with what has a default. @throws BAD_ARGUMENT */
function givenOf(options: OptimiseOptions) {
  const given = resolveOptions("optimise", options, optimiseChecks);
  return { ...given, verifyShots: given.verifyShots ?? 4 * countOf(given.shots) };
}

type Given = ReturnType<typeof givenOf>;

/** One optimisation; made anew for each walk of its plan. */
class Optimisation {
  readonly #options: Given;
  readonly #names: readonly string[];
  readonly #ranges: readonly SteppedRange[];
  readonly #sign: 1 | -1;
  readonly #means: PointMean[] = [];
  readonly #places: (readonly number[])[] = [];
  #now: readonly number[] = [];
  #shots = 0;

  constructor(options: Given) {
    this.#options = options;
    this.#names = Object.keys(options.knobs);
    this.#ranges = Object.values(options.knobs);
    this.#sign = options.goal === "minimum" ? -1 : 1;
  }

  /** The ends of all ranges first, so that each is allowed before anything moves. */
  *path(): PlanSteps<Optimised> {
    const start = yield* this.#start();
    this.#now = start;
    for (const end of ["from", "to"] as const) yield* this.#turn(this.#ranges.map((range) => range[end]));
    yield* this.#turn(start);
    return yield* this.#optimise(start);
  }

  *steps(): PlanSteps<Optimised> {
    const start = yield* this.#start();
    this.#now = start;
    try {
      return yield* this.#optimise(start);
    } catch (error) {
      // A device at fault is for somebody to look at first.
      if (isSaclaError(error, "DEVICE_FAULT")) yield* note("the knobs are not put back after the fault");
      else {
        try {
          yield* this.#go(start);
        } catch (second) {
          yield* note(`the knobs could not be put back: ${toSaclaError(second).message}`);
        }
      }
      throw error;
    }
  }

  *#optimise(start: readonly number[]): PlanSteps<Optimised> {
    const { method, seed, budget, shots, verifyShots } = this.#options;
    const optimiser: Optimiser =
      method === "bayesian" ? new Bayesian(this.#ranges, start, seed) : new Simplex(this.#ranges, start);
    let why: Optimised["why"] = "budget";
    while (this.#shots + countOf(shots) + 2 * verifyShots <= budget) {
      const wanted = optimiser.next();
      if (wanted === undefined) {
        why = "nothing-to-gain";
        break;
      }
      const at = this.#tidy(wanted);
      const mean = yield* this.#measure(at, shots);
      this.#places.push(at);
      this.#means.push(mean);
      optimiser.tell(this.#measured());
    }
    return yield* this.#verify(start, this.#tidy(optimiser.best()), why);
  }

  *#verify(start: readonly number[], found: readonly number[], why: Optimised["why"]): PlanSteps<Optimised> {
    const { shots, verifyShots: count } = this.#options;
    const asked = typeof shots === "number" ? count : { ...shots, count };
    const points = this.#means.length;
    const best = yield* this.#measure(found, asked);
    // The start again, and now: the machine may have drifted since.
    const before = yield* this.#measure(start, asked);
    const gain = this.#sign * (best.mean - before.mean);
    const isBetter = gain > SIGMAS * Math.hypot(best.standardError, before.standardError);
    if (isBetter) yield* this.#go(found);
    const place = this.#row(isBetter ? found : start);
    yield* note(
      `${isBetter ? "better" : "nothing better than the start was found"}: ${text(best)} at the best place, ` +
        `${text(before)} at the start; now at ${Object.entries(place)
          .map(([name, value]) => `${name} ${Number(value.toPrecision(6))}`)
          .join(", ")} (${counted(points, "point")}, ${counted(this.#shots, "shot")})`,
    );
    return { at: place, isBetter, best, start: before, points, shots: this.#shots, why };
  }

  *#measure(at: readonly number[], shots: number | ShotsRequest): PlanSteps<PointMean> {
    yield* this.#go(at);
    const { shutter, settleSeconds } = this.#options;
    const taken = yield* measurePoint({}, { shots, shutter, settleSeconds }, this.#row(at));
    this.#shots += taken.ledger.asked;
    const mean = this.#objective(taken);
    if (mean.count === 0 || !Number.isFinite(mean.mean))
      throw new SaclaError(
        "TOO_FEW_SHOTS",
        `${this.#options.signalName} has no number at ${JSON.stringify(this.#row(at))}; ` +
          "the knobs go back to the start.",
        { details: { at: this.#row(at) } },
      );
    return mean;
  }

  #objective(taken: ShotsTaken): PointMean {
    const { signalName, normaliseBy } = this.#options;
    return normalisedSummary(taken, signalName, normaliseBy);
  }

  /** All points with errors from the scatter of all shots; greater is better. */
  #measured(): readonly Measured[] {
    const { errors } = pooledErrors(this.#means);
    const least = 1e-9 * Math.max(...this.#means.map(({ mean }) => Math.abs(mean)), Number.MIN_VALUE);
    return this.#means.map(({ mean }, i) => {
      const error = errors[i] ?? NaN;
      // Single shots tell no scatter, and without any nothing was measured: then each counts the same.
      const known = error > 0 && error < Infinity ? error : Math.abs(mean) / 10;
      return { at: this.#places[i] ?? [], value: this.#sign * mean, error: Math.max(known, least) };
    });
  }

  /** The place with as few digits as matter, none of its values further from here than it was. */
  #tidy(wanted: readonly number[]): readonly number[] {
    return wanted.map((value, i) => {
      const here = this.#now[i] ?? NaN;
      const unit = 10 ** (Math.floor(Math.log10(this.#ranges[i]?.step ?? 1)) - 2);
      return Number((here + Math.trunc((value - here) / unit) * unit).toPrecision(12));
    });
  }

  /** Goes there by as many steps as it takes; each is allowed by itself. */
  *#go(to: readonly number[]): PlanSteps {
    while (this.#now.some((value, i) => value !== to[i])) {
      const next = withinStep(this.#ranges, this.#now, to);
      // A start outside the range is left, and may be gone back to.
      const there = this.#ranges.every(({ step }, i) => Math.abs((to[i] ?? NaN) - (this.#now[i] ?? NaN)) <= step);
      yield* this.#turn(there ? to : next);
    }
  }

  *#turn(to: readonly number[]): PlanSteps {
    const axes: Record<string, number> = {};
    for (const [i, name] of this.#names.entries()) {
      const value = to[i] ?? NaN;
      if (value === this.#now[i]) continue;
      const by = this.#options.knobs[name]?.by;
      if (by === "axis") axes[name] = value;
      else if (by === "setting") yield* set(name, value);
      else yield* request({ [name]: value }, { reason: "optimise" });
      this.#now = this.#now.map((old, k) => (k === i && by !== "axis" ? value : old));
    }
    if (Object.keys(axes).length > 0) yield* move(axes);
    this.#now = to;
  }

  *#start(): PlanSteps<readonly number[]> {
    const axes = this.#names.filter((name) => this.#options.knobs[name]?.by === "axis");
    const at = axes.length === 0 ? {} : yield* where(axes);
    return this.#names.map((name) => this.#options.knobs[name]?.start ?? at[name] ?? NaN);
  }

  #row(at: readonly number[]): Record<string, number> {
    return Object.fromEntries(this.#names.map((name, i) => [name, at[i] ?? NaN]));
  }
}

function countOf(shots: number | ShotsRequest): number {
  return typeof shots === "number" ? shots : shots.count;
}

function text({ mean, standardError }: PointMean): string {
  return `${mean.toPrecision(4)} ± ${standardError.toPrecision(2)}`;
}

function asKnobs(name: string, value: unknown): Readonly<Record<string, GivenKnob>> {
  if (!isRecord(value) || Object.keys(value).length === 0 || Object.keys(value).length > 20)
    throw badArgument(name, value, "1 to 20 knobs by name");
  const knobs = Object.entries(value).map(([knob, given]) => {
    const found: GivenKnob = resolveOptions(`knob ${knob}`, given as Knob, knobChecks);
    const { from, to, by, start } = found;
    if (!(from < to)) throw badArgument(`range of ${knob}`, [from, to], "from below to");
    if (by !== "axis" && start === undefined) throw badArgument(`start of ${knob}`, start, "given: where it is now");
    if (start !== undefined && !(start >= from && start <= to))
      throw badArgument(`start of ${knob}`, start, `within its range, ${from} to ${to}`);
    return [knob, found] as const;
  });
  return Object.fromEntries(knobs);
}
