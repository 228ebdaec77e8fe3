import { badArgument } from "../core/guards.ts";
import { type Ledger, onlyDropped } from "../core/ledger.ts";
import { any, resolveOptions } from "../core/options.ts";
import type { ShotStream } from "../core/shots.ts";
import { accumulate } from "./accumulate.ts";
import { PartialResult } from "./engine/partial-result.ts";
import type { AccumulateOptions } from "./pass.ts";
import type { Reducer } from "./reducer.ts";

/**
 * Tags that were chosen, with the account of those that were not, such as `filterShots`, `exposedTags` and `where`
 * give.
 */
export interface ShotSelection {
  readonly ledger: Ledger | undefined;
}

export interface ReduceOptions extends AccumulateOptions {
  /**
   * The tags of the shots, when they were chosen by {@link filterShots} or the like: what was dropped then joins the
   * result's ledger.
   */
  readonly selection?: ShotSelection | undefined;
}

type ResultOf<R> = R extends Reducer<infer T> ? T : never;

/** For each name in `reducers` its answer by sensor id, and the account of the shots. */
export type Reduced<R extends Record<string, Reducer<unknown>>> = {
  readonly [K in keyof R]: Readonly<Record<string, ResultOf<R[K]>>>;
} & { readonly ledger: Ledger };

/**
 * Asks many questions of the shots in **one pass**, in memory that does not depend on how many shots there are.
 * `ledger` accounts for every shot asked for. For work that is split over processes or must survive an interruption,
 * use {@link accumulate}, of which this is the short form.
 *
 * @example
 * const { average, adu, ledger } = await reduce(shots, { average: mean(), adu: histogram() }, { dark });
 * average["MPCCD-2B1-M03-001-1"].get(512, 256);
 *
 * @throws BAD_ARGUMENT when a reducer is called `ledger`, or images of a sensor change shape
 * @throws NO_DARK when `dark` lacks a sensor
 */
export async function reduce<R extends Record<string, Reducer<unknown>>>(
  shots: ShotStream,
  reducers: R,
  options: ReduceOptions = {},
): Promise<Reduced<R>> {
  if ("ledger" in reducers)
    throw badArgument("reducer name", "ledger", "another name: the result's ledger is the account of the shots");
  const { selection, ...rest } = resolveOptions("reduce", options, {
    dark: any,
    corrections: any,
    selection: any,
    onProgress: any,
    signal: any,
  });
  const into = new PartialResult(reducers);
  if (selection !== undefined) into.account(await droppedBefore(selection, shots));
  return answersOf(await accumulate(shots, reducers, rest, into), true);
}

/**
 * The account of shots that were dropped when the tags were chosen.
 * @throws BAD_ARGUMENT when they are not the tags of the shots
 */
export async function droppedBefore({ ledger }: ShotSelection, shots: ShotStream): Promise<Ledger> {
  if (ledger === undefined)
    throw badArgument(
      "selection",
      "a list of tags without a ledger",
      "the very list that was chosen: a part of it has no account",
    );
  const count = (await shots.count?.()) ?? ledger.used;
  if (count !== ledger.used) throw badArgument("the number of shots", count, `${ledger.used}, those in selection`);
  return onlyDropped(ledger);
}

/** The answers of accumulated shots. */
export function resultsOf<R extends Record<string, Reducer<unknown>>>(accumulated: PartialResult<R>): Reduced<R> {
  return answersOf(accumulated, false);
}

/** The same. @param isLast - as of `Reducer.result` */
export function answersOf<R extends Record<string, Reducer<unknown>>>(
  accumulated: PartialResult<R>,
  isLast: boolean,
): Reduced<R> {
  const answers = Object.entries(accumulated.reducers).map(([name, reducer]) => [
    name,
    Object.fromEntries(
      accumulated.sensors.map(({ frame, states, dark }) => [
        frame.detId,
        reducer.result(stateIn(states, name), frame, dark, isLast),
      ]),
    ),
  ]);
  return { ...Object.fromEntries(answers), ledger: accumulated.ledger };
}

function stateIn<S>(states: ReadonlyMap<string, S>, name: string): S {
  const state = states.get(name);
  if (state === undefined) throw badArgument("reducer", name, [...states.keys()].join(", "));
  return state;
}
