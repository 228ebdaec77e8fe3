import type { DetectorInfo } from "../../core/detector.ts";
import { SaclaError } from "../../core/errors.ts";
import type { PulseModel } from "../pulse.ts";
import { CameraModel } from "./camera.ts";
import { CitiusModel } from "./citius.ts";
import type { DetectorModel } from "./detector-model.ts";
import { MpccdModel } from "./mpccd.ts";

/** Every model of the simulated facility. */
const models: readonly (new (seed: number, pulses: PulseModel) => DetectorModel)[] = [
  MpccdModel,
  CitiusModel,
  CameraModel,
];

/** Finds the model that simulates a detector. */
export class DetectorModels {
  readonly #models: readonly DetectorModel[];

  constructor(seed: number, pulses: PulseModel) {
    this.#models = models.map((Model) => new Model(seed, pulses));
  }

  /** The model of a class. */
  get<T extends DetectorModel>(model: new (seed: number, pulses: PulseModel) => T): T {
    const found = this.#models.find((candidate) => candidate instanceof model);
    if (found === undefined) throw new SaclaError("INTERNAL", `${model.name} is not in the list of models.`);
    return found as T;
  }

  /** The model of a detector or sensor. @throws UNKNOWN_DETECTOR */
  of(id: string): DetectorModel {
    const found = this.#models.find((model) => model.owns(id));
    if (found === undefined) throw new SaclaError("UNKNOWN_DETECTOR", `No model simulates the detector ${id}.`);
    return found;
  }

  sensorsOf(detector: string): string[] {
    return this.of(detector).sensorsOf(detector);
  }

  /** The ids `read_detidlist` gives for a detector: the detector, then its sensors. */
  idsOf(detector: string): string[] {
    return [...new Set([detector, ...this.sensorsOf(detector)])];
  }

  describe(id: string): DetectorInfo {
    return this.of(id).describe(id);
  }

  storedAs(id: string): string {
    return this.of(id).storedAs?.(id) ?? id;
  }

  close(): void {
    for (const model of this.#models) model.close?.();
  }
}
