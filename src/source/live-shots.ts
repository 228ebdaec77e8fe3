import { type MaybePromise, throwIfAborted } from "../core/async.ts";
import { badArgument } from "../core/guards.ts";
import { type Column, STATUS_LATE, STATUS_MISSING } from "../core/syncdb.ts";
import type { StreamOptions } from "../transport/endpoint.ts";
import type { Frame, LiveItem, StreamParams } from "../transport/methods.ts";
import { FrameReader } from "./frame-reader.ts";
import {
  type ImageState,
  type LiveParts,
  type LiveSource,
  LONGEST_STRETCH,
  LOOK_SECONDS,
  liveDetectorInfo,
  whileOpen,
} from "./live-source.ts";
import { Turns } from "./turns.ts";

type Params = StreamParams<"live.shots">;

/** What the live stream asks of the rest of its source. */
export interface LiveShotsParts extends LiveParts {
  runStatus(bl: number, run: number): MaybePromise<number>;
  newestTag(equipId: string): MaybePromise<[hightag: number, tag: number]>;
  column(equipId: string, hightag: number, tags: Uint32Array): MaybePromise<Column>;
}

/**
 * Answers `live.shots`. A shot is **settled**, ready to be given, when every image and value has come, or will not
 * come, or `maxWaitMs` have passed. Under "every" the oldest settled shot is next, under "newest" the newest, and those
 * between are skipped. What falls out of the source's memory before it is taken is a gap, `data-gone`.
 */
export async function* liveShots(
  parts: LiveShotsParts,
  params: Params,
  options: StreamOptions,
): AsyncGenerator<LiveItem, void, undefined> {
  const { live } = parts;
  const { bl, limit } = params;
  for (const equipId of params.signals) await parts.newestTag(equipId);
  const readers: FrameReader[] = [];
  for (const detId of params.detIds)
    readers.push(new FrameReader(await liveDetectorInfo(parts, bl, detId), params.roi, options.memory));
  const follower = await Follower.begin(parts, params);
  for (let given = 0; given !== limit; given++) {
    const tag = await whileOpen(parts, "live.shots", options, (signal) => follower.next(signal));
    if (tag === null) {
      const gaps = follower.takeGaps();
      const none = { values: new Float64Array(0), status: new Uint8Array(0), units: [] };
      if (gaps.length > 0)
        yield {
          hightag: follower.hightag,
          tag,
          run: follower.run ?? 0,
          time: live.now(),
          latencyMs: 0,
          frames: [],
          missing: [],
          signals: none,
          gaps,
        };
      return;
    }
    yield await readShot(parts, params, readers, follower, tag, options.signal);
  }
}

async function readShot(
  parts: LiveShotsParts,
  params: Params,
  readers: readonly FrameReader[],
  follower: Follower,
  tag: number,
  signal: AbortSignal | undefined,
): Promise<LiveItem> {
  const { live } = parts;
  const { bl } = params;
  const { hightag } = follower;
  const frames: Frame[] = [];
  const missing: LiveItem["missing"] = [];
  const turns = new Turns();
  for (const reader of readers) {
    if (turns.isOver) await turns.next(signal);
    const { id } = reader.info;
    const state = live.imageState(bl, id, tag);
    if (state === "ready" && (await live.readFrame(bl, id, tag, reader.target()))) frames.push(reader.frame());
    else missing.push({ detId: id, reason: reasonOf(state) });
  }
  const signals = await readSignals(parts, params.signals, hightag, tag);
  const time = live.timeOf(bl, tag);
  const latencyMs = (live.now() - time) * 1000;
  return {
    hightag,
    tag,
    run: live.runOf(bl, tag),
    time,
    latencyMs,
    frames,
    missing,
    signals,
    gaps: follower.takeGaps(),
  };
}

/** Why there is no image. One that was ready and could not be read was forgotten in between. */
function reasonOf(state: ImageState): string {
  if (state === "missing") return "frame-missing";
  return state === "early" ? "late" : "data-gone";
}

async function readSignals(
  parts: LiveShotsParts,
  equipIds: readonly string[],
  hightag: number,
  tag: number,
): Promise<LiveItem["signals"]> {
  const values = new Float64Array(equipIds.length).fill(NaN);
  const status = new Uint8Array(equipIds.length).fill(STATUS_LATE);
  const units: string[] = [];
  for (const [i, equipId] of equipIds.entries()) {
    const column = await parts.column(equipId, hightag, Uint32Array.of(tag));
    units.push(column.unit);
    const found = column.status[0] ?? STATUS_MISSING;
    if (found === STATUS_MISSING && !(await hasCome(parts, equipId, tag))) continue;
    values[i] = column.values[0] ?? NaN;
    status[i] = found;
  }
  return { values, status, units };
}

async function hasCome(parts: LiveShotsParts, equipId: string, tag: number): Promise<boolean> {
  const [, newest] = await parts.newestTag(equipId);
  return newest >= tag;
}

