import { DbApiError as APIError } from "../core/api-errors.ts";
import type { CallOptions } from "../core/async.ts";
import { asTags } from "../core/tags.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { CallMethod, CallParams, CallResult, RunInfo } from "../transport/methods.ts";
import { ask } from "./ask.ts";

/**
 * The functions of Python's `dbpy`, in camelCase, with the same arguments in the same order and the same meaning. The
 * last argument may be {@link CallOptions}. Every one throws
 * - {@link APIError} when the facility refuses (its `code` is named at each function),
 * - BAD_ARGUMENT when an argument is of the wrong kind, ABORTED and TIMEOUT as asked for in the options.
 *
 * Tags are taken from any iterable of whole numbers (`Uint32Array`, `number[]`, `TagList`), or one number, and answered
 * in that order.
 */
export class MirroredDb {
  /** The class of what the facility refuses, as `dbpy.APIError`. */
  readonly APIError: typeof APIError = APIError;
  protected readonly endpoint: Endpoint;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }

  protected ask<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options: CallOptions | undefined,
  ): Promise<CallResult<M>> {
    return ask(this.endpoint, method, params, options);
  }

  /** Version of what answers. Python: `dbpy.get_api_version()`. */
  async getApiVersion(options?: CallOptions): Promise<string> {
    return await this.ask("db.getApiVersion", {}, options);
  }

  /**
   * Newest run number of a beamline; the run may still be running. Python: `dbpy.read_runnumber_newest(bl)`.
   * @throws UNKNOWN_BEAMLINE, or UNKNOWN_RUN when the beamline has no run yet
   */
  async readRunnumberNewest(bl: number, options?: CallOptions): Promise<number> {
    return await this.ask("db.readRunnumberNewest", { bl }, options);
  }

  /**
   * −1 not yet existing, 0 stopped (ready to read), 1 paused, 2 running. A run that does not exist is **−1 here and an
   * APIError in every other function**. Python: `dbpy.read_runstatus(bl, run)`.
   * @throws UNKNOWN_BEAMLINE
   */
  async readRunstatus(bl: number, run: number, options?: CallOptions): Promise<number> {
    return await this.ask("db.readRunstatus", { bl, run }, options);
  }

  /**
   * What is recorded about a run, under the Python dictionary's keys. Times are unix seconds, `end_tagnumber` is
   * **exclusive**, and `total_tagnumber` counts 60 Hz tags, not images. Python: `dbpy.read_runinfo(bl, run)`.
   * @throws UNKNOWN_BEAMLINE
   * @throws UNKNOWN_RUN when the run does not exist (readRunstatus answers −1 instead)
   */
  async readRuninfo(bl: number, run: number, options?: CallOptions): Promise<RunInfo> {
    return await this.ask("db.readRuninfo", { bl, run }, options);
  }

  /** The comment typed at the start of a run. Python: `dbpy.read_comment(bl, run)`. @throws UNKNOWN_RUN */
  async readComment(bl: number, run: number, options?: CallOptions): Promise<string> {
    return await this.ask("db.readComment", { bl, run }, options);
  }

  /** Start of a run, unix seconds. Python: `dbpy.read_starttime(bl, run)`. @throws UNKNOWN_RUN */
  async readStarttime(bl: number, run: number, options?: CallOptions): Promise<number> {
    return await this.ask("db.readStarttime", { bl, run }, options);
  }

  /** End of a run, unix seconds. Python: `dbpy.read_stoptime(bl, run)`. @throws UNKNOWN_RUN */
  async readStoptime(bl: number, run: number, options?: CallOptions): Promise<number> {
    return await this.ask("db.readStoptime", { bl, run }, options);
  }

  /**
   * First tag of a run, **inclusive**, with its HighTag. Python: `dbpy.read_start_tagnumber(bl, run)`.
   * @throws UNKNOWN_RUN
   */
  async readStartTagnumber(bl: number, run: number, options?: CallOptions): Promise<[hightag: number, tag: number]> {
    return await this.ask("db.readStartTagnumber", { bl, run }, options);
  }

  /**
   * End tag of a run, **exclusive**, with its HighTag. Python: `dbpy.read_end_tagnumber(bl, run)`.
   * @throws UNKNOWN_RUN
   */
  async readEndTagnumber(bl: number, run: number, options?: CallOptions): Promise<[hightag: number, tag: number]> {
    return await this.ask("db.readEndTagnumber", { bl, run }, options);
  }

  /** HighTag of a run. Python: `dbpy.read_hightagnumber(bl, run)`. @throws UNKNOWN_RUN */
  async readHightagnumber(bl: number, run: number, options?: CallOptions): Promise<number> {
    return await this.ask("db.readHightagnumber", { bl, run }, options);
  }

  /**
   * HighTag in force at a time of day in Japan.
   * Python: `dbpy.read_hightagnumber_fromtime(time, day, month, year)`.
   * @param time - "HH:MM:SS"
   */
  async readHightagnumberFromtime(
    time: string,
    day: number,
    month: number,
    year: number,
    options?: CallOptions,
  ): Promise<number> {
    return await this.ask("db.readHightagnumberFromtime", { time, day, month, year }, options);
  }

  /**
   * Tags of a run that have images, ascending; the step is 60 / repetition rate. The first is the run's start tag.
   * Python: `dbpy.read_taglist_byrun(bl, run)`.
   * @throws UNKNOWN_RUN
   */
  async readTaglistByrun(bl: number, run: number, options?: CallOptions): Promise<Uint32Array> {
    return await this.ask("db.readTaglistByrun", { bl, run }, options);
  }

  /**
   * Tags of a run for which a detector has an image, ascending. Python: `dbpy.read_taglist_bydetid(bl, run, detID)`.
   * @throws UNKNOWN_RUN
   * @throws UNKNOWN_DETECTOR
   */
  async readTaglistBydetid(bl: number, run: number, detId: string, options?: CallOptions): Promise<Uint32Array> {
    return await this.ask("db.readTaglistBydetid", { bl, run, detId }, options);
  }

  /**
   * Tags of a beamline from `starttag` to `endtag`, **both inclusive** (unlike a run's end tag), runs or not.
   * Python: `dbpy.read_taglist(bl, hightag, starttag, endtag)`.
   * @throws UNKNOWN_BEAMLINE
   */
  async readTaglist(
    bl: number,
    hightag: number,
    starttag: number,
    endtag: number,
    options?: CallOptions,
  ): Promise<Uint32Array> {
    return await this.ask("db.readTaglist", { bl, hightag, starttag, endtag }, options);
  }

  /**
   * Newest tag for which a signal has a value, with its HighTag. Python: `dbpy.read_tagnumber_newest(equipID)`.
   * @throws UNKNOWN_SIGNAL
   */
  async readTagnumberNewest(equipId: string, options?: CallOptions): Promise<[hightag: number, tag: number]> {
    return await this.ask("db.readTagnumberNewest", { equipId }, options);
  }

  /**
   * Values of a signal as text with the unit glued on (`7.22600e-02V`, `1200pulse`, `0`), or `not-converged`,
   * `saturated`, `missing`. Python: `dbpy.read_syncdatalist(equipID, hightag, tags)`.
   * @throws UNKNOWN_SIGNAL
   * @throws UNKNOWN_HIGHTAG
   */
  async readSyncdatalist(
    equipId: string,
    hightag: number,
    tags: Iterable<number> | number,
    options?: CallOptions,
  ): Promise<string[]> {
    return await this.ask("db.readSyncdatalist", { equipId, hightag, tags: oneOrMore(tags) }, options);
  }

  /**
   * Values of a signal as numbers in the signal's own unit, NaN where there is none ({@link Run.column} keeps the
   * reason and the unit). Python: `dbpy.read_syncdatalist_float(equipID, hightag, tags)`.
   * @throws UNKNOWN_SIGNAL
   * @throws UNKNOWN_HIGHTAG
   */
  async readSyncdatalistFloat(
    equipId: string,
    hightag: number,
    tags: Iterable<number> | number,
    options?: CallOptions,
  ): Promise<Float64Array> {
    return await this.ask("db.readSyncdatalistFloat", { equipId, hightag, tags: oneOrMore(tags) }, options);
  }

  /**
   * Detector ids of a run: the composite id and each sensor. Python: `dbpy.read_detidlist(bl, run)`.
   * @throws UNKNOWN_RUN
   */
  async readDetidlist(bl: number, run: number, options?: CallOptions): Promise<string[]> {
    return await this.ask("db.readDetidlist", { bl, run }, options);
  }

  /** Every equipment id, the names of the 0-D signals. Python: `dbpy.read_equiplist()`. */
  async readEquiplist(options?: CallOptions): Promise<string[]> {
    return await this.ask("db.readEquiplist", {}, options);
  }

  /**
   * Photon energy the run was configured for, **keV**; not measured, and sometimes absurd. Python:
   * `dbpy.read_config_photonenergy(bl, run)`.
   * @throws UNKNOWN_RUN
   */
  async readConfigPhotonenergy(bl: number, run: number, options?: CallOptions): Promise<number> {
    return await this.ask("db.readConfigPhotonenergy", { bl, run }, options);
  }

  /**
   * The same under its older name, keV. Python: `dbpy.read_config_photonenergy_in_keV(bl, run)`.
   * @throws UNKNOWN_RUN
   */
  async readConfigPhotonenergyInKeV(bl: number, run: number, options?: CallOptions): Promise<number> {
    return await this.ask("db.readConfigPhotonenergyInKeV", { bl, run }, options);
  }

  /**
   * When a shot happened, unix seconds. Python: `dbpy.read_timestamp_fromtag(hightag, tag, equipID)`.
   * @throws UNKNOWN_SIGNAL
   */
  async readTimestampFromtag(hightag: number, tag: number, equipId: string, options?: CallOptions): Promise<number> {
    return await this.ask("db.readTimestampFromtag", { hightag, tag, equipId }, options);
  }
}

function oneOrMore(tags: Iterable<number> | number): Uint32Array {
  return asTags(typeof tags === "number" ? [tags] : tags);
}
