import { SaclaError } from "../../core/errors.ts";
import type { CitiusSource } from "../../source/citius-source.ts";
import type { DataSource } from "../../source/data-source.ts";
import { toReconstInfo } from "../../st/citius/geometry.ts";
import { citiusSensors } from "../../st/citius/sensors.ts";
import type { CitiusRunStatus, CitiusSensor, ReconstInfo } from "../../transport/citius-methods.ts";

/** What files say of the CITIUS detectors of their runs: as the facility, but that the images can be read at once. */
export class FileCitius implements CitiusSource {
  readonly #source: DataSource;

  constructor(source: DataSource) {
    this.#source = source;
  }

  apiVersion(): string {
    return this.#source.apiVersion();
  }

  async runStatus(bl: number, run: number): Promise<CitiusRunStatus> {
    return (await this.sensors(bl, run)).length === 0 ? "not-citius" : "can-read";
  }

  async sensors(bl: number, run: number): Promise<CitiusSensor[]> {
    return citiusSensors(await this.#source.detectors(bl, run));
  }

  async readBadpixelMask(bl: number, run: number, sensorId: number, out: Uint8Array): Promise<void> {
    const detId = await this.#idOf(bl, run, sensorId);
    const mask = await this.#source.badPixels?.(bl, run, detId);
    if (mask?.data.length !== out.length) throw this.#lacks(`the bad pixels of ${detId}`);
    for (const [i, reason] of mask.data.entries()) out[i] = reason === 0 ? 0 : 1;
  }

  async reconstInfo(bl: number, run: number, sensorId: number): Promise<ReconstInfo> {
    const detId = await this.#idOf(bl, run, sensorId);
    const { geometry } = await this.#source.detectorInfo(bl, run, detId);
    if (geometry === null) throw this.#lacks(`the place of ${detId}`);
    return toReconstInfo(geometry);
  }

  async #idOf(bl: number, run: number, sensorId: number): Promise<string> {
    const found = (await this.sensors(bl, run)).find((sensor) => sensor.sensorId === sensorId);
    if (found === undefined) throw new SaclaError("INTERNAL", `Sensor ${sensorId} was not checked.`);
    return found.detId;
  }

  #lacks(what: string): SaclaError {
    return new SaclaError("UNSUPPORTED", `${this.#source.name} does not hold ${what}.`);
  }
}
