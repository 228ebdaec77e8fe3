import type { CallOptions } from "../core/async.ts";
import { SaclaError, show } from "../core/errors.ts";
import { asText } from "../core/guards.ts";
import { any, optional, resolveOptions } from "../core/options.ts";
import { Db } from "../db/index.ts";
import { H5Browser } from "../hdf5/index.ts";
import { Live } from "../live/index.ts";
import { St } from "../st/index.ts";
import type { Endpoint, StreamOptions } from "../transport/endpoint.ts";
import type {
  CallMethod,
  CallParams,
  CallResult,
  StreamItem,
  StreamMethod,
  StreamParams,
} from "../transport/methods.ts";
import { pageMethods } from "../transport/page-methods.ts";
import { h5Data } from "./h5-data.ts";
import { LivePictures, type LiveSubject, type PageSource } from "./live-pictures.ts";
import { LiveSignals } from "./live-signals.ts";
import { exportPicture } from "./picture-export.ts";
import { type RunColumn, RunSummaries } from "./run-summaries.ts";
import { StoredPictures } from "./stored-pictures.ts";
import type { PageTiming } from "./timing.ts";

/** Different pictures that can be looked at live at a time. */
const MOST_SUBJECTS = 8;

type PictureMethod = keyof typeof pageMethods;
type Handlers = {
  readonly [M in PictureMethod]: (params: CallParams<M>, signal: AbortSignal | undefined) => Promise<CallResult<M>>;
};

/** Makes the report of a run: one HTML file, and the command line that writes the same. */
export type RunReport = (
  of: CallParams<"page.report">,
  signal: AbortSignal | undefined,
) => Promise<CallResult<"page.report">>;
/** What the page shows when its address says nothing else. */
export interface PageDefaults {
  /** @default 3, where the source has it */
  readonly bl?: number | undefined;
  /** @default "viridis" */
  readonly colourMap?: string | undefined;
}

export interface PageOptions {
  /** Further columns of the table of runs, by name. @default none */
  readonly columns?: Readonly<Record<string, RunColumn>> | undefined;
  /** The experiment file as JSON text: its names, units and limits are then those of the page. @default none */
  readonly experiment?: string | undefined;
  /** A file, or a folder of files, whose HDF5 files can be looked into. @default none */
  readonly files?: string | undefined;
  /** Makes the report of a run. @default there are none */
  readonly report?: RunReport | undefined;
  /** The user database of the timing edges, as `sacla tma` writes it. @default none */
  readonly timingDb?: string | undefined;
  /** @default none */
  readonly defaults?: PageDefaults | undefined;
}

/**
 * An Endpoint that also answers what the page asks: `page.*` from the images and signals of `endpoint`, everything else
 * as `endpoint` does. However many look at a picture, it is made once.
 *
 * @example
 * const endpoint = withPage(facility.endpoint);
 * const { frame } = await endpoint.call("page.live", { bl: 3, detId, dark: null, mean: 1, what: "all",
 *   hits: null, region: null, side: 600,
 *   rois: [], profile: null, after: null, waitMs: 1000 });
 */
export function withPage(endpoint: Endpoint, options: PageOptions = {}): Endpoint {
  const checks = {
    columns: any,
    experiment: optional(asText),
    files: optional(asText),
    report: any,
    timingDb: optional(asText),
    defaults: any,
  };
  resolveOptions("withPage", options, checks);
  return new PageEndpoint(endpoint, options);
}

function noLivePicture(detId: string): SaclaError {
  return new SaclaError("NO_SHOTS", `There is no live picture of ${detId} yet.`);
}

