import { sleep } from "../../src/core/async.ts";
import { SaclaError } from "../../src/core/errors.ts";
import type { Random } from "../../src/core/random.ts";
import type { AcceleratorSide, ControlDriver, DeviceInfo, DeviceReading, OperatorAnswer } from "../../src/ec/index.ts";
import type { RequestRule } from "../../src/transport/request-methods.ts";

/** How often what goes wrong, 0 to 1. */
export interface Hostility {
  /** A ramp stops half way. */
  readonly stuck: number;
  /** A value is refused: used by another program. */
  readonly refused: number;
  /** No answer, and perhaps an effect later. */
  readonly silent: number;
  /** A reading fails. */
  readonly broken: number;
}

const calm: Hostility = { stuck: 0, refused: 0, silent: 0, broken: 0 };

/** A parameter of the accelerator of the machine below, verified by the signal of its name. */
export const chicane: DeviceInfo & { kind: "setting" } = {
  kind: "setting",
  role: "accelerator",
  name: "bl3_chicane1",
  syncdb: null,
  meaning: "delay",
  unit: "fs",
  allowed: { from: 0, to: 300 },
};

export const chicaneSignal = "xfel_mon_bpm_bl3_chicane_1_delay/summary";

const rule: RequestRule = {
  parameter: chicane.name,
  step: 100,
  perMinute: 1000,
  rampSeconds: 0.3,
  verification: { signal: chicaneSignal, tolerance: 5, ranges: null, settleShots: 3, mostShots: 40 },
};

/**
 * An accelerator with one parameter that outlives the program that controls it. It ramps in `rampMs`, counts shots at
 * 1000 a second, and does wrong what it is told to do wrong.
 */
export class HostileMachine {
  hostility: Hostility = calm;
  mode: "normal" | "tuning" = "normal";
  perMinute: number = rule.perMinute;
  rampMs = 10;
  /** Values that somebody has set, in order. */
  readonly sets: number[] = [];
  readonly #random: Random;
  readonly #began = performance.now();
  #from = 0;
  #to = 0;
  #since = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** What the parameter really is now. */
  get value(): number {
    const part = Math.min(1, (performance.now() - this.#since) / this.rampMs);
    return this.#from + (this.#to - this.#from) * part;
  }

  get isMoving(): boolean {
    return performance.now() - this.#since < this.rampMs;
  }

  get tag(): number {
    return 1000 + Math.floor(performance.now() - this.#began);
  }

  /** A driver of it, as one process has it. `isAlive` false: the process was killed, and does nothing any more. */
  driver(isAlive: () => boolean, answer?: AcceleratorSide["answer"]): ControlDriver {
    const alive = async (): Promise<void> => {
      if (!isAlive()) await new Promise(() => {});
    };
    const state: AcceleratorSide["state"] = async () => {
      await alive();
      return { mode: this.mode, shot: [202501, this.tag] };
    };
    const none = async (): Promise<never> => {
      throw new SaclaError("UNSUPPORTED", "There is none.");
    };
    return {
      name: "the hostile machine",
      devices: async () => [chicane],
      read: async (device) => {
        await alive();
        return this.#read(device);
      },
      set: async (_, value) => {
        await alive();
        await this.#set(Number(value));
      },
      accelerator: {
        rules: async () => [{ ...rule, perMinute: this.perMinute }],
        state,
        ...(answer === undefined ? {} : { answer }),
      },
      move: none,
      stop: none,
      preset: none,
      setSpeed: none,
      setShutter: none,
      startRun: none,
      pauseRun: none,
      resumeRun: none,
      stopRun: none,
      runState: async () => ({ run: 0, state: "ready", shots: 0 }),
      beam: async () => ({ on: true, why: "" }),
      close: async () => {},
    };
  }

  /** One shot of the signal that shows the parameter. */
  measured(): number {
    return this.value + 3 * this.#random.normal();
  }

  #read(device: string): DeviceReading {
    if (this.#random.uniform() < this.hostility.broken) throw new Error("ECONNRESET");
    return { device, state: this.isMoving ? "moving" : "ready", value: this.value, why: "" };
  }

  async #set(value: number): Promise<void> {
    const { refused, silent, stuck } = this.hostility;
    if (this.isMoving || this.#random.uniform() < refused)
      throw new SaclaError("DEVICE_BUSY", "It is busy; ask again.");
    const luck = this.#random.uniform();
    // It takes long to answer, and what was asked happens in the end or never.
    if (luck < silent) await sleep(60);
    if (luck < silent / 2) throw new Error("no answer");
    this.sets.push(value);
    this.#from = this.value;
    this.#to = this.#random.uniform() < stuck ? (this.#from + value) / 2 : value;
    this.#since = performance.now();
  }
}

/** An answer as operators give it. */
export const says = (answer: OperatorAnswer["answer"], to: number | null = null, why = ""): OperatorAnswer => ({
  operator: "shift leader",
  answer,
  to,
  why,
});
