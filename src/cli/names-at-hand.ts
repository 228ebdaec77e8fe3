import type { Names } from "../core/names.ts";
import { wellKnownSignal } from "../db/signal-meanings.ts";
import type { Experiment } from "../ec/index.ts";

/** The names of the experiment file, and those that everybody uses, such as BM1. */
export class NamesAtHand implements Names {
  /** Beamline of the words that everybody uses. */
  bl = 3;
  readonly #experiment: Experiment | undefined;

  constructor(experiment: Experiment | undefined) {
    this.#experiment = experiment;
  }

  signalId(name: string): string {
    if (name.includes("/")) return name;
    const own = this.#experiment !== undefined && Object.hasOwn(this.#experiment.signals, name);
    return (own ? undefined : wellKnownSignal(name, this.bl)) ?? this.#experiment?.signalId(name) ?? name;
  }

  detectorId(name: string): string {
    return this.#experiment?.detectorId(name) ?? name;
  }
}
