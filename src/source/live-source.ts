import { bounded, type CallOptions, type MaybePromise, throwIfAborted } from "../core/async.ts";
import { TAG_RATE_HZ } from "../core/constants.ts";
import { checkGeometry, type DetectorInfo } from "../core/detector.ts";
import { Detectors } from "../core/detectors.ts";
import { type ErrorCode, SaclaError, showList } from "../core/errors.ts";
import type { Pixels } from "../core/ndarray.ts";
import { type CallParams, type CallResult, NEWEST_TAG } from "../transport/methods.ts";

/** Shots of a beamline up to some moment. */
export interface HappenedShots {
  readonly hightag: number;
  /** Ascending. */
  readonly tags: Uint32Array;
  /** The tag that time had come to; ask for what comes after it next time. */
  readonly upTo: number;
}

/** Where the image of a shot that has happened is: on its way, in memory, never stored, or forgotten again. */
export type ImageState = "early" | "ready" | "missing" | "gone";

/**
 * The part of a `DataSource` that gives shots as they happen. Images stay in its memory for a short time; 0-D values
 * are there when the source's `newestTag` of their signal has come to the shot.
 */
export interface LiveSource {
  /** The source's time: unix seconds, as those of its shots. */
  now(): number;
  /** Resolves when {@link now} has come to `seconds`. @throws ABORTED */
  until(seconds: number, signal?: AbortSignal): Promise<void>;
  /** Detectors being read at a beamline: composite ids and each sensor. */
  detectors(bl: number): MaybePromise<readonly string[]>;
  /** Asked only for sensors and cameras, never for a composite id. */
  detectorInfo(bl: number, detId: string): MaybePromise<DetectorInfo>;
  /** Shots with images that have happened after a tag; with null, those whose images may still be in memory. */
  shots(bl: number, after: number | null): MaybePromise<HappenedShots>;
  /** When a shot happened, unix seconds. */
  timeOf(bl: number, tag: number): number;
  /** The run a shot belongs to. */
  runOf(bl: number, tag: number): number;
  imageState(bl: number, detId: string, tag: number): ImageState;
  /** As `DataSource.readFrame`; false also when the image has been forgotten meanwhile. */
  readFrame(bl: number, detId: string, tag: number, out: Pixels): MaybePromise<boolean>;
}

/** Seconds between two looks at what has arrived: a quarter of the time between shots at 60 Hz. */
export const LOOK_SECONDS = 0.004;

/** Seconds that a tag may lie ahead and be waited for. */
const LONGEST_AHEAD_SECONDS = 10;

/** A stretch of tags that is listed at once, four hours; no live image is that old. */
export const LONGEST_STRETCH = 864_000;

/** What the live methods need to know besides. */
export interface LiveParts {
  readonly name: string;
  readonly live: LiveSource;
  readonly waits: LiveWaits;
  beamlines(): readonly number[];
}

/**
 * What waits for live data of one source, so that closing it ends them. A Set, for one AbortSignal warns of many
 * listeners.
 */
export class LiveWaits {
  #isClosed = false;
  readonly #open = new Set<AbortController>();

  get isClosed(): boolean {
    return this.#isClosed;
  }

