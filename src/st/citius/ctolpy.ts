import { CitiusApiError as APIError } from "../../core/api-errors.ts";
import type { CallOptions } from "../../core/async.ts";
import type { DetectorInfo } from "../../core/detector.ts";
import { asApiError, isSaclaError, SaclaError, showList } from "../../core/errors.ts";
import { asInteger, badArgument } from "../../core/guards.ts";
import type { NdArray } from "../../core/ndarray.ts";
import { MAX_TAG } from "../../core/tags.ts";
import { CITIUS_SIZE, type CitiusSensor, type ReconstInfo } from "../../transport/citius-methods.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import { type LiveItem, NEWEST_TAG } from "../../transport/methods.ts";
import { memoryOfSize, type SensorStack } from "./arrays.ts";
import { checkWhole, partsOf, placeFor } from "./ctrl-buffer.ts";
import { toReconstInfo } from "./geometry.ts";
import { citiusSensors } from "./sensors.ts";

/** How long a shot that has not happened is waited for; ostrich asks again after a timeout. */
const WAIT_MS = 1000;
/** How long after a shot its images may take to arrive. */
const ARRIVAL_MS = 500;

/** What `collect_data` gives, by its Python keys. */
export interface CollectedData {
  /** The tag that was read. */
  readonly ctag: number;
  /** Where each sensor lies, in the order asked. */
  readonly reconst_info_list: readonly ReconstInfo[];
}

/** The beamline that reads a CITIUS, and its sensors by number. */
interface Connection {
  readonly bl: number;
  readonly sensors: readonly CitiusSensor[];
}

/**
 * `ctolpy_xfel.CtrlBuffer(conn_id)`: images of all CITIUS sensors of a shot while they are in memory. Where a source
 * has CITIUS live at several beamlines, name one.
 */
export class OnlineCtrlBuffer {
  readonly connId: number;
  readonly #bl: number | undefined;
  readonly #endpoint: Endpoint;
  #connection: Connection | undefined;
  #known: { readonly run: number; readonly infos: Map<number, DetectorInfo> } | undefined;

  constructor(endpoint: Endpoint, connId = 0, bl?: number) {
    // Public scripts know no other.
    this.connId = asInteger("conn_id", connId, 0, 0);
    this.#bl = bl === undefined ? undefined : asInteger("bl", bl);
    this.#endpoint = endpoint;
  }

