import type { DetectorInfo } from "../../core/detector.ts";
import type { Pixels } from "../../core/ndarray.ts";
import type { Random } from "../../core/random.ts";
import type { SimulatedShot } from "../shot.ts";

/** Simulates the detectors of one make. A new make is one file with a model and one row in detector-models.ts. */
export interface DetectorModel {
  /** Whether the model simulates a detector or sensor, by its id. */
  owns(id: string): boolean;
  /** The sensors of a detector that an experiment lists; a camera or single sensor is its own. */
  sensorsOf(detector: string): string[];
  /** Size, gain and position of a sensor or camera. */
  describe(id: string): DetectorInfo;
  /** Fills `out` with the image of a shot, row-major. */
  draw(id: string, shot: SimulatedShot, random: Random, out: Pixels): void;
  /** The id by which images are stored or lost together. @default the id of the sensor */
  storedAs?(id: string): string;
  /** Frees tables. */
  close?(): void;
}
