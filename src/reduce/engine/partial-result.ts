import { SaclaError } from "../../core/errors.ts";
import { badArgument } from "../../core/guards.ts";
import { type Ledger, LedgerBook, mergeLedgers } from "../../core/ledger.ts";
import { defined } from "../../core/options.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { ascendingOnce, commonTags, showTags } from "../../core/tag-ranges.ts";
import type { Layout, Reducer, State } from "../reducer.ts";
import { makeState, mergeState, type SavedState, saveState } from "./state.ts";

type Reducers = Record<string, Reducer<unknown>>;

/** All that is remembered of one sensor. */
export interface SensorState {
  readonly frame: ImageSpec;
  /** By the name of the reducer. */
  readonly states: ReadonlyMap<string, State<Layout>>;
  /**
   * Dark of each pixel that the reducers with `appliesDark` have yet to subtract; undefined when there is none, or no
   * such reducer.
   */
  readonly dark: Float64Array | undefined;
}

/** Accumulated shots as plain values and typed arrays: for a file, or for another process. */
export interface Checkpoint {
  readonly reducers: Readonly<Record<string, string>>;
  readonly lanes: readonly {
    readonly frame: ImageSpec;
    readonly states: Readonly<Record<string, SavedState>>;
    /** As in {@link SensorState}. */
    readonly dark?: Float64Array | undefined;
  }[];
  readonly ledger: Ledger;
  /** Tags of the shots that were used, ascending. */
  readonly tags: Uint32Array;
}

/**
 * What reducers have taken in so far. Parts of the shots accumulated apart (other tags, another process) merge to the
 * same bits as one pass over all of them, in any order.
 */
export class PartialResult<R extends Reducers> {
  readonly reducers: R;
  readonly #sensors: Map<string, SensorState>;
  #ledger: Ledger;
  #tags: Uint32Array;

  constructor(
    reducers: R,
    lanes: Iterable<SensorState> = [],
    ledger: Ledger = new LedgerBook().ledger,
    tags: Uint32Array = new Uint32Array(),
  ) {
    this.reducers = reducers;
    this.#sensors = new Map(Array.from(lanes, (lane) => [lane.frame.detId, lane]));
    this.#ledger = ledger;
    this.#tags = ascendingOnce(tags);
  }

  /**
   * Accumulated shots from a checkpoint, in memory of their own.
   * @throws BAD_ARGUMENT when it was made by other reducers
   */
  static load<R extends Reducers>(reducers: R, checkpoint: Checkpoint): PartialResult<R> {
    return PartialResult.#from(reducers, checkpoint, false);
  }

  /** @internal The same in the memory of the checkpoint, which nobody else may use any more. */
  static adopt<R extends Reducers>(reducers: R, checkpoint: Checkpoint): PartialResult<R> {
    return PartialResult.#from(reducers, checkpoint, true);
  }

