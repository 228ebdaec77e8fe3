import { throwIfAborted } from "../core/async.ts";
import { badArgument, checkOptions } from "../core/guards.ts";
import { type Ledger, LedgerBook, mergeLedgers } from "../core/ledger.ts";
import { contiguous, type Pixels, type RawImage, shapeOf } from "../core/ndarray.ts";
import { type FrameSpec, type Shot, Shots } from "../st/shots.ts";
import { type DarkMeans, darkOf, subtractDark } from "./correction.ts";
import type { Layout, Reducer, State } from "./reducer.ts";
import { layoutBytes, makeState, mergeState, type SavedState, saveState } from "./state.ts";

export interface AccumulateOptions {
  /** Subtract this from every image first. @default nothing */
  readonly dark?: { readonly mean: DarkMeans };
  /** Told after each shot how many are done, and of how many when that is known. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
  readonly signal?: AbortSignal;
}

type Reducers = Record<string, Reducer<unknown>>;

/** All that is remembered of one sensor. */
export interface Lane {
  readonly frame: FrameSpec;
  /** By the name of the reducer. */
  readonly states: ReadonlyMap<string, State<Layout>>;
}

/** Accumulated shots as plain values and typed arrays: for a file, or for another process. */
export interface Checkpoint {
  readonly reducers: Readonly<Record<string, string>>;
  readonly lanes: readonly { readonly frame: FrameSpec; readonly states: Readonly<Record<string, SavedState>> }[];
  readonly ledger: Ledger;
}

/**
 * What reducers have taken in so far. Parts of the shots accumulated apart (other tags, another process) merge to the
 * same bits as one pass over all of them, in any order.
 */
export class Accumulated<R extends Reducers> {
  readonly reducers: R;
  readonly #lanes: Map<string, Lane>;
  #ledger: Ledger;

  constructor(reducers: R, lanes: Iterable<Lane> = [], ledger: Ledger = new LedgerBook().ledger) {
    this.reducers = reducers;
    this.#lanes = new Map(Array.from(lanes, (lane) => [lane.frame.detId, lane]));
    this.#ledger = ledger;
  }

  /** Accumulated shots from a checkpoint. @throws BAD_ARGUMENT when it was made by other reducers */
  static load<R extends Reducers>(reducers: R, checkpoint: Checkpoint): Accumulated<R> {
    const names = Object.fromEntries(Object.entries(reducers).map(([name, reducer]) => [name, reducer.name]));
    if (JSON.stringify(names) !== JSON.stringify(checkpoint.reducers))
      throw badArgument("checkpoint", checkpoint.reducers, `one made by ${JSON.stringify(names)}`);
    const lanes = checkpoint.lanes.map(({ frame, states }) => makeLane(reducers, frame, states));
    return new Accumulated(reducers, lanes, checkpoint.ledger);
  }

