import type { Clock } from "../core/clock.ts";
import { TAG_RATE_HZ } from "../core/constants.ts";
import type { DetectorInfo } from "../core/detector.ts";
import { newPixels, type Pixels } from "../core/ndarray.ts";
import { TagList } from "../core/tags.ts";
import type { HappenedShots, ImageState, LiveSource } from "../source/live-source.ts";
import type { Endpoint, FrameMemory } from "../transport/endpoint.ts";
import type { RunInfo } from "../transport/methods.ts";

/** Which run is played, and how; seconds are those of the run. */
export interface Playing {
  readonly bl: number;
  readonly run: number;
  readonly speed: number;
  readonly clock: Clock;
  readonly imageDelaySeconds: number;
  readonly valueDelaySeconds: number;
  readonly memorySeconds: number;
}

/** The run begins so long before its first shot, so that whoever starts it gets that one too. */
const BEFORE_SECONDS = 1 / TAG_RATE_HZ;

/** A stored run whose shots happen one after another. Nothing is kept of its images: they are read when asked for. */
export class PlayedRun implements LiveSource {
  readonly playing: Playing;
  readonly info: RunInfo;
  readonly #endpoint: Endpoint;
  readonly #tags: TagList;
  readonly #detIds: readonly string[];
  readonly #detectors = new Map<string, { readonly info: DetectorInfo; readonly tags: TagList }>();
  /** When the clock showed this the run began; null: it has not. */
  #began: number | null = null;

  static async of(endpoint: Endpoint, playing: Playing, info: RunInfo): Promise<PlayedRun> {
    const of = { bl: playing.bl, run: playing.run };
    const tags = new TagList(info.hightagnumber, await endpoint.call("db.readTaglistByrun", of));
    return new PlayedRun(endpoint, playing, info, tags, await endpoint.call("db.readDetidlist", of));
  }

  private constructor(endpoint: Endpoint, playing: Playing, info: RunInfo, tags: TagList, detIds: readonly string[]) {
    this.#endpoint = endpoint;
    this.playing = playing;
    this.info = info;
    this.#tags = tags;
    this.#detIds = detIds;
  }

  /** The first live question starts the run. */
  begin(): void {
    this.#began ??= this.playing.clock.now();
  }

  /** The newest tag of the 60 Hz count; the one before the run until it begins. */
  nowTag(): number {
    return this.#tagAt(this.#elapsed());
  }

  /** The newest tag whose 0-D values have arrived. */
  newestValueTag(): number {
    return this.#tagAt(this.#elapsed() - this.playing.valueDelaySeconds);
  }

  now(): number {
    return this.info.starttime + this.#elapsed();
  }

  async until(seconds: number, signal?: AbortSignal): Promise<void> {
    const { clock, speed } = this.playing;
    await clock.until((this.#began ?? clock.now()) + (seconds - this.info.starttime + BEFORE_SECONDS) / speed, signal);
  }

  detectors(bl: number): readonly string[] {
    return bl === this.playing.bl ? this.#detIds : [];
  }

  /** Also learns for which tags the detector has images, which {@link imageState} must know at once. */
  async detectorInfo(_bl: number, detId: string): Promise<DetectorInfo> {
    const known = this.#detectors.get(detId);
    if (known !== undefined) return known.info;
    const { bl, run } = this.playing;
    const info = await this.#endpoint.call("st.readDetectorInfo", { bl, run, detId });
    const tags = new TagList(
      this.info.hightagnumber,
      await this.#endpoint.call("db.readTaglistBydetid", { bl, run, detId }),
    );
    this.#detectors.set(detId, { info, tags });
    return info;
  }

  shots(bl: number, after: number | null): HappenedShots {
    this.begin();
    const upTo = this.nowTag();
    const from = after ?? upTo - Math.ceil(this.playing.memorySeconds * TAG_RATE_HZ);
    const tags = bl === this.playing.bl ? this.#tags.between(Math.max(0, from + 1), upTo).values : new Uint32Array(0);
    return { hightag: this.info.hightagnumber, tags, upTo };
  }

  timeOf(_bl: number, tag: number): number {
    return this.info.starttime + (tag - this.info.start_tagnumber) / TAG_RATE_HZ;
  }

  runOf(): number {
    return this.playing.run;
  }

  imageState(bl: number, detId: string, tag: number): ImageState {
    const age = this.now() - this.timeOf(bl, tag);
    if (age < this.playing.imageDelaySeconds) return "early";
    if (age >= this.playing.memorySeconds) return "gone";
    return this.#detectors.get(detId)?.tags.has(tag) === true ? "ready" : "missing";
  }

  async readFrame(_bl: number, detId: string, tag: number, out: Pixels): Promise<boolean> {
    return await readOne(this.#endpoint, this.playing.bl, this.playing.run, detId, tag, out);
  }

  #elapsed(): number {
    if (this.#began === null) return -BEFORE_SECONDS;
    return (this.playing.clock.now() - this.#began) * this.playing.speed - BEFORE_SECONDS;
  }

  #tagAt(elapsed: number): number {
    // A clock that was waited for may be a rounding error short of a tag.
    return this.info.start_tagnumber + Math.floor(elapsed * TAG_RATE_HZ + 1e-6);
  }
}

/** Reads one image into `out`, of whichever type that is. False when there is none. */
export async function readOne(
  endpoint: Endpoint,
  bl: number,
  run: number,
  detId: string,
  tag: number,
  out: Pixels,
): Promise<boolean> {
  const isOut = (pixels: Pixels): boolean => pixels.buffer === out.buffer && pixels.byteOffset === out.byteOffset;
  const memory: FrameMemory = (_, length, type) =>
    length === out.length && (type === "uint16") === out instanceof Uint16Array ? out : newPixels(length, type);
  for await (const { frames } of endpoint.stream(
    "st.frames",
    { bl, run, detIds: [detId], tags: Uint32Array.of(tag), roi: null },
    { memory },
  )) {
    const [frame] = frames;
    if (frame === undefined) return false;
    if (!isOut(frame.data)) out.set(frame.data);
    return true;
  }
  return false;
}
