import type { CallOptions } from "../../core/async.ts";
import { asFinite, asText } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import { checkAgainst, checkCall } from "../check.ts";
import type { Endpoint, StreamOptions } from "../endpoint.ts";
import {
  type CallMethod,
  type CallParams,
  type CallResult,
  callMethods,
  type RunInfo,
  type StreamItem,
  type StreamMethod,
  type StreamParams,
} from "../methods.ts";
import { CacheFolder } from "./cache-folder.ts";
import { questionKey } from "./question.ts";

export interface CacheOptions {
  /** The folder for the answers; it is created when it does not exist. It must contain nothing else. */
  readonly folder: string;
  /**
   * Most bytes on disk; each further process that writes at the same time may add a sixteenth. An answer larger than a
   * sixteenth is not kept.
   */
  readonly maxBytes: number;
  /** The address of the source. Together with the name of the source it identifies the stored answers. */
  readonly url: string;
}

/** Answers that do not change when the run they are about has ended. */
const ofRun: ReadonlySet<string> = new Set<CallMethod>([
  "db.readRuninfo",
  "db.readComment",
  "db.readStarttime",
  "db.readStoptime",
  "db.readStartTagnumber",
  "db.readEndTagnumber",
  "db.readHightagnumber",
  "db.readTaglistByrun",
  "db.readTaglistBydetid",
  "db.readDetidlist",
  "db.readConfigPhotonenergy",
  "db.readConfigPhotonenergyInKeV",
  "st.readDetectorInfo",
]);
/** Answers that do not change when all their tags belong to a run that has ended. */
const ofTags: ReadonlySet<string> = new Set<CallMethod>([
  "db.readSyncdatalist",
  "db.readSyncdatalistFloat",
  "db.readColumns",
  "db.readTimestamps",
]);

/** A run that stopped less than this ago may still get late values. */
const SETTLED_SECONDS = 600;
/** For this long a run that had not ended is not asked about again. */
const ASK_AGAIN_MS = 30_000;
/** Runs remembered at a time. */
const MAX_RUNS = 1000;

/**
 * An Endpoint that stores on disk what cannot change any more: 0-D values, run information, tag lists and detector
 * information of runs that stopped more than ten minutes ago. Images, and data of a run that is running or paused, are
 * not stored.
 *
 * To know that a run has ended it asks `db.readRuninfo` once. 0-D values name tags and no run: they are kept when all
 * their tags are of one run that was asked about in the same session (as `db.readTaglistByrun` does).
 *
 * @throws WRITE_FAILED when the folder cannot be made; later failures to write or read only make it slower
 * @throws BAD_ARGUMENT when an option is not there or has a wrong value
 *
 * @example
 * const url = "tcp://127.0.0.1:5555";
 * const endpoint = await withCache(await openEndpoint(url, schemes), { folder: ".sacla-cache", maxBytes: 1e9, url });
 */
export async function withCache(inner: Endpoint, options: CacheOptions): Promise<Endpoint> {
  resolveOptions("withCache", options, { folder: any, maxBytes: any, url: any });
  asText("folder", options.folder);
  asFinite("maxBytes", options.maxBytes, 0);
  asText("url", options.url);
  return new Caching(inner, await CacheFolder.open(options.folder, options.maxBytes), options.url);
}

/** A run of which something was asked: what is known of it, and how long that holds. */
interface SeenRun {
  readonly bl: number;
  readonly run: number;
  ended: RunInfo | null;
  askAgainAt: number;
}

class Caching implements Endpoint {
  readonly #inner: Endpoint;
  readonly #kept: CacheFolder;
  readonly #url: string;
  readonly #runs = new Map<string, SeenRun>();
  #source: string | undefined;
  #isClosed = false;

  constructor(inner: Endpoint, kept: CacheFolder, url: string) {
    this.#inner = inner;
    this.#kept = kept;
    this.#url = url;
  }

