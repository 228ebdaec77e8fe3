import { sleep } from "../../core/async.ts";
import { SaclaError } from "../../core/errors.ts";
import { type Column, entryOf } from "../../core/syncdb.ts";
import type { Db } from "../../db/index.ts";
import { signalId } from "../../ec/experiment.ts";
import type { ControlView, Experiment } from "../../ec/index.ts";
import type { Endpoint } from "../../transport/index.ts";
import type { Missing } from "./beam-wait.ts";
import type { ShotReading } from "./shot-collector.ts";

/** What gives the beamline and its database. A `Facility` is one. */
export interface ControlledFacility {
  readonly db: Db;
  readonly endpoint: Endpoint;
}

/** How shots are found. */
export interface FeedOptions {
  readonly experiment?: Experiment | undefined;
  readonly monitor: string;
  readonly pollMs?: number | undefined;
  readonly latencyMs?: number | undefined;
  readonly silentMs?: number | undefined;
}

/** Between two looks, where nothing is said. */
export const POLL_MS = 100;
const TAGS_PER_MS = 0.06;
/** Shots asked for at a time. */
const MOST_TAGS = 10_000;
/** Ten seconds. */
const RECENT_TAGS = 600;

/** Values of some signals at one shot. */
type ReadShot = (signal: string) => ShotReading;

/** New shots of a beamline, as they come to the database. */
export class ShotFeed {
  readonly #facility: ControlledFacility;
  readonly #control: ControlView;
  readonly #options: FeedOptions;
  #signals: readonly string[] = [];
  #hightag = 0;
  #tag = 0;
  #newsAt = 0;
  #now = -Infinity;
  readonly #created = performance.now();
  /** Tags that have passed, as milliseconds. */
  #passedMs = 0;
  #newestSeen: readonly [hightag: number, tag: number] | undefined;
  /** How far the tags were ahead of the clock of this computer at most: on a virtual clock they are. */
  #leadMs = 0;
  /** Set while no shots come because there is no beam. */
  beamOff: Missing | null = null;

  constructor(facility: ControlledFacility, control: ControlView, options: FeedOptions) {
    this.#facility = facility;
    this.#control = control;
    this.#options = options;
  }

  /** Milliseconds since it was made, on the clock of the tags: in a rehearsal its time passes faster than ours. */
  get nowMs(): number {
    return performance.now() - this.#created + this.#leadMs;
  }

