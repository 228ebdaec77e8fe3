import { badArgument } from "../core/guards.ts";
import type { Ledger } from "../core/ledger.ts";
import type { Shot } from "../st/shots.ts";
import { type Accumulated, type AccumulateOptions, accumulate } from "./accumulate.ts";
import type { Reducer } from "./reducer.ts";

export type ReduceOptions = AccumulateOptions;

type Answer<R> = R extends Reducer<infer T> ? T : never;

/** For each name in `reducers` its answer by sensor id, and the account of the shots. */
export type Reduced<R extends Record<string, Reducer<unknown>>> = {
  readonly [K in keyof R]: Readonly<Record<string, Answer<R[K]>>>;
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
  shots: AsyncIterable<Shot>,
  reducers: R,
  options: ReduceOptions = {},
): Promise<Reduced<R>> {
  if ("ledger" in reducers) throw badArgument("reducer name", "ledger", "another name: the result's ledger is the account of the shots");
  return resultsOf(await accumulate(shots, reducers, options));
}

/** The answers of accumulated shots. */
export function resultsOf<R extends Record<string, Reducer<unknown>>>(accumulated: Accumulated<R>): Reduced<R> {
  const answers = Object.entries(accumulated.reducers).map(([name, reducer]) => [
    name,
    Object.fromEntries(accumulated.lanes.map(({ frame, states }) => [frame.detId, reducer.result(stateIn(states, name), frame)])),
  ]);
  return { ...Object.fromEntries(answers), ledger: accumulated.ledger };
}

function stateIn<S>(states: ReadonlyMap<string, S>, name: string): S {
  const state = states.get(name);
  if (state === undefined) throw badArgument("reducer", name, [...states.keys()].join(", "));
  return state;
}