  /**
   * Long names of the sensors, by number.
   * @throws APIError with code UNKNOWN_DETECTOR, or UNSUPPORTED when the source is not live
   */
  async readDetidlist(options: CallOptions = {}): Promise<string[]> {
    return (await this.#connect(options)).sensors.map(({ detId }) => detId);
  }

  /** Numbers of the sensors, ascending. */
  async readSensoridlist(options: CallOptions = {}): Promise<number[]> {
    return (await this.#connect(options)).sensors.map(({ sensorId }) => sensorId);
  }

  /** [binx, biny, width, height] of the images. Takes an image of one sensor to learn it. */
  async readBinninginfo(
    options: CallOptions = {},
  ): Promise<[binx: number, biny: number, width: number, height: number]> {
    const { bl, sensors } = await this.#connect(options);
    const detId = sensors[0]?.detId ?? "";
    const { info } = await asApiError(APIError, () =>
      this.#endpoint.call("live.collect", { detId, bl, tag: NEWEST_TAG }, options),
    );
    return [
      Math.round(CITIUS_SIZE.xsize / info.xsize),
      Math.round(CITIUS_SIZE.ysize / info.ysize),
      info.xsize,
      info.ysize,
    ];
  }

  /**
   * Fills `out` with the images of the sensors `ids` at `ctag`, or of the newest shot with `ctolpyXfel.NEWEST`.
   *
   * @param out - float32 [ids, height, width], or one array per sensor
   * @param options - `timeoutMs`: how long a shot that has not happened is waited for. Default: 1000
   * @throws APIError with code DATA_GONE (`CTOL_ERR_CTAGDATAGONE`): go on with NEWEST; TIMEOUT
   * (`CTOL_ERR_GETDATA_CMD_RESULT_TIMEOUT`): asked too early, ask again; TAG_INVALID, FRAME_MISSING. `out` is then not
   * to be used
   */
  async collectData(
    out: SensorStack | readonly Float32Array[],
    ids: readonly number[],
    ctag: number,
    options: CallOptions = {},
  ): Promise<CollectedData> {
    asInteger("ctag", ctag, NEWEST_TAG, MAX_TAG);
    const { bl, sensors } = await this.#connect(options);
    const wanted = ids.map((id) => sensors.find(({ sensorId }) => sensorId === id) ?? unknownSensor(id, sensors));
    if (wanted.length === 0) throw badArgument("ids", ids, "numbers of one or more sensors");
    const { item, run, tag } = await this.#shot(bl, wanted, ctag, options, out);
    if (ctag !== NEWEST_TAG && tag !== ctag) throw notThere(item, ctag);
    await asApiError(APIError, async () => checkWhole(item.missing, tag));
    return { ctag: tag, reconst_info_list: await this.#places(bl, run, wanted, options) };
  }

  /**
   * Fills `out`, uint8 [ids, height, width], with the bad pixels of the sensors `ids`: 1 is bad, 0 good.
   * @throws APIError with code UNKNOWN_DETECTOR, or UNSUPPORTED when the source does not know them
   */
  async readBadpixelMask(out: NdArray<Uint8Array>, ids: readonly number[], options: CallOptions = {}): Promise<void> {
    const { bl, sensors } = await this.#connect(options);
    const detId = sensors[0]?.detId ?? "";
    const sensorIds = [...ids];
    const answer = await asApiError(APIError, async () => {
      const { run } = await this.#endpoint.call("live.collect", { detId, bl, tag: NEWEST_TAG }, options);
      return await this.#endpoint.call("citius.readBadpixelMask", { bl, run, sensorIds }, options);
    });
    memoryOfSize(out, "uint8", answer.data.length).set(answer.data);
  }

  async #shot(
    bl: number,
    wanted: readonly CitiusSensor[],
    ctag: number,
    options: CallOptions,
    out: SensorStack | readonly Float32Array[],
  ): Promise<{ item: LiveItem; run: number; tag: number }> {
    const [, rows, columns] = isStack(out) ? out.shape : [0, CITIUS_SIZE.ysize, CITIUS_SIZE.xsize];
    const parts = partsOf(out, wanted.length, rows, columns);
    const byId = new Map(wanted.map(({ detId }, i) => [detId, parts[i]]));
    const detIds = wanted.map(({ detId }) => detId);
    const isNewest = ctag === NEWEST_TAG;
    const when = isNewest
      ? ({ policy: "newest", after: null } as const)
      : ({ policy: "every", after: Math.max(0, ctag - 1) } as const);
    const params = { bl, detIds, signals: [], ...when, maxWaitMs: ARRIVAL_MS, limit: 1, untilRunEnd: false, roi: null };
    const memory = (detId: string, length: number, type: string): Float32Array =>
      placeFor((id) => byId.get(id), detId, length, type);
    try {
      for await (const item of this.#endpoint.stream("live.shots", params, {
        timeoutMs: WAIT_MS,
        ...options,
        memory,
      })) {
        if (item.tag !== null) return { item, run: item.run, tag: item.tag };
      }
    } catch (error) {
      // A stream does not go back for hours.
      if (isSaclaError(error, "BAD_ARGUMENT") && error.details["name"] === "after") throw dataGone(ctag);
      if (!isSaclaError(error, "TIMEOUT")) return await asApiError(APIError, () => Promise.reject(error));
      const details = { ...error.details, ctolName: "CTOL_ERR_GETDATA_CMD_RESULT_TIMEOUT", ctag };
      throw new APIError(
        "TIMEOUT",
        `${isNewest ? "No shot" : `The shot of tag ${ctag}`} has come yet: ${error.message}`,
        { details, cause: error },
      );
    }
    throw new APIError("TAG_INVALID", `The live shots of beamline ${bl} ended before tag ${ctag}.`, {
      details: { ctag },
    });
  }