/** Goes along with a beamline: which shots have happened and have not been given. */
class Follower {
  hightag: number;
  /** The run that is followed to its end. */
  run: number | null = null;
  readonly #parts: LiveShotsParts;
  readonly #live: LiveSource;
  readonly #params: Params;
  #seen: number;
  #pending: number[];
  /** The first shot may be any: nothing before it was asked for. */
  #isFirst: boolean;
  readonly #gaps = new Map<string, number[]>();

  static async begin(parts: LiveShotsParts, params: Params): Promise<Follower> {
    const { bl, after, policy } = params;
    const happened = await parts.live.shots(bl, null);
    const { hightag, tags, upTo } = happened;
    if (after === null) return new Follower(parts, params, hightag, upTo, policy === "every" ? [] : [...tags]);
    if (after < upTo - LONGEST_STRETCH) {
      throw badArgument(
        "after",
        after,
        `at most ${LONGEST_STRETCH} tags before the newest, ${upTo}; begin anew with null`,
      );
    }
    const follower = new Follower(parts, params, hightag, after, []);
    if (params.untilRunEnd) follower.run = parts.live.runOf(bl, after);
    return follower;
  }

  private constructor(parts: LiveShotsParts, params: Params, hightag: number, seen: number, pending: number[]) {
    this.#parts = parts;
    this.#live = parts.live;
    this.#params = params;
    this.hightag = hightag;
    this.#seen = seen;
    this.#pending = pending;
    this.#isFirst = params.policy === "newest" && params.after === null;
  }

  /** The tag of the next shot to give, waited for; null at the end of the run. */
  async next(signal: AbortSignal): Promise<number | null> {
    for (;;) {
      throwIfAborted(signal);
      // Looked at before the shots are: a run that has stopped then has no further ones.
      const isOver = await this.#isRunOver();
      await this.#look();
      const tag = await (this.#params.policy === "every" ? this.#oldest() : this.#newest());
      if (tag !== null) {
        this.#isFirst = false;
        this.run ??= this.#live.runOf(this.#params.bl, tag);
        return tag;
      }
      if (isOver && this.#pending.length === 0) return null;
      await this.#live.until(this.#live.now() + LOOK_SECONDS, signal);
    }
  }

  /** What has been lost since the last call. */
  takeGaps(): LiveItem["gaps"] {
    const gaps = [...this.#gaps].map(([reason, tags]) => ({ reason, tags: Uint32Array.from(tags).sort() }));
    this.#gaps.clear();
    return gaps;
  }

  async #isRunOver(): Promise<boolean> {
    if (!this.#params.untilRunEnd || this.run === null) return false;
    return (await this.#parts.runStatus(this.#params.bl, this.run)) === 0;
  }

  async #look(): Promise<void> {
    const { bl, untilRunEnd } = this.#params;
    const { tags, upTo } = await this.#live.shots(bl, this.#seen);
    this.#seen = upTo;
    for (const tag of tags) {
      if (untilRunEnd) {
        const run = this.#live.runOf(bl, tag);
        this.run ??= run;
        if (run !== this.run) continue;
      }
      this.#pending.push(tag);
    }
  }

  async #oldest(): Promise<number | null> {
    for (let i = 0; i < this.#pending.length; i++) {
      const tag = this.#pending[i] ?? 0;
      const state = await this.#stateOf(tag);
      if (state === "gone") continue;
      this.#lose("data-gone", this.#pending.splice(0, i));
      if (state === "waiting") return null;
      this.#pending.shift();
      return tag;
    }
    this.#lose("data-gone", this.#pending.splice(0));
    return null;
  }

  async #newest(): Promise<number | null> {
    for (let i = this.#pending.length - 1; i >= 0; i--) {
      const tag = this.#pending[i] ?? 0;
      const state = await this.#stateOf(tag);
      if (state === "waiting") continue;
      const before = this.#pending.splice(0, i + 1);
      if (state === "settled") before.pop();
      this.#lose(state === "gone" ? "data-gone" : "skipped", before);
      return state === "settled" ? tag : null;
    }
    return null;
  }

  #lose(reason: string, tags: readonly number[]): void {
    if (tags.length === 0 || this.#isFirst) return;
    const lost = this.#gaps.get(reason);
    if (lost === undefined) this.#gaps.set(reason, [...tags]);
    else for (const tag of tags) lost.push(tag);
  }

  async #stateOf(tag: number): Promise<"waiting" | "settled" | "gone"> {
    const { bl, detIds, signals, maxWaitMs } = this.#params;
    let gone = 0;
    let early = 0;
    for (const detId of detIds) {
      const state = this.#live.imageState(bl, detId, tag);
      if (state === "gone") gone++;
      if (state === "early") early++;
    }
    if (gone > 0 && gone === detIds.length) return "gone";
    if (this.#live.now() >= this.#live.timeOf(bl, tag) + maxWaitMs / 1000) return "settled";
    if (early > 0) return "waiting";
    for (const equipId of signals) if (!(await hasCome(this.#parts, equipId, tag))) return "waiting";
    return "settled";
  }
}
