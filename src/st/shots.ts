import { StApiError as APIError } from "../core/api-errors.ts";
import { type CallOptions, readAhead, throwIfAborted } from "../core/async.ts";
import type { DetectorInfo } from "../core/detector.ts";
import { type DetectorGroup, Detectors, groupDetectors } from "../core/detectors.ts";
import { asApiError, SaclaError } from "../core/errors.ts";
import { asInteger, asOneOf, badArgument } from "../core/guards.ts";
import { type Ledger, LedgerBook, NOT_READ } from "../core/ledger.ts";
import { asImage, newPixels, type Pixels, type PixelType, type RawImage, shapeOf } from "../core/ndarray.ts";
import { any, resolveOptions } from "../core/options.ts";
import { type Roi, roiShape } from "../core/roi.ts";
import { type Column, entryOf, type SyncValue } from "../core/syncdb.ts";
import { asTags, TagList } from "../core/tags.ts";
import type { Endpoint, FrameMemory } from "../transport/endpoint.ts";
import type { ShotFrames } from "../transport/methods.ts";

/**
 * Enough to name a run. A `Run` of `sacla/db` is one: it also answers for itself, and is asked when it belongs to the
 * endpoint that the shots are read from, since a stopped run keeps its answers.
 */
export interface RunRef {
  readonly bl: number;
  /** Run number. */
  readonly number: number;
  readonly endpoint?: object;
  readonly hightag?: number;
  tags?(options?: CallOptions): Promise<TagList>;
  detectors?(options?: CallOptions): Promise<readonly DetectorGroup[]>;
  detectorInfo?(detId: string, options?: CallOptions): Promise<DetectorInfo>;
}

/** What to do with a shot for which a detector has no image. */
export type MissingPolicy =
  /** Leave the shot out and write it in the ledger. */
  | "drop"
  /** Give the shot without that image. */
  | "partial"
  /** Stop with FRAME_MISSING. */
  | "error";

export interface ShotsOptions {
  readonly run: RunRef;
  /** Sensors or cameras; a composite id such as `MPCCD-8B0-2-008` stands for all its sensors. @default none */
  readonly detectors?: readonly string[] | undefined;
  /** Equipment ids of 0-D signals to go with each shot. @default none */
  readonly signals?: readonly string[] | undefined;
  /** Which shots, in which order. @default all tags of the run */
  readonly tags?: Iterable<number> | undefined;
  /** Only this rectangle of each image. @default the whole image */
  readonly roi?: Roi | undefined;
  /** @default "drop" */
  readonly missing?: MissingPolicy | undefined;
  /** Shots read ahead while the caller works; bounds the memory. @default 2 */
  readonly prefetch?: number | undefined;
  /** Memory to put images in, by sensor id, instead of the reader's own; each rows × columns long. */
  readonly out?: Readonly<Record<string, Pixels>> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for one shot. @default no limit */
  readonly timeoutMs?: number | undefined;
}

/** One shot: its images and its 0-D values. */
export interface Shot {
  readonly tag: number;
  /**
   * Images by sensor id, shape [rows, columns], float32 or uint16 as they are stored. They share memory that is
   * **reused for the next shot**: copy what must live longer, or pass `out`. An id is absent only under the policy
   * `"partial"`.
   */
  readonly images: Readonly<Record<string, RawImage>>;
  /**
   * A 0-D value of this shot: a number with its unit, or the reason why there is none.
   * @throws BAD_ARGUMENT when the signal was not asked for
   */
  value(equipId: string): SyncValue;
  /** The same as a bare number, NaN where there is none. */
  number(equipId: string): number;
}

const optionChecks = {
  run: any,
  detectors: any,
  signals: any,
  tags: any,
  roi: any,
  missing: any,
  prefetch: any,
  out: any,
  signal: any,
  timeoutMs: any,
};
/** 0-D values are fetched for this many shots at a time. */
const SIGNAL_BLOCK = 1000;

