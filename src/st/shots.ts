import { StApiError as APIError } from "../core/api-errors.ts";
import { type CallOptions, readAhead, throwIfAborted } from "../core/async.ts";
import type { DetectorInfo } from "../core/detector.ts";
import { type DetectorGroup, Detectors, groupDetectors } from "../core/detectors.ts";
import { asApiError, isSaclaError, SaclaError } from "../core/errors.ts";
import { asInteger, badArgument } from "../core/guards.ts";
import { type Ledger, LedgerBook, NOT_READ } from "../core/ledger.ts";
import { asImage, newPixels, type Pixels, type RawImage, shapeOf } from "../core/ndarray.ts";
import { any, integer, oneOf, optional, resolveOptions } from "../core/options.ts";
import { type Roi, roiShape } from "../core/roi.ts";
import {
  ImageMemory,
  type ImageSpec,
  type KeepableShot,
  type PixelMemory,
  ReceivedShot,
  type ShotStream,
} from "../core/shots.ts";
import { type Column, entryOf, type SyncValue } from "../core/syncdb.ts";
import { TagCut } from "../core/tag-cut.ts";
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

const optionChecks = {
  run: any,
  detectors: any,
  signals: any,
  tags: any,
  roi: any,
  missing: optional(oneOf("drop", "partial", "error")),
  prefetch: optional(integer(0, 1000)),
  out: any,
  signal: any,
  timeoutMs: any,
};
/** 0-D values are fetched for this many shots at a time. */
const SIGNAL_BLOCK = 1000;

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
export class Shots implements ShotStream<KeepableShot> {
  readonly #endpoint: Endpoint;
  readonly #options: ShotsOptions;
  #tags: Uint32Array | undefined;
  readonly #cut: TagCut | undefined;
  #planned: Plan | undefined;
  #specs: ImageSpec[] | undefined;
  #book = new LedgerBook();

  constructor(endpoint: Endpoint, options: ShotsOptions) {
    resolveOptions("shots", options, optionChecks);
    asInteger("run.bl", options.run?.bl);
    asInteger("run.number", options.run.number);
    this.#endpoint = endpoint;
    this.#options = options;
    this.#cut = TagCut.of(options.tags);
    if (options.tags !== undefined)
      this.#tags = options.tags instanceof TagList ? options.tags.values : asTags(options.tags);
  }

  /** The account of the last loop: every tag asked for is used, or dropped with a reason. */
  get ledger(): Ledger {
    return this.#book.ledger;
  }

