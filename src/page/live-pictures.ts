import { bounded, sleep } from "../core/async.ts";
import { isSaclaError, SaclaError, toSaclaError } from "../core/errors.ts";
import { asImage, contiguous, type RawImage, shapeOf } from "../core/ndarray.ts";
import type { Roi } from "../core/roi.ts";
import { monitorOf } from "../db/beam-monitor.ts";
import type { Db, Run } from "../db/index.ts";
import { whyNoShots } from "../db/why-no-shots.ts";
import type { Live, LiveShot, LiveShots } from "../live/index.ts";
import { type Dark, darkOf } from "../reduce/index.ts";
import type { St } from "../st/index.ts";
import type { CallParams, CallResult } from "../transport/methods.ts";
import { HitRate } from "./hit-rate.ts";
import { darkOfRun, type HitConditions, PageDetector } from "./page-detector.ts";
import { type CutPicture, PictureMaker } from "./picture-maker.ts";
import { PumpLabels } from "./pump-labels.ts";
import { isNormalised, PumpedMeans } from "./pumped-means.ts";
import { WindowMean } from "./window-mean.ts";

/** Least time from one reading to the next: at 30 shots a second every second one, and not every third. */
const EVERY_MS = 50;
/** Nothing is read so soon after a picture: its bytes are being sent. */
const SENDING_MS = 8;
/** A shot that was read ahead and has waited for so long is not shown: there are newer ones. */
const HELD_MS = 100;
/** Nobody has asked for so long: nothing is read any more. */
const UNWATCHED_MS = 5000;
/** After a failure the shots are asked for again. */
const AGAIN_MS = 1000;
/** After this long without a shot the page is told why, found out again so often. */
const QUIET_MS = 2000;

/** What pictures are made from. */
export interface PageSource {
  readonly db: Db;
  readonly st: St;
  readonly live: Live;
  /** Whether runs can be started from the page; without it they cannot. */
  readonly canStartRuns?: () => Promise<boolean>;
}

/** What is common to all who look at the same pictures. */
export type LiveSubject = Pick<CallParams<"page.live">, "bl" | "detId" | "dark" | "mean" | "what" | "hits">;

/** What is kept as long as one run is followed. */
interface Following {
  readonly run: number;
  readonly detector: PageDetector;
  readonly window: WindowMean | null;
  readonly pumped: {
    readonly labels: PumpLabels;
    readonly means: PumpedMeans;
    /** Less this dark, and divided by I0; null: as the images come. */
    readonly normalised: { readonly i0: string; readonly dark: Dark | null } | null;
  } | null;
}

/**
 * The newest picture of a detector, made once for all who ask, at a bounded rate, and only when somebody has seen the
 * one before. Who is slow gets the newest when it asks again; nothing waits for it. Where somebody asks again and
 * again, one shot is read ahead, so that it is there when the next picture will be asked for; else no shot is read
 * that nobody sees.
 */
export class LivePictures {
  readonly #source: PageSource;
  readonly #subject: LiveSubject;
  readonly #ending = new AbortController();
  #loop: Promise<void> | undefined;
  #shots: LiveShots | undefined;
  #maker: PictureMaker | undefined;
  #detector: PageDetector | undefined;
  readonly #hits = new HitRate();
  #seq = 0;
  #made = 0;
  #since = performance.now();
  #error: string | null = null;
  /** Why no shot comes; null: they come. */
  #quiet: string | null = null;
  /** Why no picture can be made of those that come; null: it can. */
  #unfit: string | null = null;
  #shotAt = performance.now();
  #askedWhyAt = 0;
  #askedAt = 0;
  readonly #waiting = new Set<() => void>();
  /** Whether somebody has seen the newest picture, and waits for the next. */
  #isWanted = true;
  #tellWanted = (): void => {};
  /** How long after a picture somebody asked for the next one; undefined while nobody has. */
  #wantedAfterMs: number | undefined;

  constructor(source: PageSource, subject: LiveSubject) {
    this.#source = source;
    this.#subject = subject;
  }