/** What the images of one sensor look like. */
export interface FrameSpec {
  readonly detId: string;
  readonly rows: number;
  readonly columns: number;
  readonly type: PixelType;
}

/** Gives memory for one image; asked once for each sensor and each shot that is held at a time. */
export type PixelMemory = (length: number, type: PixelType) => Pixels;

/**
 * Shots of a run, 0-D and 2-D together, tag by tag in the order asked. Nothing is read before the loop begins, at most
 * `prefetch` shots ahead of it, and leaving the loop stops the reading. Each loop reads again from the start. Tags,
 * detectors and HighTag are looked up at the first use and kept: while the run goes on, make new Shots for new tags.
 *
 * @example
 * const shots = facility.shots({ run, detectors: ["MPCCD-8B0-2-008"], signals: [bm1] });
 * for await (const shot of shots) console.log(shot.tag, shot.number(bm1));
 * console.log(shots.ledger);
 */
export class Shots implements AsyncIterable<Shot> {
  readonly #endpoint: Endpoint;
  readonly #options: ShotsOptions;
  #tags: Uint32Array | undefined;
  #planned: Plan | undefined;
  #specs: FrameSpec[] | undefined;
  #book = new LedgerBook();

  constructor(endpoint: Endpoint, options: ShotsOptions) {
    resolveOptions("shots", options, optionChecks);
    asInteger("run.bl", options.run?.bl);
    asInteger("run.number", options.run.number);
    asOneOf("missing", options.missing ?? "drop", ["drop", "partial", "error"]);
    asInteger("prefetch", options.prefetch ?? 2, 0, 1000);
    this.#endpoint = endpoint;
    this.#options = options;
    if (options.tags !== undefined)
      this.#tags = options.tags instanceof TagList ? options.tags.values : asTags(options.tags);
  }

  /** The account of the last loop: every tag asked for is used, or dropped with a reason. */
  get ledger(): Ledger {
    return this.#book.ledger;
  }