  /** How many shots are asked for. */
  async count(): Promise<number> {
    const { length } = (await this.#plan()).tags;
    return this.#cut?.end ?? length;
  }

  /** Images held at a time for each sensor: the one in the caller's hands and those read ahead. */
  get depth(): number {
    return (this.#options.prefetch ?? 2) + 1;
  }

  /** What the images of each sensor will look like. */
  async describe(): Promise<ImageSpec[]> {
    if (this.#specs !== undefined) return this.#specs;
    const { roi } = this.#options;
    const { detIds, bl, run, options } = await this.#plan();
    const known = this.#known;
    const specs: ImageSpec[] = [];
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

  [Symbol.asyncIterator](): AsyncGenerator<KeepableShot, void, undefined> {
    return this.#iterate(newPixels);
  }

  /** The same loop with the images in memory of the caller's, such as that of a WebAssembly kernel: no copy is made. */
  into(memory: PixelMemory): AsyncIterable<KeepableShot> {
    return { [Symbol.asyncIterator]: () => this.#iterate(memory) };
  }

  async *#iterate(memory: PixelMemory): AsyncGenerator<KeepableShot, void, undefined> {
    const book = new LedgerBook();
    this.#book = book;
    let settled = 0;
    try {
      const plan = await this.#plan();
      for await (const { shot, missing } of this.#readAhead(plan, memory)) {
        throwIfAborted(this.#options.signal);
        const [gap] = missing;
        if (gap !== undefined && this.#options.missing === "error") {
          const isLost = gap.reason !== "frame-missing";
          const said = isLost ? await this.#whyNot(plan, gap.detId, shot.tag) : undefined;
          throwIfAborted(this.#options.signal);
          const why = isLost ? ` (${gap.reason})` : "";
          const plain = `${gap.detId} has no image for tag ${shot.tag} of run ${plan.run}${why}.`;
          throw new APIError("FRAME_MISSING", said ?? plain, { details: { ...gap, tag: shot.tag } });
        }
        settled++;
        if (gap !== undefined && this.#options.missing !== "partial") {
          book.drop(shot.tag, gap.reason);
          continue;
        }
        book.use();
        // What the detector did not store is ordinary; what was lost in the file is not.
        for (const { reason } of missing) if (reason !== "frame-missing") book.note(reason);
        yield shot;
      }
    } finally {
      // Tags the caller named count also when the source could not even be asked about them.
      for (const tag of this.#tags?.subarray(settled, this.#cut?.end) ?? []) book.drop(tag, NOT_READ);
    }
  }

  /** What the source says of an image that was lost, if it does: a stream has only the reason, in one word. */
  async #whyNot({ bl, run }: Plan, detId: string, tag: number): Promise<string | undefined> {
    try {
      await this.#endpoint.call("st.collect", { bl, runs: [run], detId, tag }, { signal: this.#options.signal });
      return undefined;
    } catch (error) {
      return isSaclaError(error, "FRAME_MISSING", "FILE_DAMAGED") ? error.message : undefined;
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
    const listed = Detectors.of(groups, `Run ${run} of beamline ${bl}`, this.#endpoint.names);
    const detIds = detectors.flatMap((id) => listed.sensorsOf(id));
    return { bl, run, detIds, signals: [...signals], tags: this.#tags, hightag, options };
  }

  /** Reads up to `prefetch` shots ahead into a ring of reused memory. */
  async *#readAhead(plan: Plan, memory: PixelMemory): AsyncGenerator<ReadShot, void, undefined> {
    const { out } = this.#options;
    for await (const read of readAhead((stop) => this.#read(plan, memory, stop), this.depth)) {
      if (out !== undefined) read.shot.images = movedTo(out, read.shot.images);
      yield read;
    }
  }

  /** The shots in a ring of memory: one is in the caller's hands, the others are read ahead. */
  async *#read(plan: Plan, memory: PixelMemory, stop: AbortSignal): AsyncGenerator<ReadShot, void, undefined> {
    const ring = Array.from({ length: this.depth }, () => new ImageMemory(memory));
    let columns: Column[] = [];
    let index = 0;
    const frames = this.#frames(plan, stop, (detId, length, type) => at(ring, index).pixels(detId, length, type))[
      Symbol.asyncIterator
    ]();
    try {
      for (const tag of plan.tags) {
        if (this.#cut?.begin(index) === false) return;
        const row = index % SIGNAL_BLOCK;
        if (plan.signals.length > 0 && row === 0)
          columns = await this.#columns(plan, plan.tags.slice(index, index + SIGNAL_BLOCK));
        const { done, value: item } = await frames.next();
        if (done === true || item.tag !== tag) {
          throw new SaclaError(
            "BAD_MESSAGE",
            `The source answered for ${done === true ? "fewer shots than asked" : `tag ${item.tag}`}, not tag ${tag}.`,
          );
        }
        const images = at(ring, index).images(item.frames);
        const block = columns;
        const reasons = Object.fromEntries(item.missing.map(({ detId, reason }) => [detId, reason]));
        const shot = new ReceivedShot(tag, images, plan.signals, (i) => entryIn(block[i], row), reasons);
        index++;
        yield { shot, missing: item.missing };
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

function at(ring: readonly ImageMemory[], index: number): ImageMemory {
  const memory = ring[index % ring.length];
  if (memory === undefined) throw new SaclaError("INTERNAL", "A ring of shots is empty.");
  return memory;
}

function entryIn(column: Column | undefined, row: number): SyncValue {
  return column === undefined ? { reason: "missing" } : entryOf(column, row);
}

/** A shot, and which detectors have no image of it. */
interface ReadShot {
  readonly shot: ReceivedShot;
  readonly missing: ShotFrames["missing"];
}

/** The images in the caller's memory. */
function movedTo(
  out: Readonly<Record<string, Pixels>>,
  images: Readonly<Record<string, RawImage>>,
): Record<string, RawImage> {
  return Object.fromEntries(
    Object.entries(images).map(([detId, image]) => {
      const memory = out[detId];
      if (memory === undefined)
        throw badArgument("out", Object.keys(out), `memory for each sensor asked for, also ${detId}`);
      const moved = asImage(memory, ...shapeOf(detId, image));
      memory.set(image.data);
      return [detId, moved];
    }),
  );
}
