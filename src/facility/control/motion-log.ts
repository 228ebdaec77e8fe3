import { TAG_RATE_HZ } from "../../core/constants.ts";
import { durationOf, type Motion, placeAt, velocityAt } from "./kinematics.ts";

/** A motion, when it began, and what the stage was like then. */
interface LoggedMotion extends Motion {
  /** In 60ths of a second, as all times of control: a tag is one of them. */
  readonly start: number;
  /** What the counter shows beyond the motor's own pulses. */
  readonly offset: number;
  /** Where the load stood, in the motor's pulses. */
  readonly load: number;
}

const FIELDS = [
  "start",
  "from",
  "to",
  "velocity",
  "rampUp",
  "cruise",
  "rampDown",
  "offset",
  "load",
] as const satisfies readonly (keyof LoggedMotion)[];
const WIDTH = FIELDS.length;
/** 72 bytes each: 4.7 MB for an axis that has moved so often. */
const MOST = 65_536;

/**
 * Every motion of one stage, so that its place at any tag can be computed. Of a stage that has moved more than 65 536
 * times the older half is forgotten; it then seems to have stood still before.
 */
export class MotionLog {
  #rows = new Float64Array(16 * WIDTH);
  #count = 0;
  #last: LoggedMotion;
  readonly #backlash: number;

  constructor(place: number, backlash: number, offset = 0) {
    this.#backlash = backlash;
    this.#last = {
      start: -Infinity,
      from: place,
      to: place,
      velocity: 0,
      rampUp: 0,
      cruise: 0,
      rampDown: 0,
      offset,
      load: place,
    };
    this.#write(this.#last);
  }

  /** The motion going on, or the last one. */
  get last(): LoggedMotion {
    return this.#last;
  }

  add(motion: Motion, start: number, offset: number): void {
    const logged = { ...motion, start, offset, load: this.loadIn(this.#last, start) };
    this.#write(logged);
    this.#last = logged;
  }

  /** Motor pulses `tick` into a motion. */
  placeIn(motion: LoggedMotion, tick: number): number {
    return placeAt(motion, (tick - motion.start) / TAG_RATE_HZ);
  }

  velocityIn(motion: LoggedMotion, tick: number): number {
    return velocityAt(motion, (tick - motion.start) / TAG_RATE_HZ);
  }

  /**
   * Where the load is: going up it goes with the motor, going down it hangs behind by the backlash; after a turn it
   * stands until the backlash is taken up.
   */
  loadIn(motion: LoggedMotion, tick: number): number {
    const place = this.placeIn(motion, tick);
    if (motion.velocity > 0) return Math.max(motion.load, place);
    return motion.velocity < 0 ? Math.min(motion.load, place + this.#backlash) : motion.load;
  }

  /** When it is over. */
  endOf(motion: LoggedMotion): number {
    return motion.start + durationOf(motion) * TAG_RATE_HZ;
  }

  /** The motion in force at a tick: what is asked for at a tick begins after it. */
  at(tick: number): LoggedMotion {
    if (tick > this.#last.start) return this.#last;
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#rows[middle * WIDTH] ?? 0) < tick) low = middle;
      else high = middle - 1;
    }
    return this.#read(low);
  }

  #write(motion: LoggedMotion): void {
    if (this.#count === MOST) {
      this.#rows.copyWithin(0, (MOST / 2) * WIDTH);
      this.#count = MOST / 2;
    }
    if ((this.#count + 1) * WIDTH > this.#rows.length) {
      const larger = new Float64Array(2 * this.#rows.length);
      larger.set(this.#rows);
      this.#rows = larger;
    }
    FIELDS.forEach((field, i) => {
      this.#rows[this.#count * WIDTH + i] = motion[field];
    });
    this.#count++;
  }

  #read(row: number): LoggedMotion {
    const field = (i: number): number => this.#rows[row * WIDTH + i] ?? 0;
    return {
      start: field(0),
      from: field(1),
      to: field(2),
      velocity: field(3),
      rampUp: field(4),
      cruise: field(5),
      rampDown: field(6),
      offset: field(7),
      load: field(8),
    };
  }
}
