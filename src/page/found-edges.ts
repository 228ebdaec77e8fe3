import { sleep } from "../core/async.ts";
import { isSaclaError, toSaclaError } from "../core/errors.ts";
import { counted } from "../core/show.ts";
import { BEAM_MONITOR_DARK_COULOMB, type Run } from "../db/index.ts";
import { type TmaFinder, type TmaRow, xraysBySignal } from "../timing/index.ts";
import { EdgeWorker } from "./edge-worker.ts";
import type { PageSource } from "./live-pictures.ts";

/** Live edges that are remembered. */
const KEPT = 3600;
const UNWATCHED_MS = 5000;
const AGAIN_MS = 1000;
/** From one live shot to the next: to find an edge takes time that pictures need, too. */
const EVERY_MS = 100;
/** Shots of each kind to learn from. */
const LEARN_FROM = 60;

/** What a run lacks it does not get later. */
const lacking = new Set(["NO_LASER_ONLY", "NO_SHOTS", "NO_EDGES", "UNKNOWN_DETECTOR", "UNKNOWN_SIGNAL", "UNKNOWN_RUN"]);

/** Edges that the product's own finder finds on images, of live shots or of a run: as long as somebody looks. */
export class FoundEdges {
  readonly #source: PageSource;
  readonly #of: { readonly bl: number; readonly run: number | null; readonly camera: string };
  readonly #tma: TmaFinder | null;
  readonly #ending = new AbortController();
  readonly #rows: TmaRow[] = [];
  #state = "";
  #total: number | null = null;
  #error: string | null = null;
  #askedAt = 0;
  #isDone = false;
  #loop: Promise<void> | undefined;
  #worker: EdgeWorker | undefined;

  constructor(source: PageSource, of: { bl: number; run: number | null; camera: string }, tma: TmaFinder | null) {
    this.#source = source;
    this.#of = of;
    this.#tma = tma;
  }

  get isWatched(): boolean {
    return performance.now() - this.#askedAt < UNWATCHED_MS;
  }

  /** What has been found so far. */
  now(): { rows: readonly TmaRow[]; state: string; total: number | null; error: string | null } {
    this.#askedAt = performance.now();
    if (!this.#isDone)
      this.#loop ??= this.#follow().finally(() => {
        this.#loop = undefined;
      });
    return { rows: this.#rows, state: this.#state, total: this.#total, error: this.#error };
  }