  async #connect(options: CallOptions): Promise<Connection> {
    if (this.#connection !== undefined) return this.#connection;
    const ask = <T>(work: () => Promise<T>): Promise<T> => asApiError(APIError, work);
    const beamlines =
      this.#bl === undefined ? await ask(() => this.#endpoint.call("db.listBeamlines", {}, options)) : [this.#bl];
    const found: Connection[] = [];
    for (const bl of beamlines) {
      const sensors = citiusSensors(await ask(() => this.#endpoint.call("live.readDetidlist", { bl }, options)));
      if (sensors.length > 0) found.push({ bl, sensors });
    }
    const [only, ...others] = found;
    if (only === undefined)
      throw new APIError("UNKNOWN_DETECTOR", `No CITIUS is being read at beamline ${showList(beamlines)}.`);
    if (others.length > 0)
      throw badArgument("bl", undefined, `one of ${showList(found.map(({ bl }) => bl))}, which all read a CITIUS`);
    this.#connection = only;
    return only;
  }

  async #places(
    bl: number,
    run: number,
    wanted: readonly CitiusSensor[],
    options: CallOptions,
  ): Promise<ReconstInfo[]> {
    if (this.#known?.run !== run) this.#known = { run, infos: new Map() };
    const { infos } = this.#known;
    const places = await Promise.all(
      wanted.map(async ({ sensorId, detId }) => {
        const info =
          infos.get(sensorId) ??
          (await asApiError(APIError, () => this.#endpoint.call("st.readDetectorInfo", { bl, run, detId }, options)));
        infos.set(sensorId, info);
        if (info.geometry === null)
          throw new SaclaError("BAD_GEOMETRY", `The source does not say where ${detId} lies.`);
        return toReconstInfo(info.geometry);
      }),
    );
    return places;
  }
}

function isStack(out: SensorStack | readonly Float32Array[]): out is SensorStack {
  return !Array.isArray(out);
}

function unknownSensor(id: number, sensors: readonly CitiusSensor[]): never {
  const known = showList(
    sensors.map(({ sensorId }) => sensorId),
    80,
  );
  throw new APIError("UNKNOWN_DETECTOR", `No CITIUS sensor ${id} is being read; there are ${known}.`);
}

/** Why another shot came than the one asked for. */
function notThere(item: LiveItem, ctag: number): APIError {
  if (item.gaps.some(({ reason, tags }) => reason === "data-gone" && tags.includes(ctag))) return dataGone(ctag);
  return new APIError("TAG_INVALID", `There was no shot with tag ${ctag}; the next one has ${item.tag}.`, {
    details: { ctag },
  });
}

function dataGone(ctag: number): APIError {
  const details = { ctolName: "CTOL_ERR_CTAGDATAGONE", ctag };
  return new APIError("DATA_GONE", `The images of tag ${ctag} are not in memory any more. Go on with NEWEST.`, {
    details,
  });
}

/** `ctolpy_xfel` over an Endpoint: images of CITIUS detectors as the beam runs. */
export class CtolpyXfel {
  readonly APIError: typeof APIError = APIError;
  readonly CtrlBuffer: new (
    connId?: number,
    bl?: number,
  ) => OnlineCtrlBuffer;
  /** Stands for the newest tag. */
  readonly NEWEST: typeof NEWEST_TAG = NEWEST_TAG;
  readonly #endpoint: Endpoint;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.CtrlBuffer = class extends OnlineCtrlBuffer {
      constructor(connId?: number, bl?: number) {
        super(endpoint, connId, bl);
      }
    };
  }

  /** `ctolpy_xfel.get_api_version()`: the version of what answers. */
  async getApiVersion(options: CallOptions = {}): Promise<string> {
    return await asApiError(APIError, () => this.#endpoint.call("db.getApiVersion", {}, options));
  }
}
