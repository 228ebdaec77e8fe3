import type { DetectorInfo } from "../core/detector.ts";
import { SaclaError } from "../core/errors.ts";
import { JAPAN_OFFSET_SECONDS } from "../core/japan.ts";
import type { Pixels } from "../core/ndarray.ts";
import { type Column, setEntry } from "../core/syncdb.ts";
import type { DataSource } from "../source/data-source.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { RunInfo } from "../transport/methods.ts";
import { PlayedCitius } from "./played-citius.ts";
import { PlayedRun, type Playing, readOne } from "./played-run.ts";

/** More runs than a beamline ever had (the method table's limit). */
const ALL_RUNS = 100_000;

/** An Endpoint as a DataSource, in which one run is going on. Everything else is answered by the Endpoint. */
export class ReplaySource implements DataSource {
  readonly name: string;
  readonly live: PlayedRun;
  readonly citius?: PlayedCitius;
  readonly #endpoint: Endpoint;
  readonly #version: string;
  readonly #beamlines: readonly number[];
  readonly #knownSignals = new Set<string>();

  /** @throws UNKNOWN_RUN @throws RUN_NOT_READY when the run has not stopped */
  static async of(endpoint: Endpoint, playing: Playing): Promise<ReplaySource> {
    const { bl, run } = playing;
    const info = await endpoint.call("db.readRuninfo", { bl, run });
    if (info.runstatus !== 0) {
      throw new SaclaError(
        "RUN_NOT_READY",
        `Run ${run} of beamline ${bl} has not stopped (status ${info.runstatus}), so it cannot be played.`,
        {
          details: { bl, run },
        },
      );
    }
    const live = await PlayedRun.of(endpoint, playing, info);
    return new ReplaySource(
      endpoint,
      live,
      await endpoint.call("db.getApiVersion", {}),
      await endpoint.call("db.listBeamlines", {}),
      await PlayedCitius.of(endpoint),
    );
  }

  private constructor(
    endpoint: Endpoint,
    live: PlayedRun,
    version: string,
    beamlines: readonly number[],
    citius: PlayedCitius | undefined,
  ) {
    this.name = `the replay of run ${live.playing.run}`;
    this.#endpoint = endpoint;
    this.live = live;
    this.#version = version;
    this.#beamlines = beamlines;
    if (citius !== undefined) this.citius = citius;
  }

  apiVersion(): string {
    return `${this.#version}, played as if live`;
  }

  beamlines(): readonly number[] {
    return this.#beamlines;
  }

  async runs(bl: number, last: number): Promise<readonly number[]> {
    const runs = await this.#endpoint.call("db.listRuns", { bl, last: ALL_RUNS });
    return runs.filter((run) => !this.#isLater(bl, run)).slice(-last);
  }

  async runStatus(bl: number, run: number): Promise<number> {
    if (this.#isLater(bl, run)) return -1;
    if (this.#isPlayed(bl, run)) return this.live.nowTag() < this.live.info.end_tagnumber ? 2 : 0;
    return await this.#endpoint.call("db.readRunstatus", { bl, run });
  }

  async runInfo(bl: number, run: number): Promise<RunInfo> {
    if (!this.#isPlayed(bl, run)) return await this.#endpoint.call("db.readRuninfo", { bl, run });
    const { info } = this.live;
    if (this.live.nowTag() >= info.end_tagnumber) return info;
    const end = this.live.nowTag() + 1;
    return {
      ...info,
      end_tagnumber: end,
      total_tagnumber: end - info.start_tagnumber,
      stoptime: this.live.now(),
      runstatus: 2,
    };
  }

  async photonEnergyKev(bl: number, run: number): Promise<number> {
    return await this.#endpoint.call("db.readConfigPhotonenergy", { bl, run });
  }

  async detectors(bl: number, run: number): Promise<readonly string[]> {
    return await this.#endpoint.call("db.readDetidlist", { bl, run });
  }

  async tags(bl: number, run: number, detId?: string): Promise<Uint32Array> {
    const of = { bl, run };
    const all = await (detId === undefined
      ? this.#endpoint.call("db.readTaglistByrun", of)
      : this.#endpoint.call("db.readTaglistBydetid", { ...of, detId }));
    return this.#isPlayed(bl, run) ? this.#happened(all) : all;
  }

  async tagsBetween(bl: number, hightag: number, first: number, last: number): Promise<Uint32Array> {
    const all = await this.#endpoint.call("db.readTaglist", { bl, hightag, starttag: first, endtag: last });
    return bl === this.live.playing.bl && hightag === this.live.info.hightagnumber ? this.#happened(all) : all;
  }

  /** Scripts that follow the beam ask this first, so it starts the run. */
  async newestTag(equipId: string): Promise<[hightag: number, tag: number]> {
    if (!this.#knownSignals.has(equipId)) {
      await this.#endpoint.call("db.readTagnumberNewest", { equipId });
      this.#knownSignals.add(equipId);
    }
    this.live.begin();
    return [this.live.info.hightagnumber, this.live.newestValueTag()];
  }

  async hightagAt(unixSeconds: number): Promise<number> {
    const japan = new Date((unixSeconds + JAPAN_OFFSET_SECONDS) * 1000);
    const time = japan.toISOString().slice(11, 19);
    const date = { day: japan.getUTCDate(), month: japan.getUTCMonth() + 1, year: japan.getUTCFullYear() };
    return await this.#endpoint.call("db.readHightagnumberFromtime", { time, ...date });
  }

  async timestamp(hightag: number, tag: number, equipId: string): Promise<number> {
    return await this.#endpoint.call("db.readTimestampFromtag", { hightag, tag, equipId });
  }

  async equipment(): Promise<readonly string[]> {
    return await this.#endpoint.call("db.readEquiplist", {});
  }

  async column(equipId: string, hightag: number, tags: Uint32Array): Promise<Column> {
    const [column] = await this.#endpoint.call("db.readColumns", { equipIds: [equipId], hightag, tags });
    if (column === undefined) throw new SaclaError("BAD_MESSAGE", `The source gave no column for ${equipId}.`);
    const { info } = this.live;
    const newest = this.live.newestValueTag();
    if (hightag === info.hightagnumber) {
      tags.forEach((tag, i) => {
        if (tag > newest && tag >= info.start_tagnumber) setEntry(column, i, "missing");
      });
    }
    return column;
  }

  async detectorInfo(bl: number, run: number, detId: string): Promise<DetectorInfo> {
    return await this.#endpoint.call("st.readDetectorInfo", { bl, run, detId });
  }

  async readFrame(bl: number, run: number, detId: string, tag: number, out: Pixels): Promise<boolean> {
    return await readOne(this.#endpoint, bl, run, detId, tag, out);
  }

  async close(): Promise<void> {
    await this.#endpoint.close();
  }

  #isPlayed(bl: number, run: number): boolean {
    return bl === this.live.playing.bl && run === this.live.playing.run;
  }

  #isLater(bl: number, run: number): boolean {
    return bl === this.live.playing.bl && run > this.live.playing.run;
  }

  #happened(tags: Uint32Array): Uint32Array {
    const now = this.live.nowTag();
    return tags.filter((tag) => tag <= now);
  }
}
