import { setImmediate as nextTurn } from "node:timers/promises";
import { type CallOptions, type MaybePromise, throwIfAborted } from "../core/async.ts";
import { SaclaError } from "../core/errors.ts";
import { japanTime } from "../core/japan.ts";
import { type Column, formatSyncValue } from "../core/syncdb.ts";
import { checkCallMethod, checkStreamMethod } from "../transport/check.ts";
import { type ControlMethod, isControlMethod } from "../transport/control-methods.ts";
import type { Endpoint, StreamOptions } from "../transport/endpoint.ts";
import {
  type CallMethod,
  type CallParams,
  type CallResult,
  callMethods,
  type RunInfo,
  type StreamItem,
  type StreamMethod,
  type StreamParams,
  streamMethods,
} from "../transport/methods.ts";
import { isPageMethod, type PageMethod } from "../transport/page-methods.ts";
import { joinColumn } from "../transport/parts.ts";
import { citiusHandlers } from "./citius-source.ts";
import type { DataSource } from "./data-source.ts";
import { type LiveShotsParts, liveShots } from "./live-shots.ts";
import { LiveWaits, liveCollect, liveDetectors } from "./live-source.ts";
import { checkTag, SourceChecks } from "./source-checks.ts";
import { StoredImages } from "./stored-images.ts";
import { Turns } from "./turns.ts";

/** Tags whose values are asked of a source in one turn of the loop: the simulated facility takes some milliseconds. */
const TAGS_AT_ONCE = 8192;

/** Serves a {@link DataSource} as an Endpoint. */
export function endpointOf(source: DataSource): Endpoint {
  return new SourceEndpoint(source);
}

type Handler<M extends CallMethod> = (params: CallParams<M>, options: CallOptions) => MaybePromise<CallResult<M>>;
/** A source only answers; what controls is `withControl`'s, and what the page shows `withPage`'s. */
type Handlers = { [M in Exclude<CallMethod, ControlMethod | PageMethod>]: Handler<M> };
type Streams = {
  [M in StreamMethod]: (params: StreamParams<M>, options: StreamOptions) => AsyncIterable<StreamItem<M>>;
};

class SourceEndpoint implements Endpoint {
  readonly #source: DataSource;
  readonly #checks: SourceChecks;
  readonly #images: StoredImages;
  readonly #handlers: { readonly [M in CallMethod]?: Handler<M> };
  readonly #streams: Streams = {
    "st.frames": (params, options) => this.#images.frames(params, options),
    "live.shots": (params, options) => liveShots(this.#live(params.bl), params, options),
  };
  /** What waits for live shots; ended by close. */
  readonly #waits = new LiveWaits();

  constructor(source: DataSource) {
    this.#source = source;
    this.#checks = new SourceChecks(source);
    this.#images = new StoredImages(source, this.#checks);
    this.#handlers = this.#makeHandlers();
  }