  static #from<R extends Reducers>(reducers: R, checkpoint: Checkpoint, keep: boolean): PartialResult<R> {
    checkSame("checkpoint", checkpoint.reducers, namesOf(reducers));
    const lanes = checkpoint.lanes.map(({ frame, states, dark }) =>
      makeSensorState(reducers, frame, dark, states, keep),
    );
    return new PartialResult(reducers, lanes, checkpoint.ledger, checkpoint.tags);
  }

  get sensors(): readonly SensorState[] {
    return [...this.#sensors.values()];
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  /** Tags of the shots that were used, ascending. */
  get tags(): Uint32Array {
    return this.#tags;
  }

  /** Remembers the tags of shots that were used. */
  took(tags: Iterable<number>): void {
    const more = Uint32Array.from(tags);
    const all = new Uint32Array(this.#tags.length + more.length);
    all.set(this.#tags);
    all.set(more, this.#tags.length);
    this.#tags = ascendingOnce(all);
  }

  /**
   * The lane of a sensor, made when it is first seen.
   * @param dark - of each pixel
   * @throws BAD_ARGUMENT when earlier images had another shape, or another dark that has yet to be subtracted
   */
  sensor(frame: ImageSpec, dark?: Float64Array): SensorState {
    const deferred = Object.values(this.reducers).some(({ appliesDark }) => appliesDark === true) ? dark : undefined;
    const known = this.#known(frame, deferred);
    if (known !== undefined) return known;
    const made = makeSensorState(this.reducers, frame, deferred);
    this.#sensors.set(frame.detId, made);
    return made;
  }

  #known(frame: ImageSpec, deferred: Float64Array | undefined): SensorState | undefined {
    const known = this.#sensors.get(frame.detId);
    if (known === undefined) return undefined;
    const { rows, columns } = known.frame;
    if (rows !== frame.rows || columns !== frame.columns)
      throw badArgument(
        `shape of ${frame.detId}`,
        [frame.rows, frame.columns],
        `[${rows}, ${columns}] as in the other part`,
      );
    if (!isSame(known.dark, deferred))
      throw badArgument(
        `dark of ${frame.detId}`,
        deferred,
        "that of the other part; put correct.dark(…) into the corrections to join parts of unlike darks",
      );
    return known;
  }

  /** Adds to the account. */
  account(ledger: Ledger): void {
    this.#ledger = mergeLedgers(this.#ledger, ledger);
  }

  /**
   * Takes in another part of the shots, and gives this.
   * @throws BAD_ARGUMENT when it has other reducers, images of another shape or some of the same shots, or is this
   *   itself
   */
  merge(other: PartialResult<R>): this {
    if (other === this) throw badArgument("other part", "this one itself", "of other shots: each shot counts once");
    checkSame("other part", namesOf(other.reducers), namesOf(this.reducers));
    // All are looked at before the first is changed.
    const own = other.sensors.map(({ frame, dark }) => this.#known(frame, dark));
    const common = commonTags(other.tags, this.#tags);
    if (common.length > 0)
      throw badArgument(
        "tags of the other part",
        `${showTags(common)}, in this one too`,
        "other shots: each counts once",
      );
    for (const [k, { frame, states, dark }] of other.sensors.entries()) {
      const lane = own[k] ?? this.sensor(frame, dark);
      for (const [name, reducer] of Object.entries(this.reducers)) {
        const [into, from] = [lane.states.get(name), states.get(name)];
        if (into !== undefined && from !== undefined) mergeState(reducer.layout(lane.frame), into, from);
      }
    }
    this.account(other.ledger);
    this.took(other.tags);
    return this;
  }

  /** Everything, as plain values and arrays that share memory with this. */
  checkpoint(): Checkpoint {
    return {
      reducers: namesOf(this.reducers),
      lanes: this.sensors.map(({ frame, states, dark }) => ({
        frame,
        ...defined({ dark }),
        states: Object.fromEntries(
          Object.entries(this.reducers).flatMap(([name, reducer]) => {
            const state = states.get(name);
            return state === undefined ? [] : [[name, saveState(reducer.layout(frame), state)]];
          }),
        ),
      })),
      ledger: this.#ledger,
      tags: this.#tags,
    };
  }
}

function namesOf(reducers: Reducers): Record<string, string> {
  return Object.fromEntries(Object.entries(reducers).map(([name, reducer]) => [name, reducer.name]));
}

/**
 * @throws BAD_ARGUMENT saying of each reducer that differs what it is and what it must be; whole, since names may
 * differ at their end
 */
function checkSame(
  where: string,
  found: Readonly<Record<string, string>>,
  needed: Readonly<Record<string, string>>,
): void {
  const unlike = [...new Set([...Object.keys(needed), ...Object.keys(found)])].filter(
    (name) => found[name] !== needed[name],
  );
  if (unlike.length === 0) return;
  const differences = unlike.map((name) => `${name} is ${found[name] ?? "missing"}, here ${needed[name] ?? "missing"}`);
  throw new SaclaError(
    "BAD_ARGUMENT",
    `The ${where} has other reducers: ${differences.join("; ")}. Take the same ones, with the same settings.`,
  );
}

function makeSensorState(
  reducers: Reducers,
  frame: ImageSpec,
  dark: Float64Array | undefined,
  saved?: Readonly<Record<string, SavedState>>,
  keep = false,
): SensorState {
  if (dark !== undefined && dark.length !== frame.rows * frame.columns)
    throw badArgument(`pixels in the dark of ${frame.detId}`, dark.length, `${frame.rows} × ${frame.columns}`);
  const states = Object.entries(reducers).map(([name, reducer]) => {
    // What should have been saved and is not must not begin anew.
    const own = saved === undefined ? undefined : (saved[name] ?? {});
    return [name, makeState(reducer.layout(frame), own, keep)] as const;
  });
  return { frame, states: new Map(states), dark };
}

function isSame(a: Float64Array | undefined, b: Float64Array | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  // Number by number takes as long as an image does; but not every NaN has the same bytes.
  return bytesOf(a).equals(bytesOf(b)) || a.every((value, i) => Object.is(value, b[i]));
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