  /** Whether somebody has asked lately. */
  get isWatched(): boolean {
    return performance.now() - this.#askedAt < UNWATCHED_MS;
  }

  async next(params: CallParams<"page.live">, signal: AbortSignal | undefined): Promise<CallResult<"page.live">> {
    this.#watch();
    const { after, waitMs } = params;
    // A number from before this server was restarted is not valid here.
    const known = after === null || after > this.#seq ? 0 : after;
    if (known === this.#seq) {
      if (!this.#isWanted) this.#wantedAfterMs = performance.now() - this.#shotAt;
      this.#isWanted = true;
      this.#tellWanted();
      this.#maker?.tellGot();
      await this.#newer(waitMs, signal);
    }
    const frame = known < this.#seq ? ((await this.#maker?.frame(params, false)) ?? null) : null;
    if (frame === null) this.#findWhy();
    const quiet = this.#quiet ?? (performance.now() - this.#shotAt < QUIET_MS ? null : this.#unfit);
    return { frame, counts: this.#counts(), now: Date.now() / 1000, error: this.#error, quiet };
  }

  /** One pixel of the newest picture; undefined while there is none. */
  pixel(row: number, column: number): CallResult<"page.pixel"> | undefined {
    this.#watch();
    return this.#maker?.pixel(row, column);
  }

  /** A copy of a part of the newest picture; undefined while there is none. */
  cut(region: Roi | null): CutPicture | undefined {
    this.#watch();
    return this.#maker?.cut(region);
  }

  close(): void {
    this.#ending.abort();
  }

  #watch(): void {
    this.#askedAt = performance.now();
    this.#loop ??= this.#follow().finally(() => {
      this.#loop = undefined;
    });
  }

  /** While somebody waits for a shot. The answer is there when this is asked again. */
  #findWhy(): void {
    const now = performance.now();
    if (now - Math.max(this.#shotAt, this.#askedWhyAt) < QUIET_MS) return;
    this.#askedWhyAt = now;
    const limits = { signal: this.#ending.signal, timeoutMs: QUIET_MS };
    const { db } = this.#source;
    const find = async (): Promise<void> => {
      const hint = (await this.#source.canStartRuns?.()) === true ? "start one under Steer" : null;
      const why = await whyNoShots(db, this.#subject.bl, hint, limits);
      if (this.#shotAt < now) this.#quiet = why;
    };
    // The failure of the shots themselves is told.
    find().catch(() => {});
  }

  async #newer(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    const late = new AbortController();
    const ends = AbortSignal.any([late.signal, this.#ending.signal, ...(signal === undefined ? [] : [signal])]);
    let tell = (): void => {};
    const came = new Promise<void>((resolve) => {
      tell = resolve;
    });
    this.#waiting.add(tell);
    await Promise.race([came, sleep(waitMs, ends).catch(() => {})]);
    this.#waiting.delete(tell);
    late.abort();
  }

  #counts(): CallResult<"page.live">["counts"] {
    const { used = 0, dropped = {} } = this.#shots?.counts ?? {};
    const seconds = Math.max(0.1, (performance.now() - this.#since) / 1000);
    return { used, dropped, perSecond: this.#made / seconds };
  }

  async #follow(): Promise<void> {
    const ending = this.#ending.signal;
    while (this.isWatched && !ending.aborted) {
      try {
        await this.#read();
      } catch (error) {
        if (isSaclaError(error, "ABORTED")) continue;
        this.#error = toSaclaError(error).message;
        await sleep(AGAIN_MS, ending).catch(() => {});
      }
    }
  }

  async #read(): Promise<void> {
    const { bl, detId, what, hits } = this.#subject;
    const unwatched = new AbortController();
    const signal = AbortSignal.any([unwatched.signal, this.#ending.signal]);
    // Ends the wait for a shot that does not come when nobody looks any more.
    const timer = setInterval(() => {
      if (!this.isWatched) unwatched.abort();
    }, AGAIN_MS);
    try {
      const labels = what === "all" ? null : await this.#labels(signal);
      const signals = [...(labels?.signals ?? []), ...(isNormalised(what) ? [await this.#monitor(signal)] : [])];
      const options = { bl, detectors: [detId], signals, signal } as const;
      const shots = this.#source.live.shots({ ...options, policy: "newest", missing: "partial" });
      this.#shots = shots;
      this.#since = performance.now();
      this.#made = 0;
      let of: Following | undefined;
      let began = performance.now();
      for await (const shot of shots) {
        const cameAt = performance.now();
        await this.#wanted(signal);
        if (performance.now() - cameAt > HELD_MS) {
          began = performance.now();
          continue;
        }
        if (of === undefined || of.run !== shot.run) of = await this.#begin(shot.run, labels, signal);
        if (hits !== null) await this.#countHit(shot, of.detector, hits);
        // What is still computed of the shot before has its images in the same memory.
        await this.#maker?.settled();
        this.#show(shot, of);
        await this.#untilNextReading(began, cameAt - began, signal);
        began = performance.now();
      }
    } finally {
      clearInterval(timer);
      await sleep(0);
    }
  }

  /** What tells pumped from unpumped shots in the current run, or in the last one. */
  async #labels(signal: AbortSignal): Promise<PumpLabels> {
    return await PumpLabels.of(await this.#newestRun(), { signal });
  }

  /** The signal of I0. @throws UNKNOWN_SIGNAL */
  async #monitor(signal: AbortSignal): Promise<string> {
    const run = await this.#newestRun();
    const found = await monitorOf(run, signal);
    if (found !== null) return found;
    throw new SaclaError("UNKNOWN_SIGNAL", `Run ${run.number} records no beam monitor to divide by.`);
  }

  async #newestRun(): Promise<Run> {
    const { db } = this.#source;
    const { bl } = this.#subject;
    return await db.run(bl, await db.readRunnumberNewest(bl));
  }

  /** Resolves when somebody waits for the next picture, or after `mostMs`. @throws ABORTED */
  async #wanted(signal: AbortSignal, mostMs?: number): Promise<void> {
    if (this.#isWanted) return;
    let timer: NodeJS.Timeout | undefined;
    const wanted = new Promise<void>((resolve) => {
      this.#tellWanted = resolve;
      if (mostMs !== undefined) timer = setTimeout(resolve, mostMs);
    });
    try {
      await bounded("the wait for somebody who asks for a picture", { signal }, () => wanted);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Waits until the next shot is read: so long before a picture will be wanted, as it seems from the last one, as the
   * reading takes.
   */
  async #untilNextReading(began: number, readMs: number, signal: AbortSignal): Promise<void> {
    await sleep(Math.max(SENDING_MS, EVERY_MS - (performance.now() - began)), signal);
    const wantedAt = this.#wantedAfterMs === undefined ? undefined : this.#shotAt + this.#wantedAfterMs;
    await this.#wanted(signal, wantedAt === undefined ? undefined : Math.max(0, wantedAt - readMs - performance.now()));
  }

  async #begin(runNumber: number, labels: PumpLabels | null, signal: AbortSignal): Promise<Following> {
    const { db, st } = this.#source;
    const { bl, detId, mean, what } = this.#subject;
    const run = await db.run(bl, runNumber);
    const dark = this.#dark === null ? null : await db.run(bl, this.#dark);
    const isNormal = isNormalised(what);
    // Before images are divided by I0 their dark is subtracted; from their difference none.
    const detector = await PageDetector.open(st, run, detId, isNormal ? null : dark, {
      signal,
      before: this.#detector,
    });
    const normalised = !isNormal
      ? null
      : {
          i0: await this.#monitor(signal),
          dark: dark === null ? null : await darkOfRun(st, dark, detector.group, signal),
        };
    const pumped =
      labels === null || what === "all" ? null : { labels, means: new PumpedMeans(what, mean), normalised };
    return { run: runNumber, detector, window: mean > 1 ? new WindowMean(mean) : null, pumped };
  }

  /** The run whose dark is subtracted; none for a difference, in which the dark cancels. */
  get #dark(): number | null {
    const { what, dark } = this.#subject;
    return what === "all" || what === "pumped" || what === "unpumped" || isNormalised(what) ? dark : null;
  }

  async #countHit(shot: LiveShot, detector: PageDetector, conditions: HitConditions): Promise<void> {
    if (Object.keys(shot.missing ?? {}).length > 0) return;
    this.#hits.add(shot.time, await detector.isHit(shot, conditions));
  }

  #show(shot: LiveShot, { detector, window, pumped }: Following): void {
    const { bl, detId, what } = this.#subject;
    const { hightag, run, tag, time, latencyMs } = shot;
    const cameAt = Date.now() / 1000;
    const { images, shots } =
      pumped === null
        ? (window?.add(shot.images) ?? { images: detector.keep(shot.images), shots: 1 })
        : compare(shot, pumped, what);
    if (Object.keys(images).length === 0) {
      this.#error = null;
      this.#unfit = pumped === null ? null : whyUnfit(shot, pumped);
      return;
    }
    const hits = this.#subject.hits === null ? null : this.#hits.answer;
    const missing = Object.entries(shot.missing ?? {}).map(([id, reason]) => ({ detId: id, reason }));
    const about = { seq: this.#seq + 1, bl, detId, hightag, run, tag, time, latencyMs, cameAt, shots, missing, hits };
    const before = this.#detector === detector ? this.#maker : undefined;
    this.#detector = detector;
    this.#maker = new PictureMaker(
      { ...about, dark: this.#dark, what, pumped: pumped?.means.counts ?? null },
      detector,
      images,
      before,
    );
    this.#seq++;
    this.#made++;
    this.#isWanted = false;
    this.#shotAt = performance.now();
    this.#quiet = null;
    this.#unfit = null;
    this.#error = null;
    for (const tell of this.#waiting) tell();
  }
}

/** Takes a shot in, and gives what is shown; nothing after a shot that is neither pumped nor unpumped. */
function compare(
  shot: LiveShot,
  { labels, means, normalised }: NonNullable<Following["pumped"]>,
  what: LiveSubject["what"],
): { readonly images: LiveShot["images"]; readonly shots: number } {
  const label = labels.of(shot);
  if (label === null) return { images: {}, shots: 0 };
  if (normalised === null) means.add(label, shot.images);
  else {
    const i0 = shot.number(normalised.i0);
    if (i0 === null || !(i0 > 0)) return { images: {}, shots: 0 };
    means.add(label, lessDark(shot.images, normalised.dark), i0);
  }
  const { on, off } = means.counts;
  return { images: means.images(shot.images), shots: what === "pumped" ? on : what === "unpumped" ? off : on + off };
}

/** Why nothing can be compared after a shot. */
function whyUnfit(shot: LiveShot, { labels, means, normalised }: NonNullable<Following["pumped"]>): string {
  if (labels.of(shot) === null)
    return "shots come, but are neither pumped nor unpumped: no X-rays, or no clear word from the pump laser's shutter";
  if (normalised !== null && !((shot.number(normalised.i0) ?? 0) > 0))
    return `shots come, but without a number of ${normalised.i0} above 0 to divide by`;
  return `only ${means.counts.on === 0 ? "unpumped" : "pumped"} shots have come so far`;
}

function lessDark(images: LiveShot["images"], dark: Dark | null): Readonly<Record<string, RawImage>> {
  if (dark === null) return images;
  const less = Object.entries(images).map(([id, image]) => {
    const [rows, columns] = shapeOf(id, image);
    const level = darkOf(dark.mean, id, rows, columns);
    const values = Float32Array.from(contiguous(image));
    for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? NaN) - (level[i] ?? NaN);
    return [id, asImage(values, rows, columns)] as const;
  });
  return Object.fromEntries(less);
}
