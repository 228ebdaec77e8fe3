import type { MaybePromise } from "../core/async.ts";
import type { DetectorInfo } from "../core/detector.ts";
import type { Assembler } from "../ip/assembler.ts";

/** Of detectors of several sensors: those of the runs that are read now. */
const MOST_KEPT = 2;

/**
 * The images of detectors of several sensors, assembled. What the facility's `stpy` gives for a composite id is not
 * public. Assumed is the drawing of its assembled images in files: 2399 × 2399 for an octal, else the smallest square
 * around the beam that holds every sensor; columns as seen from behind the detector; the nearest sensor pixel; in ADU
 * of the first sensor. Gaps are 0, as in the facility's listing.
 */
export class CompositeImages {
  readonly #kept: Map<string, Assembler> = new Map();

  /** `key` names the geometry: it is asked for once. */
  async assembler(key: string, sensors: () => MaybePromise<DetectorInfo[]>): Promise<Assembler> {
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    // Loaded when an assembled image is asked for: few sessions do.
    const ip = await import("../ip/assembler.ts");
    const made = new ip.Assembler(await sensors(), { view: "detector", gapValue: 0 });
    if (this.#kept.size >= MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value ?? "");
    this.#kept.set(key, made);
    return made;
  }
}
