import type { CitiusSource } from "../source/citius-source.ts";
import type { CitiusRunStatus, CitiusSensor, ReconstInfo } from "../transport/citius-methods.ts";
import type { Endpoint } from "../transport/endpoint.ts";

/** What an Endpoint says of CITIUS detectors, in a replay as before. */
export class PlayedCitius implements CitiusSource {
  readonly #endpoint: Endpoint;
  readonly #version: string;

  /** undefined where the Endpoint knows no CITIUS. */
  static async of(endpoint: Endpoint): Promise<PlayedCitius | undefined> {
    const { methods } = await endpoint.call("facility.describe", {});
    if (!methods.includes("citius.readSensors")) return undefined;
    return new PlayedCitius(endpoint, await endpoint.call("citius.getApiVersion", {}));
  }

  private constructor(endpoint: Endpoint, version: string) {
    this.#endpoint = endpoint;
    this.#version = version;
  }

  apiVersion(): string {
    return this.#version;
  }

  async runStatus(bl: number, run: number): Promise<CitiusRunStatus> {
    return await this.#endpoint.call("citius.getRunstatus", { bl, run });
  }

  async sensors(bl: number, run: number): Promise<CitiusSensor[]> {
    return await this.#endpoint.call("citius.readSensors", { bl, run });
  }

  async readBadpixelMask(bl: number, run: number, sensorId: number, out: Uint8Array): Promise<void> {
    out.set((await this.#endpoint.call("citius.readBadpixelMask", { bl, run, sensorIds: [sensorId] })).data);
  }

  async reconstInfo(bl: number, run: number, sensorId: number, tag: number): Promise<ReconstInfo> {
    const [place] = await this.#endpoint.call("citius.readReconstinfo", { bl, run, sensorIds: [sensorId], tag });
    return place as ReconstInfo;
  }
}
