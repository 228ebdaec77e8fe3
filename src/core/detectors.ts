import { compositeOf, isCamera } from "./detector-families.ts";
import { type ErrorDetails, SaclaError, showList } from "./errors.ts";
import type { Names } from "./names.ts";
import { didYouMean } from "./nearest-names.ts";

/** The sensors of one multi-sensor detector, ordered: `MPCCD-8B0-2-008` and its `-1` … `-8`. */
export interface DetectorGroup {
  readonly id: string;
  readonly sensors: readonly string[];
}

/**
 * Groups detector ids as the facility lists them: a composite id stands beside `<id>-<n>` of each sensor. A detector
 * without parts is a group of itself. Order of first appearance, sensors by number.
 */
export function groupDetectors(ids: readonly string[]): DetectorGroup[] {
  const composites = new Map<string, string[]>();
  for (const id of ids) {
    // The composite id may be missing from a list (an archive names sensors only), so it is found from the sensors too.
    const composite = compositeOf(id) ?? id;
    if (!composites.has(composite)) composites.set(composite, numberedSensors(composite, ids));
  }
  return [...composites].map(([id, sensors]) => ({ id, sensors: sensors.length > 0 ? sensors : [id] }));
}

/** Ids as the facility lists them: each composite id before its sensors, then those without parts. */
export function listDetectors(ids: readonly string[]): string[] {
  return groupDetectors(ids).flatMap(({ id, sensors }) => (sensors.includes(id) ? sensors : [id, ...sensors]));
}

/** Ids of the form `<id>-<n>`, by number. */
function numberedSensors(id: string, ids: readonly string[]): string[] {
  const numberOf = (other: string): string => other.slice(id.length + 1);
  return ids
    .filter((other) => other.startsWith(`${id}-`) && /^\d+$/.test(numberOf(other)))
    .sort((a, b) => Number(numberOf(a)) - Number(numberOf(b)));
}

/** The detectors of a run or a beamline, to be found by the id of a detector or of a sensor. */
export class Detectors {
  readonly groups: readonly DetectorGroup[];
  readonly #ids: readonly string[];
  readonly #owner: string;
  readonly #details: ErrorDetails;
  readonly #names: Names | undefined;

  /**
   * @param ids - as the facility lists them: composite ids, sensors and cameras
   * @param owner - begins the message of an error: "Run 5 of beamline 3"
   * @param details - of the error
   * @param names - what detectors may be called besides their ids
   */
  constructor(ids: Iterable<string>, owner: string, details: ErrorDetails = {}, names?: Names) {
    this.#ids = [...new Set(ids)];
    this.#owner = owner;
    this.#details = details;
    this.#names = names;
    this.groups = groupDetectors(this.#ids);
  }

  /** The detectors of groups that are known. */
  static of(groups: readonly DetectorGroup[], owner: string, names?: Names): Detectors {
    return new Detectors(
      groups.flatMap(({ id, sensors }) => [id, ...sensors]),
      owner,
      {},
      names,
    );
  }

  /** The detector, or the sensor as a group of itself. @throws UNKNOWN_DETECTOR */
  find(name: string): DetectorGroup {
    const id = this.#idOf(name);
    const group = this.groups.find((candidate) => candidate.id === id);
    if (group !== undefined) return group;
    if (this.groups.some(({ sensors }) => sensors.includes(id))) return { id, sensors: [id] };
    return this.unlisted(id);
  }

  /**
   * The detector with the most sensors; of several the first that is no camera.
   * @throws UNKNOWN_DETECTOR when there is none at all
   */
  largest(): DetectorGroup {
    const [first] = this.groups.toSorted(
      (a, b) => b.sensors.length - a.sensors.length || Number(isCamera(a.id)) - Number(isCamera(b.id)),
    );
    if (first !== undefined) return first;
    throw new SaclaError("UNKNOWN_DETECTOR", `${this.#owner} has no detector.`, { details: { ...this.#details } });
  }

  /** The detector a user named, else the largest. @throws UNKNOWN_DETECTOR */
  findOrLargest(id: string | undefined): DetectorGroup {
    return id === undefined ? this.largest() : this.find(id);
  }

  /** Sensors of a composite id; any other id is its own sensor, also one that is not listed. */
  sensorsOf(name: string): readonly string[] {
    const id = this.#idOf(name);
    return this.groups.find((group) => group.id === id)?.sensors ?? [id];
  }

  #idOf(name: string): string {
    return this.#names?.detectorId(name) ?? name;
  }

  /** The id of a sensor or camera, which has images of its own. @throws UNKNOWN_DETECTOR, for a composite id too */
  sensor(id: string): string {
    this.checkListed(id);
    const sensors = this.sensorsOf(id);
    if (sensors.length === 1 && sensors[0] === id) return id;
    throw new SaclaError(
      "UNKNOWN_DETECTOR",
      `${id} is a detector of ${sensors.length} sensors, which have the images: ${showList(sensors)}.`,
      { details: { ...this.#details, detId: id, sensors: [...sensors] } },
    );
  }

  /** @throws UNKNOWN_DETECTOR when the id is none of those listed */
  checkListed(id: string): void {
    if (!this.#ids.includes(id)) this.unlisted(id);
  }

  /** @throws UNKNOWN_DETECTOR always */
  unlisted(id: string): never {
    const groups = this.groups.map((group) => group.id);
    throw new SaclaError(
      "UNKNOWN_DETECTOR",
      `${this.#owner} has no detector ${id}; it has ${showList(groups, 20)}.${didYouMean(id, this.#ids)}`,
      { details: { ...this.#details, detId: id, known: [...this.#ids] } },
    );
  }
}
