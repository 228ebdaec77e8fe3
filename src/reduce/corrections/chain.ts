import { isSaclaError, SaclaError, showList } from "../../core/errors.ts";
import type { Pixels } from "../../core/ndarray.ts";
import type { ImageSpec, Shot } from "../../core/shots.ts";
import { correctInto, imageInPlace, type SensorCorrection } from "../images/in-place.ts";
import type { Correction, CorrectionStage } from "./correction.ts";

/** Where corrections tell what they did to used shots. */
interface CorrectionBook {
  readonly note: (what: string) => void;
  readonly amount: (what: string, value: number) => void;
}

/** A chain of corrections in one pass over shots. */
export class CorrectionChain {
  readonly #corrections: readonly Correction[];
  readonly #passes: readonly CorrectionStage[];
  #isChecked = false;

  constructor(corrections: readonly Correction[], { note, amount }: CorrectionBook) {
    this.#corrections = corrections;
    this.#passes = corrections.map((correction) => correction.begin(note, amount));
  }

  /**
   * To be asked before any image of the shot is corrected: why it must be dropped, or null.
   * @throws BAD_ARGUMENT when the shots lack a signal
   */
  reject(shot: Shot): string | null {
    if (!this.#isChecked)
      for (const { name, signals = [] } of this.#corrections) checkSignals(shot, `correction ${name}`, signals);
    this.#isChecked = true;
    for (const pass of this.#passes) {
      const reason = pass.shot?.(shot) ?? null;
      if (reason !== null) return reason;
    }
    for (const pass of this.#passes) pass.accepted?.();
    return null;
  }

  /** Whether it does the same to images of all shots. */
  get isSteady(): boolean {
    return this.#passes.every(({ shot, accepted }) => shot === undefined && accepted === undefined);
  }

  /** What is done to the images of one sensor. */
  sensor(frame: ImageSpec): SensorCorrection {
    const level = this.#passes[0]?.level?.(frame);
    const steps = this.#passes.slice(level === undefined ? 0 : 1).flatMap((pass) => pass.sensor?.(frame) ?? []);
    const isPixelwise = this.isSteady && this.#passes.every(({ sensor, pixelwise }) => !sensor || pixelwise === true);
    let memory: Float32Array | undefined;
    const ownMemory = (): Float32Array => {
      memory ??= imageInPlace(frame.rows * frame.columns, this.#passes.length);
      return memory;
    };
    const image = (pixels: Pixels, out = ownMemory()): Float32Array => {
      correctInto(correction, pixels, out);
      return out;
    };
    const correction: SensorCorrection = { level, steps, isPixelwise, image };
    return correction;
  }
}

/** @throws BAD_ARGUMENT when a signal was not asked for with the shots, saying what to add */
export function checkSignals(shot: Shot, who: string, signals: readonly string[]): void {
  const lacking = signals.filter((signal) => !hasSignal(shot, signal));
  if (lacking.length === 0) return;
  throw new SaclaError(
    "BAD_ARGUMENT",
    `The ${who} needs ${showList(lacking)}, which the shots do not carry. ` +
      `Add to the shots: signals: ${JSON.stringify(lacking)}.`,
    {
      details: { who, lacking },
    },
  );
}

function hasSignal(shot: Shot, signal: string): boolean {
  try {
    shot.value(signal);
    return true;
  } catch (error) {
    if (isSaclaError(error, "BAD_ARGUMENT")) return false;
    throw error;
  }
}
