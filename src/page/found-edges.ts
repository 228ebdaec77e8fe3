import { sleep } from "../core/async.ts";
import { isSaclaError, SaclaError, toSaclaError } from "../core/errors.ts";
import { counted } from "../core/show.ts";
import { monitorOf } from "../db/beam-monitor.ts";
import type { Run } from "../db/index.ts";
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
/** Charge of BM1 from which on there were X-rays, as `sacla tma create` has it. */
const LEAST_CHARGE = 1e-10;

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
      const worker = new EdgeWorker({ finder: this.#tma?.finder ?? null, learnsFirst: run !== null && !this.#tma });
      try {
        await (run === null ? this.#findLive(worker, either) : this.#findStored(worker, run, either));
        this.#error = null;
      } catch (error) {
        if (isSaclaError(error, "ABORTED")) continue;
        this.#error = toSaclaError(error).message;
        // What a run does not have it does not get later.
        if (run !== null) this.#isDone = true;
        await sleep(AGAIN_MS, signal).catch(() => {});
      } finally {
        clearInterval(timer);
        worker.close();
      }
    }
  }

  async #findLive(worker: EdgeWorker, signal: AbortSignal): Promise<void> {
    const { bl, camera } = this.#of;
    const xraysBy = this.#tma?.xrays ?? `xfel_bl_${bl}_tc_bm_1_pd/charge`;
    const hasXrays = xraysBySignal(xraysBy, this.#tma?.least ?? LEAST_CHARGE);
    const options = { bl, detectors: [camera], signals: [xraysBy], signal } as const;
    const learntFrom = { on: 0, off: 0 };
    for await (const shot of this.#source.live.shots({ ...options, policy: "newest", missing: "partial" })) {
      const began = performance.now();
      const image = shot.images[camera];
      const value = shot.value(xraysBy);
      // A value that is late says nothing; one that is missing says that there was no pulse.
      if (image === undefined || ("reason" in value && value.reason === "late")) continue;
      const xrays = hasXrays(shot);
      const found = await worker.take(shot.tag, xrays, image);
      this.#error = null;
      if (xrays && found?.edge === undefined) learntFrom.on++;
      else if (found?.edge === undefined) learntFrom.off++;
      const hasLearnt = this.#tma !== null || this.#rows.length > 0 || found?.edge !== undefined;
      if (hasLearnt && found !== undefined) this.#rows.push(rowOf(found));
      if (this.#rows.length > 2 * KEPT) this.#rows.splice(0, this.#rows.length - KEPT);
      const { on, off } = learntFrom;
      this.#state = hasLearnt ? "" : `learning from ${on} shots with X-rays (of ${LEARN_FROM}) and ${off} without`;
      await sleep(Math.max(0, EVERY_MS - (performance.now() - began)), signal);
    }
  }

  async #findStored(worker: EdgeWorker, number: number, signal: AbortSignal): Promise<void> {
    const { bl, camera } = this.#of;
    const run = await this.#source.db.run(bl, number, { signal });
    const tags = [...(await run.tags({ detector: camera, signal }))];
    const isOn = await this.#xraysOf(run, tags, signal);
    this.#total = tags.length;
    if (this.#tma === null) await this.#learn(worker, run, tags, isOn, signal);
    this.#state = "finding";
    const left = tags.slice(this.#rows.length);
    for await (const shot of this.#source.st.shots({
      run,
      detectors: [camera],
      tags: left,
      missing: "partial",
      signal,
    })) {
      const image = shot.images[camera];
      const found = image && (await worker.take(shot.tag, isOn(shot.tag), image));
      this.#rows.push(found === undefined ? noEdge(shot.tag) : rowOf(found));
    }
    this.#state = "";
    // A run that still runs has more shots later.
    this.#isDone = run.status === 0;
    if (!this.#isDone) await sleep(AGAIN_MS, signal);
  }

  async #learn(worker: EdgeWorker, run: Run, tags: number[], isOn: (tag: number) => boolean, signal: AbortSignal) {
    const { camera } = this.#of;
    const [on, off] = [tags.filter(isOn), tags.filter((tag) => !isOn(tag))].map((kind) => evenly(kind, LEARN_FROM));
    const chosen = [...(on ?? []), ...(off ?? [])].sort((a, b) => a - b);
    let taken = 0;
    for await (const { tag, images } of this.#source.st.shots({ run, detectors: [camera], tags: chosen, signal })) {
      const image = images[camera];
      if (image !== undefined) await worker.take(tag, isOn(tag), image);
      this.#state = `learning from ${++taken} of ${counted(chosen.length, "shot")}`;
    }
    await worker.learn();
  }

  /** Whether X-rays came at a shot. @throws UNKNOWN_SIGNAL */
  async #xraysOf(run: Run, tags: readonly number[], signal: AbortSignal): Promise<(tag: number) => boolean> {
    const by = this.#tma?.xrays ?? (await monitorOf(run, signal));
    if (by === null) throw new SaclaError("UNKNOWN_SIGNAL", `Run ${run.number} has no beam monitor to tell X-rays by.`);
    const column = await run.column(by, tags, { signal });
    const least = this.#tma?.least ?? LEAST_CHARGE;
    const on = new Set([...column.tags].filter((_, i) => (column.values[i] ?? NaN) >= least));
    return (tag) => on.has(tag);
  }
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
