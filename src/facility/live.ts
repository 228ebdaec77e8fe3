import type { Clock } from "../core/clock.ts";
import { TAG_RATE_HZ } from "../core/constants.ts";
import type { DetectorInfo } from "../core/detector.ts";
import type { Pixels } from "../core/ndarray.ts";
import { hash } from "../core/random.ts";
import type { HappenedShots, ImageState, LiveSource } from "../source/live-source.ts";
import { liveHightag, liveTag, unixSecondsOf } from "./experiments.ts";
import { liveParameters } from "./parameters.ts";
import { isImage, type PlannedRun } from "./planned-run.ts";
import type { Timeline } from "./timeline.ts";

/** When the facility's time began, how fast it goes, and how long data are on their way. */
export interface LivePace {
  readonly clock: Clock;
  readonly speed: number;
  readonly imageDelayMs: number;
  readonly valueDelayMs: number;
}

/** What the live part asks of the facility it belongs to. */
interface LiveContext {
  timeline(bl: number): Timeline | undefined;
  run(bl: number, run: number): PlannedRun | undefined;
  /** Those of the run that is on, or was last, with their sensors. */
  detectors(bl: number): readonly string[];
  detectorInfo(detId: string): DetectorInfo;
  isMissing(bl: number, run: number, detId: string, tag: number): boolean;
  readFrame(bl: number, run: number, detId: string, tag: number, out: Pixels): boolean;
}

/** The newest shots of the simulated facility: images are drawn when asked for, and "forgotten" by the clock. */
export class SimulatedLive implements LiveSource {
  readonly #pace: LivePace;
  readonly #context: LiveContext;
  readonly #created: number;
  readonly #begin: number = unixSecondsOf(liveHightag, liveTag) ?? 0;

  constructor(pace: LivePace, context: LiveContext) {
    this.#pace = pace;
    this.#context = context;
    this.#created = pace.clock.now();
  }

  /** The newest tag of the 60 Hz count. */
  nowTag(): number {
    return liveTag + Math.floor(this.ticks());
  }

  /** The newest tag whose 0-D values have arrived. */
  newestValueTag(): number {
    return liveTag + Math.floor((this.#elapsed() - this.#pace.valueDelayMs / 1000) * TAG_RATE_HZ);
  }

  /** 60ths of a second since the facility was created; a tag happens at each whole one. */
  ticks(): number {
    return this.#elapsed() * TAG_RATE_HZ;
  }

  now(): number {
    return this.#begin + this.#elapsed();
  }

  async until(seconds: number, signal?: AbortSignal): Promise<void> {
    const { clock, speed } = this.#pace;
    await clock.until(this.#created + (seconds - this.#begin) / speed, signal);
  }

  detectors(bl: number): readonly string[] {
    return this.#context.detectors(bl);
  }

  detectorInfo(_bl: number, detId: string): DetectorInfo {
    return this.#context.detectorInfo(detId);
  }

  shots(bl: number, after: number | null): HappenedShots {
    const upTo = this.nowTag();
    const timeline = this.#context.timeline(bl);
    const tags: number[] = [];
    const from = after ?? upTo - Math.ceil(liveParameters.memorySeconds * TAG_RATE_HZ);
    for (const tag of timeline?.pulseTags(from + 1, upTo) ?? []) {
      const planned = this.#context.run(bl, timeline?.at(tag).run ?? -1);
      if (planned !== undefined && isImage(planned, tag)) tags.push(tag);
    }
    return { hightag: liveHightag, tags: Uint32Array.from(tags), upTo };
  }

  timeOf(_bl: number, tag: number): number {
    return unixSecondsOf(liveHightag, tag) ?? NaN;
  }

  runOf(bl: number, tag: number): number {
    return this.#context.timeline(bl)?.at(tag).run ?? -1;
  }

  imageState(bl: number, detId: string, tag: number): ImageState {
    const age = this.now() - this.timeOf(bl, tag);
    // Sensors are read out by computers of their own, so their images do not come at the same moment.
    const spread = (hash("image delay", detId) / 0x1_0000_0000) * liveParameters.imageDelaySpreadMs;
    if (age * 1000 < this.#pace.imageDelayMs + spread) return "early";
    if (age >= liveParameters.memorySeconds) return "gone";
    return this.#context.isMissing(bl, this.runOf(bl, tag), detId, tag) ? "missing" : "ready";
  }

  readFrame(bl: number, detId: string, tag: number, out: Pixels): boolean {
    return (
      this.imageState(bl, detId, tag) === "ready" && this.#context.readFrame(bl, this.runOf(bl, tag), detId, tag, out)
    );
  }

  #elapsed(): number {
    return (this.#pace.clock.now() - this.#created) * this.#pace.speed;
  }
}