  /** The last values of a signal, at most `most` of the last ten seconds, oldest first, with its unit. */
  async recent(
    name: string,
    most: number,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly values: readonly ShotReading[]; readonly unit: string }> {
    const id = signalId(this.#options.experiment, name);
    const [hightag, newest] = await this.#newestOf([name], signal);
    const first = Math.max(1, newest - RECENT_TAGS);
    const { db, endpoint } = this.#facility;
    const tags = (await db.readTaglist(this.#control.bl, hightag, first, newest, { signal })).slice(-most);
    if (tags.length === 0) return { values: [], unit: "" };
    const [column] = await endpoint.call("db.readColumns", { equipIds: [id], hightag, tags }, { signal });
    if (column === undefined) throw missing(name);
    const values = Array.from(tags, (_, i) => {
      const entry = entryOf(column, i);
      return "reason" in entry ? entry.reason : entry.value;
    });
    return { values, unit: column.unit };
  }

  /** From now on, with these signals. */
  async begin(signals: readonly string[], signal: AbortSignal | undefined, latencyMs = this.#latencyMs): Promise<void> {
    this.#signals = signals.length === 0 ? [this.#options.monitor] : signals;
    const [hightag, tag] = await this.#newest(signal);
    this.#hightag = hightag;
    this.#tag = tag + Math.ceil(latencyMs * TAGS_PER_MS);
    this.#newsAt = this.nowMs;
  }

  /** Shots of before this moment are early, and those that may be. */
  async markNow(signal: AbortSignal | undefined): Promise<void> {
    const [hightag, tag] = await this.#newest(signal);
    if (hightag === this.#hightag) this.#now = tag + Math.ceil(this.#latencyMs * TAGS_PER_MS);
  }

  isEarly(tag: number): boolean {
    return tag <= this.#now;
  }

  /** Waits a little, then gives what has come since. @throws TIMEOUT when nothing comes though there is beam */
  async next(take: (tag: number, read: ReadShot) => void, signal: AbortSignal | undefined): Promise<void> {
    await sleep(this.#options.pollMs ?? POLL_MS, signal);
    const [hightag, newest] = await this.#newest(signal);
    if (hightag !== this.#hightag) {
      // Tags begin anew: what lies between is of the old HighTag and cannot be ordered with these.
      this.#hightag = hightag;
      this.#tag = newest;
      this.#now = -Infinity;
    }
    if (newest <= this.#tag) {
      await this.#nothingNew();
      return;
    }
    const { db, endpoint } = this.#facility;
    const tags = await db.readTaglist(
      this.#control.bl,
      hightag,
      this.#tag + 1,
      Math.min(newest, this.#tag + MOST_TAGS),
      { signal },
    );
    this.#tag = Math.min(newest, this.#tag + MOST_TAGS);
    this.#newsAt = this.nowMs;
    this.beamOff = null;
    if (tags.length === 0) return;
    const columns = await endpoint.call(
      "db.readColumns",
      { equipIds: this.#signals.map((name) => signalId(this.#options.experiment, name)), hightag, tags },
      { signal },
    );
    const byName = new Map<string, Column>();
    for (const [i, name] of this.#signals.entries()) {
      const column = columns[i];
      if (column === undefined) throw missing(name);
      byName.set(name, column);
    }
    let at = 0;
    const read: ReadShot = (name) => {
      const column = byName.get(name);
      if (column === undefined) return "missing";
      const entry = entryOf(column, at);
      return "reason" in entry ? entry.reason : entry.value;
    };
    for (const tag of tags) {
      take(tag, read);
      at++;
    }
  }

  async #nothingNew(): Promise<void> {
    const silentMs = this.nowMs - this.#newsAt;
    const limit = this.#options.silentMs ?? 30_000;
    if (silentMs < limit / 10) return;
    const { on, why } = await this.#control.beam();
    this.beamOff = on ? null : (this.beamOff ?? { why: `no shots come, ${why}`, sinceMs: this.#newsAt });
    if (!on) this.#newsAt = this.nowMs;
    else if (silentMs > limit)
      throw new SaclaError(
        "TIMEOUT",
        `No shot has come to the database for ${(silentMs / 1000).toFixed(0)} s, though the beam is on.`,
      );
  }

  get #latencyMs(): number {
    return this.#options.latencyMs ?? 200;
  }

  /** The newest shot that has all signals. */
  async #newest(signal: AbortSignal | undefined): Promise<readonly [hightag: number, tag: number]> {
    return await this.#newestOf(this.#signals, signal);
  }

  async #newestOf(
    names: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<readonly [hightag: number, tag: number]> {
    // Two names may be one signal.
    const ids = new Set(names.map((name) => signalId(this.#options.experiment, name)));
    const all = await Promise.all(
      [...ids].map(async (id) => await this.#facility.db.readTagnumberNewest(id, { signal })),
    );
    const hightag = all.reduce((least, [each]) => Math.min(least, each), Infinity);
    const tag = all.reduce((least, [each, newest]) => (each === hightag ? Math.min(least, newest) : least), Infinity);
    const seen = this.#newestSeen;
    if (seen !== undefined && seen[0] === hightag && tag > seen[1]) {
      this.#passedMs += (tag - seen[1]) / TAGS_PER_MS;
      this.#leadMs = Math.max(this.#leadMs, this.#passedMs - (performance.now() - this.#created));
    }
    if (seen === undefined || seen[0] !== hightag || tag > seen[1]) this.#newestSeen = [hightag, tag];
    return [hightag, tag];
  }
}

function missing(name: string): SaclaError {
  return new SaclaError("BAD_MESSAGE", `The source gave no column for ${name}.`);
}
