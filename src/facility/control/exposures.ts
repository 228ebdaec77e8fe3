import { controlParameters } from "./parameters.ts";

/** What hit one spot of the sample. */
interface SpotExposure {
  /** Shots that hit it. */
  hits: number;
  /** In shots of nominal energy. */
  dose: number;
  /**
   * Ticks after which the dose was as noted, thinned out as it grows: under a hundred entries to the end of the damage.
   */
  readonly ticks: number[];
  readonly doses: number[];
}

/** Beyond this dose nothing is left to be damaged. */
const ENOUGH = 60;
/** Of a larger sample the spots hit first are forgotten. */
const MOST_SPOTS = 500_000;

/** Which spots of the sample were shot, and how much they had got at each moment. */
export class Exposures {
  readonly #spots = new Map<string, SpotExposure>();

  /** One shot; to be told in the order of time. */
  add(spot: string, tick: number, dose: number): void {
    const known = this.#spots.get(spot) ?? this.#fresh(spot);
    known.hits++;
    known.dose += dose;
    const noted = known.doses.at(-1) ?? 0;
    if (noted > ENOUGH || known.dose - noted < Math.max(0.02, 0.1 * noted)) return;
    known.ticks.push(tick);
    known.doses.push(known.dose);
  }

  #fresh(spot: string): SpotExposure {
    const made: SpotExposure = { hits: 0, dose: 0, ticks: [], doses: [] };
    this.#spots.set(spot, made);
    const [oldest] = this.#spots.keys();
    if (this.#spots.size > MOST_SPOTS && oldest !== undefined) this.#spots.delete(oldest);
    return made;
  }

  /** Shots on a spot so far. */
  hits(spot: string): number {
    return this.#spots.get(spot)?.hits ?? 0;
  }

  /** What is left of the signal of a spot for the shot at a tick. */
  factor(spot: string, tick: number): number {
    const known = this.#spots.get(spot);
    if (known === undefined) return 1;
    let dose = 0;
    for (let i = known.ticks.length - 1; i >= 0 && dose === 0; i--)
      if ((known.ticks[i] ?? 0) < tick) dose = known.doses[i] ?? 0;
    const { damageFloor, damagePerShot } = controlParameters;
    return damageFloor + (1 - damageFloor) * ((damagePerShot - damageFloor) / (1 - damageFloor)) ** dose;
  }
}
