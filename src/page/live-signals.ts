import { sleep } from "../core/async.ts";
import { isSaclaError, toSaclaError } from "../core/errors.ts";
import { STATUS_LATE, syncStatus } from "../core/syncdb.ts";
import type { LiveShot } from "../live/index.ts";
import type { CallParams, CallResult } from "../transport/methods.ts";
import type { PageSource } from "./live-pictures.ts";
import { signalSummary } from "./signal-summary.ts";

/** Shots that are remembered: a minute at 60 Hz. */
const KEPT = 3600;
const UNWATCHED_MS = 5000;
const AGAIN_MS = 1000;

type Answer = CallResult<"page.signals">;
interface Row {
  readonly tag: number;
  readonly time: number;
  readonly values: ReadonlyMap<string, { readonly value: number; readonly unit: string; readonly status: number }>;
}

/** 0-D values of the last shots of a beamline, read once for all who ask, of all signals that somebody asks for. */
export class LiveSignals {
  readonly #source: PageSource;
  readonly #bl: number;
  readonly #ending = new AbortController();
  /** Signals by when they were asked for last. */
  readonly #asked = new Map<string, number>();
  #rows: Row[] = [];
  /** Number of the first of the rows. */
  #first = 0;
  #hightag = 0;
  #error: string | null = null;
  #loop: Promise<void> | undefined;
  #changed = new AbortController();

  constructor(source: PageSource, bl: number) {
    this.#source = source;
    this.#bl = bl;
  }

  get isWatched(): boolean {
    return this.#wanted().length > 0;
  }

  next({ signals, after, against }: CallParams<"page.signals">): Answer {
    const now = performance.now();
    const isNew = signals.some((id) => !this.#wanted().includes(id));
    for (const id of signals) this.#asked.set(id, now);
    if (isNew) this.#changed.abort();
    this.#loop ??= this.#follow().finally(() => {
      this.#loop = undefined;
    });
    const from = after === null ? 0 : Math.max(0, Math.min(this.#rows.length, after - this.#first));
    // A number from before this server was started says nothing here.
    const rows = this.#rows.slice(after !== null && after > this.#first + this.#rows.length ? 0 : from);
    return {
      seq: this.#first + this.#rows.length,
      hightag: this.#hightag,
      tags: Uint32Array.from(rows, ({ tag }) => tag),
      times: Float64Array.from(rows, ({ time }) => time),
      columns: signals.map((equipId) => ({
        ...columnOf(equipId, rows),
        summary: this.#summary(equipId, against),
      })),
      now: Date.now() / 1000,
      error: this.#error,
    };
  }

  close(): void {
    this.#ending.abort();
    this.#changed.abort();
  }

  /** Of all shots that are kept, from the first on for which the signals were asked for. */
  #summary(equipId: string, against: string | null): Answer["columns"][number]["summary"] {
    const rows = this.#rows.filter(({ values }) => values.has(equipId) && (against === null || values.has(against)));
    const valuesOf = (id: string): Float64Array =>
      Float64Array.from(rows, ({ values }) => values.get(id)?.value ?? NaN);
    return signalSummary(valuesOf(equipId), against === null ? null : valuesOf(against));
  }

  #wanted(): string[] {
    const now = performance.now();
    for (const [id, at] of this.#asked) if (now - at > UNWATCHED_MS) this.#asked.delete(id);
    return [...this.#asked.keys()].sort();
  }

  async #follow(): Promise<void> {
    while (this.isWatched && !this.#ending.signal.aborted) {
      try {
        await this.#read(this.#wanted());
      } catch (error) {
        if (isSaclaError(error, "ABORTED")) continue;
        this.#error = toSaclaError(error).message;
        await sleep(AGAIN_MS, this.#ending.signal).catch(() => {});
      }
    }
  }

  async #read(signals: readonly string[]): Promise<void> {
    this.#changed = new AbortController();
    const signal = AbortSignal.any([this.#changed.signal, this.#ending.signal]);
    const timer = setInterval(() => {
      if (!this.isWatched) this.#changed.abort();
    }, AGAIN_MS);
    try {
      for await (const shot of this.#source.live.shots({ bl: this.#bl, signals, policy: "every", signal }))
        this.#add(shot, signals);
    } finally {
      clearInterval(timer);
    }
  }

  #add(shot: LiveShot, signals: readonly string[]): void {
    this.#error = null;
    this.#hightag = shot.hightag;
    const values = new Map<string, { value: number; unit: string; status: number }>();
    for (const id of signals) {
      const found = shot.value(id);
      const isNumber = "value" in found;
      const status = isNumber ? 0 : found.reason === "late" ? STATUS_LATE : syncStatus.indexOf(found.reason);
      values.set(id, { value: isNumber ? found.value : NaN, unit: isNumber ? found.unit : "", status });
    }
    this.#rows.push({ tag: shot.tag, time: shot.time, values });
    if (this.#rows.length < 2 * KEPT) return;
    this.#first += this.#rows.length - KEPT;
    this.#rows = this.#rows.slice(-KEPT);
  }
}

function columnOf(equipId: string, rows: readonly Row[]): Omit<Answer["columns"][number], "summary"> {
  const cells = rows.map(({ values }) => values.get(equipId));
  return {
    equipId,
    unit: cells.find((cell) => cell !== undefined && cell.unit !== "")?.unit ?? "",
    values: Float64Array.from(cells, (cell) => cell?.value ?? NaN),
    status: Uint8Array.from(cells, (cell) => cell?.status ?? Math.max(0, syncStatus.indexOf("missing"))),
  };
}