  close(): void {
    this.#ending.abort();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#ending;
    while (this.isWatched && !this.#isDone && !signal.aborted) {
      const unwatched = new AbortController();
      const timer = setInterval(() => {
        if (!this.isWatched) unwatched.abort();
      }, AGAIN_MS);
      const either = AbortSignal.any([unwatched.signal, signal]);
      const { run } = this.#of;
      try {
        await (run === null ? this.#findLive(either) : this.#findStored(run, either));
        this.#error = null;
      } catch (error) {
        if (isSaclaError(error, "ABORTED")) continue;
        const { code, message } = toSaclaError(error);
        this.#error = message;
        this.#isDone = run !== null && lacking.has(code);
        await sleep(AGAIN_MS, signal).catch(() => {});
      } finally {
        clearInterval(timer);
        this.#worker?.close();
        this.#worker = undefined;
      }
    }
  }

  /** Begun when there is an image. */
  #begun(): EdgeWorker {
    this.#worker ??= new EdgeWorker({
      finder: this.#tma?.finder ?? null,
      learnsFirst: this.#of.run !== null && this.#tma === null,
    });
    return this.#worker;
  }

  async #findLive(signal: AbortSignal): Promise<void> {
    const { bl, camera } = this.#of;
    const xraysBy = this.#tma?.xrays ?? chargeOf(bl);
    const hasXrays = xraysBySignal(xraysBy, this.#tma?.least ?? BEAM_MONITOR_DARK_COULOMB);
    const options = { bl, detectors: [camera], signals: [xraysBy], signal } as const;
    const learntFrom = { on: 0, off: 0 };
    let hasLearnt = this.#tma !== null;
    for await (const shot of this.#source.live.shots({ ...options, policy: "newest", missing: "partial" })) {
      const began = performance.now();
      const image = shot.images[camera];
      const value = shot.value(xraysBy);
      // A value that is late says nothing; one that is missing says that there was no pulse.
      if (image === undefined || ("reason" in value && value.reason === "late")) continue;
      const xrays = hasXrays(shot);
      const found = await this.#begun().take(shot.tag, xrays, image);
      this.#error = null;
      hasLearnt ||= found?.edge !== undefined;
      learntFrom[xrays ? "on" : "off"]++;
      if (hasLearnt && found !== undefined) this.#rows.push(rowOf(found));
      if (this.#rows.length > 2 * KEPT) this.#rows.splice(0, this.#rows.length - KEPT);
      const { on, off } = learntFrom;
      this.#state = hasLearnt ? "" : `learning from ${on} shots with X-rays (of ${LEARN_FROM}) and ${off} without`;
      await sleep(Math.max(0, EVERY_MS - (performance.now() - began)), signal);
    }
  }

  async #findStored(number: number, signal: AbortSignal): Promise<void> {
    const { bl, camera } = this.#of;
    for (let isFirst = true; !this.#isDone; isFirst = false) {
      const run = await this.#source.db.run(bl, number, { signal });
      const tags = [...(await run.tags({ detector: camera, signal }))];
      const isOn = await this.#xraysOf(run, tags, signal);
      this.#total = tags.length;
      if (isFirst && this.#tma === null) await this.#learn(run, tags, isOn, signal);
      this.#state = "finding";
      const last = this.#rows.at(-1)?.tag ?? -1;
      const options = { run, detectors: [camera], tags: tags.filter((tag) => tag > last), signal } as const;
      for await (const { tag, images } of this.#source.st.shots({ ...options, missing: "partial" })) {
        const image = images[camera];
        const found = image && (await this.#begun().take(tag, isOn(tag), image));
        this.#rows.push(found === undefined ? noEdge(tag) : rowOf(found));
      }
      this.#state = "";
      // A run that still runs has more shots later.
      this.#isDone = run.status === 0;
      if (!this.#isDone) await sleep(AGAIN_MS, signal);
    }
  }

  async #learn(run: Run, tags: number[], isOn: (tag: number) => boolean, signal: AbortSignal) {
    const { camera } = this.#of;
    const [on, off] = [tags.filter(isOn), tags.filter((tag) => !isOn(tag))].map((kind) => evenly(kind, LEARN_FROM));
    const chosen = [...(on ?? []), ...(off ?? [])].sort((a, b) => a - b);
    let taken = 0;
    for await (const { tag, images } of this.#source.st.shots({ run, detectors: [camera], tags: chosen, signal })) {
      const image = images[camera];
      if (image !== undefined) await this.#begun().take(tag, isOn(tag), image);
      this.#state = `learning from ${++taken} of ${counted(chosen.length, "shot")}`;
    }
    await this.#begun().learn();
  }

  /** Whether X-rays came at a shot, by the same signal as `sacla tma create`. @throws UNKNOWN_SIGNAL */
  async #xraysOf(run: Run, tags: readonly number[], signal: AbortSignal): Promise<(tag: number) => boolean> {
    const column = await run.column(this.#tma?.xrays ?? chargeOf(run.bl), tags, { signal });
    const least = this.#tma?.least ?? BEAM_MONITOR_DARK_COULOMB;
    const on = new Set([...column.tags].filter((_, i) => (column.values[i] ?? NaN) >= least));
    return (tag) => on.has(tag);
  }
}

function chargeOf(bl: number): string {
  return `xfel_bl_${bl}_tc_bm_1_pd/charge`;
}

function rowOf({ tag, xrays, edge }: { tag: number; xrays: boolean; edge: TmaEdge | undefined }): TmaRow {
  if (edge === undefined) return { ...noEdge(tag), flags: xrays ? [] : ["no-xrays"] };
  const { derivativePx, fittingPx, errorPx, depth, widthPx, flags, usable } = edge;
  return { tag, derivativePx, fittingPx, errorPx, depth, widthPx, flags, usable };
}

type TmaEdge = Omit<TmaRow, "tag" | "flags"> & { readonly flags: readonly TmaRow["flags"][number][] };

function noEdge(tag: number): TmaRow {
  const nothing = { derivativePx: NaN, fittingPx: NaN, errorPx: NaN, depth: NaN, widthPx: NaN };
  return { tag, ...nothing, flags: [], usable: false };
}

/** At most so many, evenly. */
function evenly(all: readonly number[], most: number): number[] {
  const step = Math.max(1, all.length / most);
  return Array.from({ length: Math.min(most, all.length) }, (_, i) => all[Math.floor(i * step)] ?? 0);
}
