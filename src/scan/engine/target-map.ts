import { SaclaError, show } from "../../core/errors.ts";
import { badArgument } from "../../core/guards.ts";
import { AppendLog } from "../../files/index.ts";
import type { Positions, TargetSpot } from "../messages/messages.ts";

/** `spent`: given to a scan, and nobody knows yet whether it was hit; it is never given again. */
export type SpotState = "fresh" | "spent" | "shot" | "missed";

/**
 * Places on a sample that may be shot once. A spot is marked as spent, on the disk, before the shutter opens, and
 * confirmed by the beam monitor afterwards; whatever happens between, it is never given a second time. The map outlives
 * the scan: the next one begins at the first fresh spot.
 *
 * @example
 * const rows = { axis: "y", from: 0, to: 2, points: 5 };
 * const columns = { axis: "x", from: 0, to: 4, points: 9 };
 * const chip = TargetMap.create("chip-7.map", gridPositions([rows, columns], true));
 * const plan = count({ times: 20, shots: 1, freshSpots: { map: "chip", shutter: "main" } });
 * await new Engine(beamline, { maps: { chip } }).run(plan);
 */
export class TargetMap {
  readonly #spots: readonly Positions[];
  readonly #states: SpotState[];
  readonly #log: AppendLog | undefined;
  #next = 0;

  private constructor(spots: readonly Positions[], log: AppendLog | undefined) {
    this.#spots = spots;
    this.#states = spots.map(() => "fresh");
    this.#log = log;
  }

  /** A map in memory, for rehearsals. @param spots - in the order in which they shall be used */
  static inMemory(spots: readonly Positions[]): TargetMap {
    return new TargetMap(checkSpots(spots), undefined);
  }

  /** A new map file. @throws FILE_EXISTS, WRITE_FAILED */
  static create(path: string, spots: readonly Positions[]): TargetMap {
    checkSpots(spots);
    return new TargetMap(spots, AppendLog.create(path, { spots }));
  }

  /** A map with what has been used of it. @throws FILE_NOT_FOUND, FILE_DAMAGED, WRITE_FAILED */
  static open(path: string): TargetMap {
    const { log, lines } = AppendLog.open(path);
    const spots = spotsIn(lines[0]);
    if (spots === undefined) {
      log.close();
      throw new SaclaError("FILE_DAMAGED", `${show(path)} is no target map: its first line has no spots.`, {
        details: { path },
      });
    }
    const map = new TargetMap(spots, log);
    for (const line of lines.slice(1)) map.#take(line);
    return map;
  }

  get length(): number {
    return this.#spots.length;
  }

  /** How many spots are in each state. */
  get counts(): Readonly<Record<SpotState, number>> {
    const counts = { fresh: 0, spent: 0, shot: 0, missed: 0 };
    for (const state of this.#states) counts[state]++;
    return counts;
  }

  state(index: number): SpotState {
    const state = this.#states[index];
    if (state === undefined) throw badArgument("spot", index, `a whole number from 0 to ${this.length - 1}`);
    return state;
  }

  /** Marks the next fresh spot as spent and gives it. @throws NO_FRESH_SPOT */
  take(): TargetSpot {
    while (this.#next < this.length && this.#states[this.#next] !== "fresh") this.#next++;
    const at = this.#spots[this.#next];
    if (at === undefined) {
      throw new SaclaError("NO_FRESH_SPOT", `All ${this.length} spots of the target map are used.`, {
        details: { ...this.counts },
      });
    }
    const index = this.#next++;
    this.#log?.append({ spent: index });
    this.#states[index] = "spent";
    return { index, at };
  }

  /** What the beam monitor saw on a spent spot. */
  confirm(index: number, hit: boolean): void {
    if (this.state(index) === "fresh") throw badArgument("spot to confirm", index, "one that has been given out");
    this.#log?.append({ confirmed: index, hit });
    this.#states[index] = hit ? "shot" : "missed";
  }

  /** A copy in memory, for a dry run. */
  preview(): TargetMap {
    const copy = new TargetMap(this.#spots, undefined);
    copy.#states.splice(0, this.length, ...this.#states);
    return copy;
  }

  get isDirty(): boolean {
    return this.#log?.isDirty ?? false;
  }

  /** What was marked lasts even when the computer stops. */
  async sync(): Promise<void> {
    await this.#log?.sync();
  }

  close(): void {
    this.#log?.close();
  }

  #take(line: unknown): void {
    if (typeof line !== "object" || line === null) return;
    if ("spent" in line && typeof line.spent === "number") this.#states[line.spent] = "spent";
    if ("confirmed" in line && typeof line.confirmed === "number" && "hit" in line)
      this.#states[line.confirmed] = line.hit === true ? "shot" : "missed";
  }
}

function checkSpots(spots: readonly Positions[]): readonly Positions[] {
  const seen = new Set<string>();
  for (const spot of spots) {
    const key = JSON.stringify(spot);
    if (Object.keys(spot).length === 0 || !Object.values(spot).every(Number.isFinite))
      throw badArgument("spot", spot, "finite positions of at least one axis");
    if (seen.has(key)) throw badArgument("spots", spot, "each another one, or it would be shot twice");
    seen.add(key);
  }
  return spots;
}

function spotsIn(line: unknown): readonly Positions[] | undefined {
  if (typeof line !== "object" || line === null || !("spots" in line) || !Array.isArray(line.spots)) return undefined;
  const spots: Positions[] = [];
  for (const spot of line.spots as readonly unknown[]) {
    if (typeof spot !== "object" || spot === null) return undefined;
    const entries = Object.entries(spot).filter((entry): entry is [string, number] => typeof entry[1] === "number");
    spots.push(Object.fromEntries(entries));
  }
  return spots;
}