  async call<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options: CallOptions = {},
  ): Promise<CallResult<M>> {
    const keeps = ofRun.has(method) || ofTags.has(method);
    if (!keeps || this.#isClosed || options.signal?.aborted === true)
      return await this.#inner.call(method, params, options);
    const value = checkCall(method, params);
    const key = await this.#key(method, value, options);
    const kept = await this.#read(method, key);
    if (ofRun.has(method)) this.#see(value);
    if (kept !== undefined) return kept;
    const result = await this.#inner.call(method, value, options);
    if (await this.#cannotChange(method, value, result, options)) await this.#kept.write(key, result);
    return result;
  }

  stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options?: StreamOptions,
  ): AsyncIterable<StreamItem<M>> {
    return this.#inner.stream(method, params, options);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#inner.close();
  }

  async #key(method: string, params: unknown, options: CallOptions): Promise<string> {
    this.#source ??= (await this.#inner.call("facility.describe", {}, options)).name;
    return questionKey(this.#url, this.#source, method, params);
  }

  async #read<M extends CallMethod>(method: M, key: string): Promise<CallResult<M> | undefined> {
    const found = await this.#kept.read(key);
    if (found === undefined) return undefined;
    try {
      return checkAgainst(callMethods[method].result, found, "BAD_MESSAGE", method) as CallResult<M>;
    } catch {
      return undefined;
    }
  }

  #see(of: unknown): SeenRun {
    const { bl, run } = of as { bl: number; run: number };
    const name = `${bl}/${run}`;
    const seen = this.#runs.get(name) ?? { bl, run, ended: null, askAgainAt: 0 };
    // To the end of the map, whose beginning is forgotten first.
    this.#runs.delete(name);
    this.#runs.set(name, seen);
    const [oldest] = this.#runs.keys();
    if (this.#runs.size > MAX_RUNS && oldest !== undefined) this.#runs.delete(oldest);
    return seen;
  }

  async #cannotChange(method: string, params: unknown, result: unknown, options: CallOptions): Promise<boolean> {
    try {
      if (method === "db.readRuninfo")
        return (await this.#ended(this.#see(params), options, result as RunInfo)) !== null;
      if (ofRun.has(method)) return (await this.#ended(this.#see(params), options)) !== null;
      const { hightag, tags } = params as { hightag: number; tags: Uint32Array };
      return await this.#isOfEndedRun(hightag, tags, options);
    } catch {
      // The answer is there; that it could not be found out whether it may be kept is no reason to withhold it.
      return false;
    }
  }

  async #isOfEndedRun(hightag: number, tags: Uint32Array, options: CallOptions): Promise<boolean> {
    if (tags.length === 0) return false;
    const first = tags.reduce((a, b) => Math.min(a, b));
    const last = tags.reduce((a, b) => Math.max(a, b));
    for (const seen of [...this.#runs.values()].reverse()) {
      const info = await this.#ended(seen, options);
      if (info !== null && info.hightagnumber === hightag && first >= info.start_tagnumber && last < info.end_tagnumber)
        return true;
    }
    return false;
  }

  /** The information of a run that has ended and settled; null of any other. */
  async #ended(seen: SeenRun, options: CallOptions, known?: RunInfo): Promise<RunInfo | null> {
    if (seen.ended !== null) return seen.ended;
    if (known === undefined && performance.now() < seen.askAgainAt) return null;
    const { bl, run } = seen;
    seen.askAgainAt = performance.now() + ASK_AGAIN_MS;
    const key = await this.#key("db.readRuninfo", { bl, run }, options);
    const kept = known === undefined ? await this.#read("db.readRuninfo", key) : undefined;
    const info = kept ?? known ?? (await this.#inner.call("db.readRuninfo", { bl, run }, options));
    if (info.runstatus === 0 && info.stoptime < Date.now() / 1000 - SETTLED_SECONDS) {
      seen.ended = info;
      if (kept === undefined) await this.#kept.write(key, info);
    }
    return seen.ended;
  }
}
