import { LiveApiError as APIError } from "../core/api-errors.ts";
import type { CallOptions } from "../core/async.ts";
import { Detectors } from "../core/detectors.ts";
import { asApiError } from "../core/errors.ts";
import { type Ledger, LedgerBook } from "../core/ledger.ts";
import { any, finite, integer, oneOf, optional, resolveOptions } from "../core/options.ts";
import type { Roi } from "../core/roi.ts";
import { ImageMemory, type KeepableShot, ReceivedShot, type Shot, type ShotStream } from "../core/shots.ts";
import { STATUS_LATE, type SyncValue, syncStatus } from "../core/syncdb.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { LiveItem, StreamParams } from "../transport/methods.ts";

/** Which shots to give when the caller is slower than the beam. */
export type LivePolicy =
  /** The newest there is; those in between are skipped and counted. */
  | "newest"
  /** Each in its turn, as long as it is in the facility's memory (about two seconds); those forgotten are counted. */
  | "every";

export interface LiveShotsOptions {
  readonly bl: number;
  /** Sensors or cameras; a composite id such as `MPCCD-8B0-2-008` stands for all its sensors. @default none */
  readonly detectors?: readonly string[] | undefined;
  /** Equipment ids of 0-D signals to go with each shot. @default none */
  readonly signals?: readonly string[] | undefined;
  /** @default "newest" */
  readonly policy?: LivePolicy | undefined;
  /**
   * How long after a shot its images and values may take to come; it is given without those that come later. Longer
   * than the facility's memory makes no sense.
   * @default 500
   */
  readonly maxWaitMs?: number | undefined;
  /** What to do with a shot for which a detector has no image: leave it out, or give it without. @default "drop" */
  readonly missing?: "drop" | "partial" | undefined;
  /** Only this rectangle of each image. @default the whole image */
  readonly roi?: Roi | undefined;
  /** End after so many shots. @default never */
  readonly limit?: number | undefined;
  /** End with the run that is on, or that begins next. @default false */
  readonly untilRunEnd?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for the next shot, such as when the beam stops or between runs. @default no limit */
  readonly timeoutMs?: number | undefined;
}

/** One shot as it happened: like a shot of a run, and when and where. `value` gives `late` for one not yet there. */
export interface LiveShot extends Shot {
  readonly hightag: number;
  readonly run: number;
  /** When it happened, unix seconds by the facility's clock. */
  readonly time: number;
  /**
   * From the shot to the moment the source gave it out, by the source's clock; what the network then took is not in it.
   */
  readonly latencyMs: number;
}

const optionChecks = {
  bl: integer(),
  detectors: any,
  signals: any,
  policy: optional(oneOf("newest", "every")),
  maxWaitMs: optional(integer(0, 60_000)),
  missing: optional(oneOf("drop", "partial")),
  roi: any,
  limit: optional(integer(1)),
  untilRunEnd: any,
  signal: any,
  timeoutMs: optional(finite(0)),
};

type Params = StreamParams<"live.shots">;

/**
 * Shots as they happen. A loop begins with the newest shot (under `"every"`, with the next one to happen) and goes on
 * until it is left, `limit`, the end of the run, `timeoutMs` or the signal. Each loop begins anew.
 *
 * @example
 * const shots = facility.live.shots({ bl: 3, detectors: ["MPCCD-2N0-M02-001"], signals: [bm1] });
 * for await (const shot of shots) console.log(shot.tag, shot.latencyMs, shot.number(bm1));
 * console.log(shots.ledger);
 */
export class LiveShots implements ShotStream<LiveShot & KeepableShot> {
  readonly #endpoint: Endpoint;
  readonly #options: LiveShotsOptions;
  #book = new LedgerBook();

  constructor(endpoint: Endpoint, options: LiveShotsOptions) {
    resolveOptions("live.shots", options, optionChecks);
    this.#endpoint = endpoint;
    this.#options = options;
  }

