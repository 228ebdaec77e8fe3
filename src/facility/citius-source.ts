import { TAG_RATE_HZ } from "../core/constants.ts";
import { SaclaError } from "../core/errors.ts";
import type { CitiusSource } from "../source/citius-source.ts";
import { toReconstInfo } from "../st/citius/geometry.ts";
import type { CitiusRunStatus, CitiusSensor, ReconstInfo } from "../transport/citius-methods.ts";
import { type CitiusModel, numberOf, placeOf } from "./models/citius.ts";
import type { PlannedRun } from "./planned-run.ts";

/** A CITIUS at SPring-8 has its results after 6 to 7 minutes. */
const CALIBRATION_SECONDS = 400;

/** Answers about the CITIUS detectors of the simulated facility. */
export class SimulatedCitius implements CitiusSource {
  readonly #model: CitiusModel;
  readonly #planned: (bl: number, run: number) => PlannedRun;
  /** The newest tag of a HighTag. */
  readonly #newestTag: (hightag: number) => number;

  constructor(
    model: CitiusModel,
    planned: (bl: number, run: number) => PlannedRun,
    newestTag: (hightag: number) => number,
  ) {
    this.#model = model;
    this.#planned = planned;
    this.#newestTag = newestTag;
  }

  apiVersion(): string {
    return "sacla simulated CITIUS 1";
  }

  runStatus(bl: number, run: number): CitiusRunStatus {
    const { experiment, endTag } = this.#planned(bl, run);
    if (!experiment.detectors.some((id) => this.#model.owns(id))) return "not-citius";
    return this.#newestTag(experiment.hightag) < endTag + CALIBRATION_SECONDS * TAG_RATE_HZ ? "wait-calib" : "can-read";
  }

  sensors(bl: number, run: number): CitiusSensor[] {
    const detectors = this.#planned(bl, run).experiment.detectors.filter((id) => this.#model.owns(id));
    return detectors.flatMap((id) => this.#model.sensorsOf(id)).map((detId) => ({ detId, sensorId: numberOf(detId) }));
  }

  readBadpixelMask(bl: number, run: number, sensorId: number, out: Uint8Array): void {
    out.fill(0);
    for (const pixel of this.#model.badPixels(this.#idOf(bl, run, sensorId))) out[pixel] = 1;
  }

  reconstInfo(bl: number, run: number, sensorId: number): ReconstInfo {
    return toReconstInfo(placeOf(this.#idOf(bl, run, sensorId)));
  }

  #idOf(bl: number, run: number, sensorId: number): string {
    const found = this.sensors(bl, run).find((sensor) => sensor.sensorId === sensorId);
    if (found === undefined) throw new SaclaError("INTERNAL", `Sensor ${sensorId} was not checked.`);
    return found.detId;
  }
}