  async call<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options: CallOptions = {},
  ): Promise<CallResult<M>> {
    throwIfAborted(options.signal);
    const handle = this.#handlers[checkCallMethod(method) as M];
    if (handle === undefined) throw this.#notAnswered(method);
    return await handle(params, options);
  }

  stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options: StreamOptions = {},
  ): AsyncIterable<StreamItem<M>> {
    return this.#streams[checkStreamMethod(method) as M](params, options);
  }

  async close(): Promise<void> {
    this.#waits.close();
    await this.#source.close();
  }

  #notAnswered(method: string): SaclaError {
    const why = isPageMethod(method) ? "makes no pictures for the page: sacla serve does" : "controls nothing";
    return new SaclaError("UNSUPPORTED", `${this.#source.name} ${why}, so it cannot answer ${method}.`);
  }

  #makeHandlers(): Handlers {
    const source = this.#source;
    const info = async (p: { bl: number; run: number }): Promise<RunInfo> => {
      await this.#checks.checkRun(p.bl, p.run);
      return await source.runInfo(p.bl, p.run);
    };
    const energy = async (p: { bl: number; run: number }): Promise<number> => {
      await this.#checks.checkRun(p.bl, p.run);
      return await source.photonEnergyKev(p.bl, p.run);
    };
    return {
      "facility.describe": () => ({
        name: source.name,
        methods: [...Object.keys(callMethods), ...Object.keys(streamMethods)].filter(
          (method) =>
            !isControlMethod(method) &&
            !isPageMethod(method) &&
            (source.live !== undefined || !method.startsWith("live.")) &&
            (source.runTimingEdges !== undefined || method !== "db.readTimingEdges") &&
            (source.imageOffsets !== undefined || method !== "st.readImageOffsets") &&
            (source.imageStates !== undefined || method !== "st.readImageStates") &&
            (source.badPixels !== undefined || method !== "st.readBadPixels") &&
            (source.citius !== undefined || !method.startsWith("citius.")),
        ),
      }),
      "db.getApiVersion": () => source.apiVersion(),
      "db.listBeamlines": () => [...source.beamlines()],
      "db.listRuns": async ({ bl, last }) => [...(await source.runs(this.#checks.checkBeamline(bl), last))],
      "db.readRunnumberNewest": async ({ bl }) => {
        const newest = (await source.runs(this.#checks.checkBeamline(bl), 1)).at(-1);
        if (newest === undefined)
          throw new SaclaError("UNKNOWN_RUN", `Beamline ${bl} of ${source.name} has no run yet.`);
        return newest;
      },
      "db.readRunstatus": async ({ bl, run }) => await source.runStatus(this.#checks.checkBeamline(bl), run),
      "db.readRuninfo": info,
      "db.readComment": async (p) => (await info(p)).comment,
      "db.readStarttime": async (p) => (await info(p)).starttime,
      "db.readStoptime": async (p) => (await info(p)).stoptime,
      "db.readStartTagnumber": async (p) => {
        const { hightagnumber, start_tagnumber } = await info(p);
        return [hightagnumber, start_tagnumber];
      },
      "db.readEndTagnumber": async (p) => {
        const { hightagnumber, end_tagnumber } = await info(p);
        return [hightagnumber, end_tagnumber];
      },
      "db.readHightagnumber": async (p) => (await info(p)).hightagnumber,
      "db.readHightagnumberFromtime": async ({ time, day, month, year }) =>
        await source.hightagAt(japanTime(time, day, month, year)),
      "db.readTaglistByrun": async ({ bl, run }) => {
        await this.#checks.checkRun(bl, run);
        return await source.tags(bl, run);
      },
      "db.readTaglistBydetid": async ({ bl, run, detId }) => {
        (await this.#checks.detectors(bl, run)).checkListed(detId);
        return await source.tags(bl, run, detId);
      },
      "db.readTaglist": async ({ bl, hightag, starttag, endtag }) => {
        if (starttag > endtag) throw new SaclaError("BAD_ARGUMENT", `starttag ${starttag} is after endtag ${endtag}.`);
        return await source.tagsBetween(this.#checks.checkBeamline(bl), hightag, starttag, endtag);
      },
      "db.readTagnumberNewest": async ({ equipId }) => await source.newestTag(equipId),
      "db.readSyncdatalist": async ({ equipId, hightag, tags }, { signal }) => {
        const column = await this.#column(equipId, hightag, tags, signal);
        return Array.from(tags, (_, i) => formatSyncValue(column, i));
      },
      "db.readSyncdatalistFloat": async ({ equipId, hightag, tags }, { signal }) =>
        (await this.#column(equipId, hightag, tags, signal)).values,
      "db.readColumns": async ({ equipIds, hightag, tags }, { signal }) => {
        const columns: Column[] = [];
        const turns = new Turns();
        for (const equipId of equipIds) {
          if (turns.isOver) await turns.next(signal);
          columns.push(await this.#column(equipId, hightag, tags, signal));
        }
        return columns;
      },
      "db.readDetidlist": async ({ bl, run }) => {
        await this.#checks.checkRun(bl, run);
        return [...(await source.detectors(bl, run))];
      },
      "db.readEquiplist": async () => [...(await source.equipment())],
      "db.readConfigPhotonenergy": energy,
      "db.readConfigPhotonenergyInKeV": energy,
      "db.readTimestampFromtag": async ({ hightag, tag, equipId }) => await source.timestamp(hightag, tag, equipId),
      "db.readTimestamps": async ({ hightag, tags, equipId }, { signal }) => {
        const times = new Float64Array(tags.length);
        const turns = new Turns();
        for (const [i, tag] of tags.entries()) {
          if (turns.isOver) await turns.next(signal);
          const time = source.timestamp(hightag, tag, equipId);
          times[i] = typeof time === "number" ? time : await time;
        }
        return times;
      },
      "db.readTimingEdges": async ({ bl, run }) => {
        await this.#checks.checkRun(bl, run);
        if (source.runTimingEdges !== undefined) return await source.runTimingEdges(bl, run);
        throw new SaclaError(
          "UNSUPPORTED",
          `${source.name} has no timing-monitor edges. Read those of the facility from their CSV: timingEdges(text).`,
        );
      },
      "st.readDetectorInfo": async ({ bl, run, detId }) => await this.#checks.detectorInfo(bl, run, detId),
      "st.readImageOffsets": async ({ bl, run, detId, tags }) => {
        const sensor = (await this.#checks.detectors(bl, run)).sensor(detId);
        if (source.imageOffsets !== undefined) return await source.imageOffsets(bl, run, sensor, tags);
        throw new SaclaError("UNSUPPORTED", `${source.name} has no file with images; ask st.frames.`);
      },
      "st.readImageStates": async ({ bl, run, detId, tags }, { signal }) => {
        const sensor = (await this.#checks.detectors(bl, run)).sensor(detId);
        const states = new Uint8Array(tags.length);
        for (let from = 0; from < tags.length; from += TAGS_AT_ONCE) {
          if (source.imageStates === undefined) break;
          states.set(await source.imageStates(bl, run, sensor, tags.subarray(from, from + TAGS_AT_ONCE)), from);
          await nextTurn();
          throwIfAborted(signal);
        }
        if (source.imageStates !== undefined) return states;
        throw new SaclaError("UNSUPPORTED", `${source.name} does not know which images it has before it reads them.`);
      },
      "st.readBadPixels": async ({ bl, run, detId }) => {
        const sensor = (await this.#checks.detectors(bl, run)).sensor(detId);
        if (source.badPixels !== undefined) return await source.badPixels(bl, run, sensor);
        throw new SaclaError("UNSUPPORTED", `${source.name} names no bad pixels beside its images.`);
      },
      "st.collect": async ({ detId, bl, runs, tag }) => await this.#images.collect(detId, bl, runs, tag),
      "live.readDetidlist": async ({ bl }) => await liveDetectors(this.#live(bl), bl),
      "live.collect": async (params, options) => await liveCollect(this.#live(params.bl), params, options),
      ...citiusHandlers({
        name: source.name,
        citius: source.citius,
        checkRun: (bl, run) => this.#checks.checkRun(bl, run),
        checkTag: async (bl, run, tag) => checkTag(bl, run, tag, await source.runInfo(bl, run)),
      }),
    };
  }

  /** One signal; of many tags it is read in stretches, with time for others in between. */
  async #column(equipId: string, hightag: number, tags: Uint32Array, signal?: AbortSignal): Promise<Column> {
    const most = this.#source.tagsAtOnce ?? TAGS_AT_ONCE;
    const parts: Column[] = [await this.#source.column(equipId, hightag, tags.subarray(0, most))];
    for (let from = most; from < tags.length; from += most) {
      await nextTurn();
      // Whoever asked may have gone.
      throwIfAborted(signal);
      parts.push(await this.#source.column(equipId, hightag, tags.subarray(from, from + most)));
    }
    return joinColumn(parts);
  }

  /** @throws UNSUPPORTED when the source gives no live shots @throws UNKNOWN_BEAMLINE */
  #live(bl: number | undefined): LiveShotsParts {
    const source = this.#source;
    const { name, live } = source;
    if (live === undefined) {
      throw new SaclaError(
        "UNSUPPORTED",
        `${name} has no live shots. Play a run of it as if live with: sacla replay-live RUN --source ADDRESS`,
      );
    }
    if (bl !== undefined) this.#checks.checkBeamline(bl);
    return {
      name,
      live,
      waits: this.#waits,
      beamlines: () => source.beamlines(),
      runStatus: (of, run) => source.runStatus(of, run),
      newestTag: (equipId) => source.newestTag(equipId),
      column: (equipId, hightag, tags) => source.column(equipId, hightag, tags),
    };
  }
}