  /**
   * The account of the loop so far: every shot since its first one is used, or dropped as `skipped` (the caller was
   * slower than the beam, under `"newest"`), `data-gone` (it was too slow under `"every"`), `frame-missing` or `late`.
   * Grows by 8 bytes for each dropped shot.
   */
  get ledger(): Ledger {
    return this.#book.ledger;
  }

  /** The same without the tags: how many are used, and dropped by reason. */
  get counts(): { readonly used: number; readonly dropped: Readonly<Record<string, number>> } {
    return this.#book.counts;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LiveShot & KeepableShot, void, undefined> {
    const book = new LedgerBook();
    this.#book = book;
    const { limit, missing = "drop" } = this.#options;
    const memory = new ImageMemory();
    let given = 0;
    for await (const item of this.#items(memory)) {
      for (const { reason, tags } of item.gaps) for (const tag of tags) book.drop(tag, reason);
      if (item.tag === null) return;
      const [gap] = item.missing;
      if (gap !== undefined && missing === "drop") {
        book.drop(item.tag, gap.reason);
        continue;
      }
      book.use();
      yield new ReceivedLiveShot(item, item.tag, memory, this.#options.signals ?? []);
      if (++given === limit) return;
    }
  }

  /** Under "newest" each item is asked for when it is wanted: one that was sent ahead would be old by then. */
  async *#items(memory: ImageMemory): AsyncGenerator<LiveItem, void, undefined> {
    const { signal, timeoutMs } = this.#options;
    const options = { signal, timeoutMs };
    let params = await this.#params(options);
    for (;;) {
      const stream = this.#endpoint
        .stream("live.shots", params, { ...options, memory: memory.pixels })
        [Symbol.asyncIterator]();
      let last: number | null = null;
      try {
        for (;;) {
          const next = await asApiError(APIError, () => stream.next());
          if (next.done === true) break;
          last = next.value.tag;
          yield next.value;
        }
      } finally {
        await stream.return?.();
      }
      if (last === null || params.limit === null) return;
      params = { ...params, after: last };
    }
  }

  async #params(options: CallOptions): Promise<Params> {
    const {
      bl,
      detectors = [],
      signals = [],
      policy = "newest",
      maxWaitMs = 500,
      roi,
      untilRunEnd = false,
    } = this.#options;
    const listed = await asApiError(APIError, () => this.#endpoint.call("live.readDetidlist", { bl }, options));
    const known = new Detectors(listed, `Beamline ${bl}`, {}, this.#endpoint.names);
    return {
      bl,
      detIds: detectors.flatMap((id) => known.sensorsOf(id)),
      signals: [...signals],
      policy,
      maxWaitMs,
      after: null,
      limit: policy === "newest" ? 1 : null,
      untilRunEnd,
      roi: roi === undefined ? null : { rows: [...roi.rows], columns: [...roi.columns] },
    };
  }
}

class ReceivedLiveShot extends ReceivedShot implements LiveShot {
  readonly hightag: number;
  readonly run: number;
  readonly time: number;
  readonly latencyMs: number;

  constructor(item: LiveItem, tag: number, memory: ImageMemory, equipIds: readonly string[]) {
    const missing = Object.fromEntries(item.missing.map(({ detId, reason }) => [detId, reason]));
    super(tag, memory.images(item.frames), equipIds, (i) => liveValueOf(item.signals, i), missing);
    this.hightag = item.hightag;
    this.run = item.run;
    this.time = item.time;
    this.latencyMs = item.latencyMs;
  }
}

function liveValueOf({ values, status, units }: LiveItem["signals"], i: number): SyncValue {
  if (status[i] === STATUS_LATE) return { reason: "late" };
  const word = syncStatus[status[i] ?? 0];
  if (word === "ok") return { value: values[i] ?? NaN, unit: units[i] ?? "" };
  return { reason: word ?? "missing" };
}