  /** How many shots are asked for. */
  async count(): Promise<number> {
    return (await this.#plan()).tags.length;
  }

  /** Images held at a time for each sensor: the one in the caller's hands and those read ahead. */
  get depth(): number {
    return (this.#options.prefetch ?? 2) + 1;
  }

  /** What the images of each sensor will look like. */
  async describe(): Promise<FrameSpec[]> {
    if (this.#specs !== undefined) return this.#specs;
    const { roi } = this.#options;
    const { detIds, bl, run, options } = await this.#plan();
    const known = this.#known;
    const specs: FrameSpec[] = [];
    for (const detId of detIds) {
      const info = await asApiError(
        APIError,
        async () =>
          await (known.detectorInfo?.(detId, options) ??
            this.#endpoint.call("st.readDetectorInfo", { bl, run, detId }, options)),
      );
      const [rows, columns] = roi === undefined ? [info.ysize, info.xsize] : roiShape(roi);
      specs.push({ detId, rows, columns, type: info.pixelType ?? "float32" });
    }
    this.#specs = specs;
    return specs;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Shot, void, undefined> {
    return this.#iterate(newPixels);
  }

  /** The same loop with the images in memory of the caller's, such as that of a WebAssembly kernel: no copy is made. */
  into(memory: PixelMemory): AsyncIterable<Shot> {
    return { [Symbol.asyncIterator]: () => this.#iterate(memory) };
  }

  async *#iterate(memory: PixelMemory): AsyncGenerator<Shot, void, undefined> {
    const book = new LedgerBook();
    this.#book = book;
    let settled = 0;
    try {
      const plan = await this.#plan();
      for await (const read of this.#readAhead(plan, memory)) {
        throwIfAborted(this.#options.signal);
        const [gap] = read.missing;
        if (gap !== undefined && this.#options.missing === "error") {
          throw new APIError("FRAME_MISSING", `${gap.detId} has no image for tag ${read.tag} of run ${plan.run}.`, {
            details: { ...gap, tag: read.tag },
          });
        }
        settled++;
        if (gap !== undefined && this.#options.missing !== "partial") {
          book.drop(read.tag, gap.reason);
          continue;
        }
        book.use();
        yield read;
      }
    } finally {
      // Tags the caller named count also when the source could not even be asked about them.
      for (const tag of this.#tags?.subarray(settled) ?? []) book.drop(tag, NOT_READ);
    }
  }

  /** The run, with what it knows when it belongs to the same endpoint. */
  get #known(): RunRef {
    const { run } = this.#options;
    return run.endpoint === this.#endpoint ? run : { bl: run.bl, number: run.number };
  }

  async #plan(): Promise<Plan> {
    this.#planned ??= await asApiError(APIError, () => this.#lookUp());
    return this.#planned;
  }

  async #lookUp(): Promise<Plan> {
    const { tags, detectors = [], signals = [], signal, timeoutMs } = this.#options;
    const known = this.#known;
    const { bl, number: run } = known;
    const options = { signal, timeoutMs };
    this.#tags ??= (await known.tags?.({ signal }))?.values;
    this.#tags ??= await this.#endpoint.call("db.readTaglistByrun", { bl, run }, { signal });
    let hightag = 0;
    if (tags instanceof TagList || signals.length > 0)
      hightag = known.hightag ?? (await this.#endpoint.call("db.readHightagnumber", { bl, run }, options));
    if (tags instanceof TagList && tags.hightag !== hightag)
      throw badArgument("tags.hightag", tags.hightag, `${hightag}, the HighTag of run ${run}`);
    let groups: readonly DetectorGroup[] = [];
    if (detectors.length > 0)
      groups =
        (await known.detectors?.(options)) ??
        groupDetectors(await this.#endpoint.call("db.readDetidlist", { bl, run }, options));
    const listed = Detectors.of(groups, `Run ${run} of beamline ${bl}`);
    const detIds = detectors.flatMap((id) => listed.sensorsOf(id));
    return { bl, run, detIds, signals: [...signals], tags: this.#tags, hightag, options };
  }

  /** Reads up to `prefetch` shots ahead into a ring of reused slots. */
  async *#readAhead(plan: Plan, memory: PixelMemory): AsyncGenerator<Slot, void, undefined> {
    const { out } = this.#options;
    for await (const slot of readAhead((stop) => this.#slots(plan, memory, stop), this.depth)) {
      if (out !== undefined) slot.moveTo(out);
      yield slot;
    }
  }

  /** The shots in a ring of slots: one is in the caller's hands, the others are read ahead. */
  async *#slots(plan: Plan, memory: PixelMemory, stop: AbortSignal): AsyncGenerator<Slot, void, undefined> {
    const ring = Array.from({ length: this.depth }, () => new Slot(plan.signals, memory));
    let columns: Column[] = [];
    let index = 0;
    const frames = this.#frames(plan, stop, (detId, length, type) => at(ring, index).memoryFor(detId, length, type))[
      Symbol.asyncIterator
    ]();
    try {
      for (const tag of plan.tags) {
        const inBlock = index % SIGNAL_BLOCK;
        if (plan.signals.length > 0 && inBlock === 0)
          columns = await this.#columns(plan, plan.tags.slice(index, index + SIGNAL_BLOCK));
        const slot = at(ring, index);
        const shot = await frames.next();
        if (shot.done === true || shot.value.tag !== tag) {
          throw new SaclaError(
            "BAD_MESSAGE",
            `The source answered for ${shot.done === true ? "fewer shots than asked" : `tag ${shot.value.tag}`}, not tag ${tag}.`,
          );
        }
        slot.load(shot.value, columns, inBlock);
        index++;
        yield slot;
      }
    } finally {
      await frames.return?.();
    }
  }

  async *#frames(plan: Plan, stop: AbortSignal, memory: FrameMemory): AsyncGenerator<ShotFrames, void, undefined> {
    const { bl, run, detIds, tags, options } = plan;
    if (detIds.length === 0) {
      for (const tag of tags) yield { tag, frames: [], missing: [] };
      return;
    }
    const signal = options.signal === undefined ? stop : AbortSignal.any([options.signal, stop]);
    const stream = this.#endpoint.stream(
      "st.frames",
      { bl, run, detIds, tags, roi: this.#roi() },
      { ...options, signal, memory },
    );
    const items = stream[Symbol.asyncIterator]();
    try {
      for (;;) {
        const item = await asApiError(APIError, () => items.next());
        if (item.done === true) return;
        yield item.value;
      }
    } finally {
      await items.return?.();
    }
  }

  #roi(): { rows: [number, number]; columns: [number, number] } | null {
    const { roi } = this.#options;
    return roi === undefined ? null : { rows: [...roi.rows], columns: [...roi.columns] };
  }

  async #columns(plan: Plan, tags: Uint32Array): Promise<Column[]> {
    return await asApiError(APIError, () =>
      this.#endpoint.call("db.readColumns", { equipIds: plan.signals, hightag: plan.hightag, tags }, plan.options),
    );
  }
}

interface Plan {
  readonly bl: number;
  readonly run: number;
  readonly detIds: string[];
  readonly signals: string[];
  readonly tags: Uint32Array;
  readonly hightag: number;
  readonly options: CallOptions;
}

function at(ring: readonly Slot[], index: number): Slot {
  const slot = ring[index % ring.length];
  if (slot === undefined) throw new SaclaError("INTERNAL", "A ring of shots is empty.");
  return slot;
}

/** Reused memory for one shot. */
class Slot implements Shot {
  tag = 0;
  images: Record<string, RawImage> = {};
  missing: ShotFrames["missing"] = [];
  readonly #memory: PixelMemory;
  readonly #kept = new Map<string, Pixels>();
  readonly #signals: readonly string[];
  #columns: readonly Column[] = [];
  #row = 0;

  constructor(signals: readonly string[], memory: PixelMemory) {
    this.#signals = signals;
    this.#memory = memory;
  }

  memoryFor(detId: string, length: number, type: PixelType): Pixels {
    let pixels = this.#kept.get(detId);
    if (pixels === undefined) {
      pixels = this.#memory(length, type);
      this.#kept.set(detId, pixels);
    }
    return pixels;
  }

  load(shot: ShotFrames, columns: readonly Column[], row: number): void {
    this.tag = shot.tag;
    this.missing = shot.missing;
    this.images = {};
    for (const { detId, shape, data } of shot.frames)
      this.images[detId] = asImage(this.#own(detId, data), shape[0], shape[1]);
    this.#columns = columns;
    this.#row = row;
  }

  value(equipId: string): SyncValue {
    const column = this.#columns[this.#signals.indexOf(equipId)];
    if (column === undefined)
      throw badArgument("signal", equipId, `one of those asked for: ${this.#signals.join(", ") || "none"}`);
    return entryOf(column, this.#row);
  }

  number(equipId: string): number {
    const value = this.value(equipId);
    return "value" in value ? value.value : NaN;
  }

  /** Puts the images into the caller's memory. */
  moveTo(out: Readonly<Record<string, Pixels>>): void {
    for (const [detId, image] of Object.entries(this.images)) {
      const memory = out[detId];
      if (memory === undefined)
        throw badArgument("out", Object.keys(out), `memory for each sensor asked for, also ${detId}`);
      const [rows, columns] = shapeOf(detId, image);
      const moved = asImage(memory, rows, columns);
      memory.set(image.data);
      this.images[detId] = moved;
    }
  }

  /** The pixels in this slot's memory: there already, unless the carrier could only give memory of its own. */
  #own(detId: string, data: Pixels): Pixels {
    const kept = this.memoryFor(detId, data.length, data instanceof Uint16Array ? "uint16" : "float32");
    if (kept.buffer !== data.buffer || kept.byteOffset !== data.byteOffset) kept.set(data);
    return kept;
  }
}
