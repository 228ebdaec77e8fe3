import { setImmediate as nextTurn } from "node:timers/promises";
import { type CallOptions, type MaybePromise, throwIfAborted } from "../core/async.ts";
import { checkGeometry, type DetectorInfo } from "../core/detector.ts";
import { Detectors } from "../core/detectors.ts";
import { SaclaError, showList } from "../core/errors.ts";
import { whyNoImage } from "../core/image-states.ts";
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
  type Frame,
  type RunInfo,
  type ShotFrames,
  type StreamItem,
  type StreamMethod,
  type StreamParams,
  streamMethods,
} from "../transport/methods.ts";
import { isPageMethod, type PageMethod } from "../transport/page-methods.ts";
import { joinColumn } from "../transport/parts.ts";
import { checkCalibrated, citiusHandlers } from "./citius-source.ts";
import { CompositeImages } from "./composite-image.ts";
import type { DataSource } from "./data-source.ts";
import { FrameReader } from "./frame-reader.ts";
import { type LiveShotsParts, liveShots } from "./live-shots.ts";
import { LiveWaits, liveCollect, liveDetectors } from "./live-source.ts";

/** Tags whose values are asked of a source in one turn of the loop: the simulated facility takes some milliseconds. */
const TAGS_AT_ONCE = 8192;