  begin(wait: AbortController): void {
    if (this.#isClosed) wait.abort();
    this.#open.add(wait);
  }

  end(wait: AbortController): void {
    this.#open.delete(wait);
    wait.abort();
  }

  close(): void {
    this.#isClosed = true;
    for (const wait of this.#open) wait.abort();
  }
}

/**
 * Runs a wait for live data until it ends, the caller gives it up, or the source is closed; nothing waits on
 * afterwards.
 */
export async function whileOpen<T>(
  parts: LiveParts,
  what: string,
  options: CallOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { waits, name } = parts;
  const wait = new AbortController();
  waits.begin(wait);
  try {
    // `bounded` tells who gave up; the wait itself is ended below in every case.
    return await bounded(what, options, () => work(wait.signal));
  } catch (error) {
    if (waits.isClosed) throw new SaclaError("CLOSED", `${name} was closed while ${what} waited.`, { cause: error });
    throw error;
  } finally {
    waits.end(wait);
  }
}

/** Answers `live.readDetidlist`. */
export async function liveDetectors({ live, beamlines }: LiveParts, bl: number | undefined): Promise<string[]> {
  const ids = new Set<string>();
  for (const each of bl === undefined ? beamlines() : [bl]) for (const id of await live.detectors(each)) ids.add(id);
  return [...ids];
}

/** What a live detector says of itself. @throws UNKNOWN_DETECTOR */
export async function liveDetectorInfo({ name, live }: LiveParts, bl: number, detId: string): Promise<DetectorInfo> {
  const detectors = new Detectors(await live.detectors(bl), `Beamline ${bl} of ${name}`, { bl });
  return checkGeometry(await live.detectorInfo(bl, detectors.sensor(detId)));
}

/**
 * Answers `live.collect`. A tag that has not happened yet is waited for.
 * @throws TAG_INVALID for a tag without a shot, or more than ten seconds ahead
 * @throws DATA_GONE when the image is not in memory any more, or none ever was
 */
export async function liveCollect(
  parts: LiveParts,
  params: CallParams<"live.collect">,
  options: CallOptions,
): Promise<CallResult<"live.collect">> {
  const { live } = parts;
  const { detId, tag } = params;
  const bl = await beamlineOf(parts, detId, params.bl);
  const info = await liveDetectorInfo(parts, bl, detId);
  const data = new Float32Array(info.xsize * info.ysize);
  const attempt = async (): Promise<CallResult<"live.collect"> | null> => {
    const found = tag === NEWEST_TAG ? await newestReady(live, bl, detId) : await findTag(live, bl, detId, tag);
    if (found === null || !(await live.readFrame(bl, detId, found.tag, data))) return null;
    return {
      bl,
      ...found,
      run: live.runOf(bl, found.tag),
      frame: { detId, shape: [info.ysize, info.xsize], data },
      info,
    };
  };
  const giveUp = live.now() + LONGEST_AHEAD_SECONDS;
  return await whileOpen(parts, "live.collect", options, async (signal) => {
    for (;;) {
      throwIfAborted(signal);
      const answer = await attempt();
      if (answer !== null) return answer;
      if (live.now() >= giveUp) throw noneCame(detId, tag);
      await live.until(live.now() + LOOK_SECONDS, signal);
    }
  });
}

function noneCame(detId: string, tag: number): SaclaError {
  if (tag === NEWEST_TAG)
    return refused(
      "DATA_GONE",
      `${detId} has no image in memory, and none came for ${LONGEST_AHEAD_SECONDS} s.`,
      detId,
      tag,
    );
  return refused(
    "TAG_INVALID",
    `The image of ${detId} for tag ${tag} did not come within ${LONGEST_AHEAD_SECONDS} s.`,
    detId,
    tag,
  );
}

/** The one beamline that reads the detector. @throws UNKNOWN_DETECTOR @throws BAD_ARGUMENT when several do */
async function beamlineOf(parts: LiveParts, detId: string, bl: number | undefined): Promise<number> {
  if (bl !== undefined) return bl;
  const found: number[] = [];
  for (const each of parts.beamlines()) if ((await parts.live.detectors(each)).includes(detId)) found.push(each);
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined)
    throw new SaclaError(
      "BAD_ARGUMENT",
      `${detId} is read at beamlines ${showList(found)} of ${parts.name}: name one, bl.`,
      { details: { beamlines: found } },
    );
  return new Detectors(await liveDetectors(parts, undefined), parts.name).unlisted(detId);
}

type Found = { readonly tag: number; readonly hightag: number };

async function newestReady(live: LiveSource, bl: number, detId: string): Promise<Found | null> {
  const { tags, hightag } = await live.shots(bl, null);
  const tag = tags.findLast((each) => live.imageState(bl, detId, each) === "ready");
  return tag === undefined ? null : { tag, hightag };
}

/** The tag when its image is there; null when it is still to come. */
async function findTag(live: LiveSource, bl: number, detId: string, tag: number): Promise<Found | null> {
  const { upTo } = await live.shots(bl, null);
  if (tag > upTo + LONGEST_AHEAD_SECONDS * TAG_RATE_HZ) {
    throw refused("TAG_INVALID", `Tag ${tag} is too far ahead: the newest is ${upTo}.`, detId, tag);
  }
  if (tag > upTo) return null;
  if (tag < upTo - LONGEST_STRETCH)
    throw refused("DATA_GONE", `Tag ${tag} is long over: the newest is ${upTo}.`, detId, tag);
  const { tags, hightag } = await live.shots(bl, tag - 1);
  if (tags[0] !== tag)
    throw refused("TAG_INVALID", `There was no shot for ${detId} with tag ${tag}; the newest is ${upTo}.`, detId, tag);
  const state = live.imageState(bl, detId, tag);
  if (state === "gone")
    throw refused(
      "DATA_GONE",
      `The image of ${detId} for tag ${tag} is not in memory any more; the newest tag is ${upTo}.`,
      detId,
      tag,
    );
  if (state === "missing") throw refused("FRAME_MISSING", `${detId} stored no image for tag ${tag}.`, detId, tag);
  return state === "ready" ? { tag, hightag } : null;
}

/** What olpy answers in these cases: `(int, str)` of its APIError. */
const olpyErrors = {
  DATA_GONE: { olCode: -200_010_000, olName: "OL_ERR_TAGDATAGONE" },
  FRAME_MISSING: { olCode: -200_010_000, olName: "OL_ERR_TAGDATAGONE" },
  TAG_INVALID: { olCode: -200_050_000, olName: "OL_ERR_TAGINVALID" },
} as const satisfies Partial<Record<ErrorCode, object>>;

function refused(code: keyof typeof olpyErrors, message: string, detId: string, tag: number): SaclaError {
  return new SaclaError(code, message, { details: { ...olpyErrors[code], detId, tag } });
}