class PageEndpoint implements Endpoint {
  readonly #inner: Endpoint;
  readonly #source: PageSource;
  readonly #stored: StoredPictures;
  readonly #summaries: RunSummaries;
  readonly #timingDb: string | undefined;
  #timingMade: Promise<PageTiming> | undefined;
  readonly #filesPath: string | undefined;
  readonly #report: RunReport | undefined;
  readonly #about: CallResult<"page.experiment">;
  readonly #pictures = new Map<string, LivePictures>();
  readonly #signals = new Map<number, LiveSignals>();
  readonly #equipment = new Set<string>();
  readonly #handlers: Handlers = {
    "page.live": async (params, signal) => await this.#live(params).next(params, signal),
    "page.signals": async (params) => {
      await this.#checkSignals(params.signals);
      const signals = this.#signals.get(params.bl) ?? new LiveSignals(this.#source, params.bl);
      this.#signals.set(params.bl, signals);
      return signals.next(params);
    },
    "page.picture": async (params, signal) => await this.#stored.frame(params, signal),
    "page.experiment": async () => this.#about,
    "page.summary": async ({ bl, run }) => await this.#summaries.of(bl, run),
    "page.imageSummary": async ({ bl, run }) => await this.#summaries.ofImages(bl, run),
    "page.export": async (params, signal) => {
      const { shot, region } = params;
      const cut =
        shot === null ? this.#live(params).cut(region) : await this.#stored.cut({ ...params, ...shot }, signal);
      if (cut === undefined) throw noLivePicture(params.detId);
      return await exportPicture(cut, params);
    },
    "page.report": async (params, signal) => {
      if (this.#report === undefined) throw new SaclaError("UNSUPPORTED", "This server makes no reports.");
      return await this.#report(params, signal);
    },
    "page.timingChoices": async (params) => await (await this.#timing()).choices(params),
    "page.timing": async (params) => await (await this.#timing()).edges(params),
    "page.files": async () => ({ files: [...(await this.#files().then((browser) => browser.files()))] }),
    "page.h5": async ({ file, path }) => {
      const { attributes, members, shape, ...rest } = await (await this.#files()).look(file, path);
      return { ...rest, attributes: [...attributes], members: [...members], shape: shape === null ? null : [...shape] };
    },
    "page.h5Data": async (params) => await h5Data(await this.#files(), params),
    "page.pixel": async (params, signal) => {
      if (params.shot !== null) return await this.#stored.pixel({ ...params, ...params.shot }, signal);
      const found = this.#live(params).pixel(params.row, params.column);
      if (found !== undefined) return found;
      throw noLivePicture(params.detId);
    },
  };

  constructor(inner: Endpoint, { columns = {}, experiment, files, report, timingDb, defaults = {} }: PageOptions) {
    this.#inner = inner;
    this.#filesPath = files;
    this.#report = report;
    const { bl = null, colourMap = null } = defaults;
    this.#about = { definition: experiment ?? null, defaults: { bl, colourMap } };
    const canStartRuns = async (): Promise<boolean> =>
      (await inner.call("facility.describe", {})).methods.includes("ec.startRun");
    this.#source = { db: new Db(inner), st: new St(inner), live: new Live(inner), canStartRuns };
    this.#stored = new StoredPictures(this.#source);
    this.#summaries = new RunSummaries(this.#source, columns);
    this.#timingDb = timingDb;
  }

  async call<M extends CallMethod>(method: M, params: CallParams<M>, options?: CallOptions): Promise<CallResult<M>> {
    if (Object.hasOwn(pageMethods, method)) {
      const handle = this.#handlers[method as PictureMethod] as unknown as (
        params: CallParams<M>,
        signal?: AbortSignal,
      ) => Promise<CallResult<M>>;
      return await handle(params, options?.signal);
    }
    const answer = await this.#inner.call(method, params, options);
    if (method !== "facility.describe") return answer;
    const described = answer as CallResult<"facility.describe">;
    const own = Object.keys(pageMethods).filter((row) => this.#answers(row));
    return { ...described, methods: [...new Set([...described.methods, ...own])] } as CallResult<M>;
  }

  stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options?: StreamOptions,
  ): AsyncIterable<StreamItem<M>> {
    return this.#inner.stream(method, params, options);
  }

  async close(): Promise<void> {
    for (const pictures of this.#pictures.values()) pictures.close();
    for (const signals of this.#signals.values()) signals.close();
    (await this.#timingMade)?.close();
    await this.#inner.close();
  }

  #answers(method: string): boolean {
    if (method === "page.report") return this.#report !== undefined;
    return this.#filesPath !== undefined || !/^page\.(files|h5|h5Data)$/.test(method);
  }

  /** Loaded when it is asked for first: the first picture does not wait for it. */
  #timing(): Promise<PageTiming> {
    this.#timingMade ??= import("./timing.ts").then((module) => new module.PageTiming(this.#source, this.#timingDb));
    return this.#timingMade;
  }

  async #files(): Promise<H5Browser> {
    if (this.#filesPath === undefined) throw new SaclaError("UNSUPPORTED", "This source is no file and no folder.");
    return await H5Browser.open(this.#filesPath);
  }

  /** @throws TOO_MANY_REQUESTS when too many different pictures are looked at */
  #live({ bl, detId, dark, mean, what, hits }: LiveSubject): LivePictures {
    const key = JSON.stringify([bl, detId, dark, mean, what, hits]);
    const known = this.#pictures.get(key);
    if (known !== undefined) return known;
    for (const [other, pictures] of this.#pictures) {
      if (pictures.isWatched) continue;
      pictures.close();
      this.#pictures.delete(other);
    }
    if (this.#pictures.size >= MOST_SUBJECTS)
      throw new SaclaError(
        "TOO_MANY_REQUESTS",
        `${MOST_SUBJECTS} different live pictures are looked at already; look at one of those, or wait.`,
        { details: { retryAfterMs: 5000 } },
      );
    const made = new LivePictures(this.#source, { bl, detId, dark, mean, what, hits });
    this.#pictures.set(key, made);
    return made;
  }

  /** One that is not there would end the reading for all who look. @throws UNKNOWN_SIGNAL */
  async #checkSignals(signals: readonly string[]): Promise<void> {
    if (signals.every((id) => this.#equipment.has(id))) return;
    for (const id of await this.#source.db.readEquiplist()) this.#equipment.add(id);
    const unknown = signals.find((id) => !this.#equipment.has(id));
    if (unknown !== undefined) throw new SaclaError("UNKNOWN_SIGNAL", `There is no signal ${show(unknown)}.`);
  }
}