  get lanes(): readonly Lane[] {
    return [...this.#lanes.values()];
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  /** The lane of a sensor, made when it is first seen. */
  lane(frame: FrameSpec): Lane {
    let lane = this.#lanes.get(frame.detId);
    if (lane === undefined) {
      lane = makeLane(this.reducers, frame);
      this.#lanes.set(frame.detId, lane);
    }
    return lane;
  }

  /** Adds to the account. */
  account(ledger: Ledger): void {
    this.#ledger = mergeLedgers(this.#ledger, ledger);
  }

  /** Takes in another part of the shots, and gives this. @throws BAD_ARGUMENT when it has other reducers or images of another shape */
  merge(other: Accumulated<R>): this {
    const [mine, theirs] = [this.reducers, other.reducers].map((reducers) =>
      Object.entries(reducers)
        .map(([name, { name: kind }]) => `${name}: ${kind}`)
        .join(", "),
    );
    if (mine !== theirs) throw badArgument("the reducers of the other part", theirs, mine ?? "");
    for (const { frame, states } of other.lanes) {
      const lane = this.lane(frame);
      if (lane.frame.rows !== frame.rows || lane.frame.columns !== frame.columns) {
        throw badArgument(`shape of ${frame.detId}`, [frame.rows, frame.columns], `[${lane.frame.rows}, ${lane.frame.columns}] as in the other part`);
      }
      for (const [name, reducer] of Object.entries(this.reducers)) {
        const [into, from] = [lane.states.get(name), states.get(name)];
        if (into !== undefined && from !== undefined) mergeState(reducer.layout(lane.frame), into, from);
      }
    }
    this.account(other.ledger);
    return this;
  }

  /** Everything, as plain values and arrays that share memory with this. */
  checkpoint(): Checkpoint {
    return {
      reducers: Object.fromEntries(Object.entries(this.reducers).map(([name, reducer]) => [name, reducer.name])),
      lanes: this.lanes.map(({ frame, states }) => ({
        frame,
        states: Object.fromEntries(
          Object.entries(this.reducers).flatMap(([name, reducer]) => {
            const state = states.get(name);
            return state === undefined ? [] : [[name, saveState(reducer.layout(frame), state)]];
          }),
        ),
      })),
      ledger: this.#ledger,
    };
  }
}

function makeLane(reducers: Reducers, frame: FrameSpec, saved: Readonly<Record<string, SavedState>> = {}): Lane {
  return { frame, states: new Map(Object.entries(reducers).map(([name, reducer]) => [name, makeState(reducer.layout(frame), saved[name])])) };
}

/** Bytes the reducers will need for images like these, before anything is read; series grow with the shots on top. */
export function memoryOf(frames: readonly FrameSpec[], reducers: Reducers): number {
  return frames.reduce((bytes, frame) => bytes + Object.values(reducers).reduce((sum, reducer) => sum + layoutBytes(reducer.layout(frame)), 0), 0);
}

/**
 * Takes in the shots, once each. The result can be merged with other parts, saved and asked for its answers
 * ({@link resultsOf}).
 * @param into - goes on from these; they are changed and returned
 */
export async function accumulate<R extends Reducers>(
  shots: AsyncIterable<Shot>,
  reducers: R,
  options: AccumulateOptions = {},
  into: Accumulated<R> = new Accumulated(reducers),
): Promise<Accumulated<R>> {
  checkOptions("reduce", options, ["dark", "onProgress", "signal"]);
  const total = shots instanceof Shots ? await shots.count() : undefined;
  const intakes = new Map<string, Intake>();
  const book = new LedgerBook();
  let done = 0;
  for await (const shot of shots) {
    throwIfAborted(options.signal);
    for (const [detId, image] of Object.entries(shot.images)) {
      let intake = intakes.get(detId);
      if (intake === undefined) {
        intake = new Intake(into.lane(frameOf(detId, image)), reducers, options.dark);
        intakes.set(detId, intake);
      }
      intake.add(image, shot);
    }
    book.use();
    options.onProgress?.(++done, total);
  }
  // Only Shots knows what it dropped; any other iterable is what was asked for.
  into.account(shots instanceof Shots ? shots.ledger : book.ledger);
  return into;
}

function frameOf(detId: string, image: RawImage): FrameSpec {
  const [rows, columns] = shapeOf(detId, image);
  return { detId, rows, columns, type: image.data instanceof Uint16Array ? "uint16" : "float32" };
}

/** Corrects the images of one sensor and shows them to each reducer. */
class Intake {
  readonly #frame: FrameSpec;
  readonly #questions: readonly { readonly reducer: Reducer<unknown>; readonly state: State<Layout> }[];
  readonly #dark: Float64Array | undefined;
  readonly #corrected: Float32Array;

  constructor({ frame, states }: Lane, reducers: Reducers, dark: AccumulateOptions["dark"]) {
    this.#frame = frame;
    this.#questions = Object.entries(reducers).flatMap(([name, reducer]) => {
      const state = states.get(name);
      return state === undefined ? [] : [{ reducer, state }];
    });
    this.#dark = dark === undefined ? undefined : darkOf(dark.mean, frame.detId, frame.rows, frame.columns);
    this.#corrected = new Float32Array(dark === undefined ? 0 : frame.rows * frame.columns);
  }

  add(image: RawImage, shot: Shot): void {
    const { detId, rows, columns } = this.#frame;
    const [imageRows, imageColumns] = shapeOf(detId, image);
    if (imageRows !== rows || imageColumns !== columns)
      throw badArgument(`shape of ${detId} at tag ${shot.tag}`, image.shape, `[${rows}, ${columns}] as before`);
    let pixels: Pixels = contiguous(image);
    if (this.#dark !== undefined) {
      subtractDark(pixels, this.#dark, this.#corrected);
      pixels = this.#corrected;
    }
    for (const { reducer, state } of this.#questions) reducer.add(state, pixels, shot, this.#frame);
  }
}