/** How long the shots of a stream may be read in one turn of the loop. */
const LONGEST_TURN_MS = 10;

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
  readonly #handlers: { readonly [M in CallMethod]?: Handler<M> };
  readonly #streams: Streams = {
    "st.frames": (params, options) => this.#frames(params, options),
    "live.shots": (params, options) => liveShots(this.#live(params.bl), params, options),
  };
  readonly #composites = new CompositeImages();
  /** What waits for live shots; ended by close. */
  readonly #waits = new LiveWaits();

  constructor(source: DataSource) {
    this.#source = source;
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
      await this.#checkRun(p.bl, p.run);
      return await source.runInfo(p.bl, p.run);
    };
    const energy = async (p: { bl: number; run: number }): Promise<number> => {
      await this.#checkRun(p.bl, p.run);
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
      "db.listRuns": async ({ bl, last }) => [...(await source.runs(this.#checkBeamline(bl), last))],
      "db.readRunnumberNewest": async ({ bl }) => {
        const newest = (await source.runs(this.#checkBeamline(bl), 1)).at(-1);
        if (newest === undefined)
          throw new SaclaError("UNKNOWN_RUN", `Beamline ${bl} of ${source.name} has no run yet.`);
        return newest;
      },
      "db.readRunstatus": async ({ bl, run }) => await source.runStatus(this.#checkBeamline(bl), run),
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
        await this.#checkRun(bl, run);
        return await source.tags(bl, run);
      },
      "db.readTaglistBydetid": async ({ bl, run, detId }) => {
        (await this.#detectors(bl, run)).checkListed(detId);
        return await source.tags(bl, run, detId);
      },
      "db.readTaglist": async ({ bl, hightag, starttag, endtag }) => {
        if (starttag > endtag) throw new SaclaError("BAD_ARGUMENT", `starttag ${starttag} is after endtag ${endtag}.`);
        return await source.tagsBetween(this.#checkBeamline(bl), hightag, starttag, endtag);
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
        let turnBegan = performance.now();
        for (const equipId of equipIds) {
          if (performance.now() - turnBegan > LONGEST_TURN_MS) {
            await nextTurn();
            throwIfAborted(signal);
            turnBegan = performance.now();
          }
          columns.push(await this.#column(equipId, hightag, tags, signal));
        }
        return columns;
      },
      "db.readDetidlist": async ({ bl, run }) => {
        await this.#checkRun(bl, run);
        return [...(await source.detectors(bl, run))];
      },
      "db.readEquiplist": async () => [...(await source.equipment())],
      "db.readConfigPhotonenergy": energy,
      "db.readConfigPhotonenergyInKeV": energy,
      "db.readTimestampFromtag": async ({ hightag, tag, equipId }) => await source.timestamp(hightag, tag, equipId),
      "db.readTimestamps": async ({ hightag, tags, equipId }, { signal }) => {
        const times = new Float64Array(tags.length);
        let turnBegan = performance.now();
        for (const [i, tag] of tags.entries()) {
          if (performance.now() - turnBegan > LONGEST_TURN_MS) {
            await nextTurn();
            throwIfAborted(signal);
            turnBegan = performance.now();
          }
          const time = source.timestamp(hightag, tag, equipId);
          times[i] = typeof time === "number" ? time : await time;
        }
        return times;
      },
      "db.readTimingEdges": async ({ bl, run }) => {
        await this.#checkRun(bl, run);
        if (source.runTimingEdges !== undefined) return await source.runTimingEdges(bl, run);
        throw new SaclaError(
          "UNSUPPORTED",
          `${source.name} has no timing-monitor edges. Read those of the facility from their CSV: timingEdges(text).`,
        );
      },
      "st.readDetectorInfo": async ({ bl, run, detId }) => await this.#detectorInfo(bl, run, detId),
      "st.readImageOffsets": async ({ bl, run, detId, tags }) => {
        const sensor = (await this.#detectors(bl, run)).sensor(detId);
        if (source.imageOffsets !== undefined) return await source.imageOffsets(bl, run, sensor, tags);
        throw new SaclaError("UNSUPPORTED", `${source.name} has no file with images; ask st.frames.`);
      },
      "st.readImageStates": async ({ bl, run, detId, tags }, { signal }) => {
        const sensor = (await this.#detectors(bl, run)).sensor(detId);
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
        const sensor = (await this.#detectors(bl, run)).sensor(detId);
        if (source.badPixels !== undefined) return await source.badPixels(bl, run, sensor);
        throw new SaclaError("UNSUPPORTED", `${source.name} names no bad pixels beside its images.`);
      },
      "st.collect": async ({ detId, bl, runs, tag }) => await this.#collect(detId, bl, runs, tag),
      "live.readDetidlist": async ({ bl }) => await liveDetectors(this.#live(bl), bl),
      "live.collect": async (params, options) => await liveCollect(this.#live(params.bl), params, options),
      ...citiusHandlers({
        name: source.name,
        citius: source.citius,
        checkRun: (bl, run) => this.#checkRun(bl, run),
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

  #checkBeamline(bl: number): number {
    const known = this.#source.beamlines();
    if (known.includes(bl)) return bl;
    throw new SaclaError(
      "UNKNOWN_BEAMLINE",
      `There is no beamline ${bl} in ${this.#source.name}; it has ${showList(known)}.`,
      {
        details: { bl, known: [...known] },
      },
    );
  }

  /** The status of a run that exists. @throws UNKNOWN_RUN */
  async #checkRun(bl: number, run: number): Promise<number> {
    const status = await this.#source.runStatus(this.#checkBeamline(bl), run);
    if (status !== -1) return status;
    const newest = (await this.#source.runs(bl, 1)).at(-1);
    throw new SaclaError(
      "UNKNOWN_RUN",
      `There is no run ${run} on beamline ${bl} of ${this.#source.name}; ` +
        `the newest is ${newest ?? "not there yet"}. List runs with: sacla runs --bl ${bl}`,
      {
        details: { bl, run, newest },
      },
    );
  }

  async #detectors(bl: number, run: number): Promise<Detectors> {
    await this.#checkRun(bl, run);
    const ids = await this.#source.detectors(bl, run);
    const others = (await this.#source.detectorsWithoutImages?.(bl, run)) ?? [];
    return new Detectors([...ids, ...others], `Run ${run} of beamline ${bl}`, { bl, run });
  }

  async #detectorInfo(bl: number, run: number, detId: string): Promise<DetectorInfo> {
    const detectors = await this.#detectors(bl, run);
    return checkGeometry(await this.#source.detectorInfo(bl, run, detectors.sensor(detId)));
  }

  /** @throws RUN_NOT_READY unless the run is stopped, and calibrated: the facility serves no images before */
  async #checkReady(bl: number, run: number, detIds: readonly string[]): Promise<void> {
    const status = await this.#checkRun(bl, run);
    if (status !== 0) {
      const word = status === 2 ? "running" : "paused";
      throw new SaclaError(
        "RUN_NOT_READY",
        `Run ${run} of beamline ${bl} is still ${word} (status ${status}); images can be read when it has stopped.`,
        {
          details: { bl, run, status },
        },
      );
    }
    await checkCalibrated(this.#source.citius, bl, run, detIds);
  }

  async #collect(detId: string, bl: number, runs: readonly number[], tag: number): Promise<CallResult<"st.collect">> {
    const run = await this.#runWithTag(bl, runs, tag);
    const { sensors } = (await this.#detectors(bl, run)).find(detId);
    await this.#checkReady(bl, run, sensors);
    if (sensors.length === 1) return await this.#collectSensor(bl, run, sensors[0] ?? detId, tag);
    const infos = async (): Promise<DetectorInfo[]> =>
      await Promise.all(sensors.map(async (id) => await this.#detectorInfo(bl, run, id)));
    const assembler = await this.#composites.assembler(`${bl} ${run} ${detId}`, infos);
    const images: Float32Array[] = [];
    for (const id of sensors) images.push((await this.#collectSensor(bl, run, id, tag)).frame.data);
    const { data, shape } = assembler.assemble(images);
    const [ysize = 0, xsize = 0] = shape;
    const { absGain } = assembler.sensors[0] ?? { absGain: null };
    return {
      run,
      tag,
      info: { id: detId, xsize, ysize, absGain, geometry: null },
      frame: { detId, shape: [ysize, xsize], data },
    };
  }

  async #collectSensor(bl: number, run: number, detId: string, tag: number): Promise<CallResult<"st.collect">> {
    const info = await this.#detectorInfo(bl, run, detId);
    // Not zeroed, for it is filled or not given at all; to zero it takes a fifth of the time of a read.
    const data = new Float32Array(
      Buffer.allocUnsafeSlow(info.ysize * info.xsize * Float32Array.BYTES_PER_ELEMENT).buffer,
    );
    if (!(await this.#source.readFrame(bl, run, detId, tag, data))) {
      throw new SaclaError("FRAME_MISSING", `${detId} has no image for tag ${tag} of run ${run}.`, {
        details: { detId, run, tag },
      });
    }
    return { run, tag, info, frame: { detId, shape: [info.ysize, info.xsize], data } };
  }

  async #runWithTag(bl: number, runs: readonly number[], tag: number): Promise<number> {
    let last: unknown;
    for (const run of runs) {
      await this.#checkRun(bl, run);
      try {
        checkTag(bl, run, tag, await this.#source.runInfo(bl, run));
        return run;
      } catch (error) {
        last = error;
      }
    }
    throw last;
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
    if (bl !== undefined) this.#checkBeamline(bl);
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

  /** Null when the reader has the image now, else why there is none: one bad image stops no pass over the others. */
  async #readFrame(bl: number, run: number, reader: FrameReader, tag: number): Promise<string | null> {
    try {
      const isRead = await this.#source.readFrame(bl, run, reader.info.id, tag, reader.target());
      return isRead ? null : "frame-missing";
    } catch (error) {
      const why = whyNoImage(error);
      if (why === undefined) throw error;
      return why;
    }
  }

  async *#frames(
    params: StreamParams<"st.frames">,
    options: StreamOptions,
  ): AsyncGenerator<ShotFrames, void, undefined> {
    const { bl, run, detIds, tags, roi } = params;
    const readers: FrameReader[] = [];
    for (const detId of detIds)
      readers.push(new FrameReader(await this.#detectorInfo(bl, run, detId), roi, options.memory));
    await this.#checkReady(bl, run, detIds);
    const range = await this.#source.runInfo(bl, run);
    for (const tag of tags) checkTag(bl, run, tag, range);
    let turnBegan = performance.now();
    for (const tag of tags) {
      // Sources that answer at once would else leave no time for others.
      if (performance.now() - turnBegan > LONGEST_TURN_MS) {
        await nextTurn();
        turnBegan = performance.now();
      }
      throwIfAborted(options.signal);
      const frames: Frame[] = [];
      const missing: ShotFrames["missing"] = [];
      // At once: a source may read, fetch or decompress them side by side.
      const found = await Promise.all(readers.map(async (reader) => await this.#readFrame(bl, run, reader, tag)));
      for (const [i, reader] of readers.entries()) {
        const reason = found[i];
        if (reason === null || reason === undefined) frames.push(reader.frame());
        else missing.push({ detId: reader.info.id, reason });
      }
      yield { tag, frames, missing };
    }
  }
}

/** @throws TAG_OUTSIDE_RUN when the run's range [start, end) does not hold the tag */
function checkTag(bl: number, run: number, tag: number, { start_tagnumber: start, end_tagnumber: end }: RunInfo): void {
  if (tag >= start && tag < end) return;
  throw new SaclaError(
    "TAG_OUTSIDE_RUN",
    `Tag ${tag} is outside run ${run} of beamline ${bl}, which has tags ${start} to ${end - 1}.`,
    {
      details: { bl, run, tag, start, end },
    },
  );
}
