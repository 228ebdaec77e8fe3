import type { CallOptions } from "../core/async.ts";
import type { Shot } from "../core/shots.ts";
import type { Run } from "../db/index.ts";

/** A status signal of a shutter: 1 when what it says is true. */
interface Flag {
  readonly equipId: string;
  /** Whether it says that the shutter is closed. */
  readonly isClose: boolean;
}

/** Classifies live shots as pumped or unpumped by the signals that label the shots of a run. */
export class PumpLabels {
  readonly signals: readonly string[];
  readonly #laser: readonly Flag[];
  readonly #xray: readonly Flag[];

  private constructor(laser: readonly Flag[], xray: readonly Flag[]) {
    this.#laser = laser;
    this.#xray = xray;
    this.signals = [...new Set([...laser, ...xray].map(({ equipId }) => equipId))];
  }

  /** @throws UNKNOWN_SIGNAL when the run records no pump laser */
  static async of(run: Run, options?: CallOptions): Promise<PumpLabels> {
    const { laser, xray } = (await run.labels(undefined, options)).basis;
    // Other signals (the beam monitor of old runs) cannot classify a single shot.
    const shutter = xray.signals.filter((equipId) => /shutter/.test(equipId));
    return new PumpLabels(laser.signals.map(flagOf), shutter.map(flagOf));
  }

  /** Null: the flags contradict each other, are missing, or there are no X-rays. */
  of(shot: Pick<Shot, "number">): "on" | "off" | null {
    if (this.#xray.length > 0 && openOf(this.#xray, shot) !== true) return null;
    const isOn = openOf(this.#laser, shot);
    return isOn === null ? null : isOn ? "on" : "off";
  }
}

function flagOf(equipId: string): Flag {
  return { equipId, isClose: /close/.test(equipId) };
}

/** Whether all flags say open, or all closed; null: they do not agree, or one is missing. */
function openOf(flags: readonly Flag[], shot: Pick<Shot, "number">): boolean | null {
  const says = (isOpen: boolean): boolean =>
    flags.every(({ equipId, isClose }) => shot.number(equipId) === (isOpen === isClose ? 0 : 1));
  return says(true) ? true : says(false) ? false : null;
}
