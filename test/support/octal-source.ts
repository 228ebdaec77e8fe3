import type { DetectorInfo } from "../../src/core/detector.ts";
import { SaclaError } from "../../src/core/errors.ts";
import { newPixels, type Pixels } from "../../src/core/ndarray.ts";
import type { Column } from "../../src/core/syncdb.ts";
import type { DataSource } from "../../src/source/data-source.ts";
import type { RunInfo } from "../../src/transport/methods.ts";

export const OCTAL_BL = 3;
export const OCTAL_RUN = 1;
export const OCTAL_HIGHTAG = 202502;
export const octalDetector = "MPCCD-8B0-2-001";
export const octalSensors: readonly string[] = Array.from({ length: 8 }, (_, i) => `${octalDetector}-${i + 1}`);
const ROWS = 1024;
const COLUMNS = 512;
const LENGTH = ROWS * COLUMNS;
/** Different images in turn; more than most caches hold. */
const IMAGES = 8;

/**
 * One long run of an octal MPCCD, uint16, held in memory, so that what is measured is the carrier. The tag can be read
 * from the first two pixels and the last two, the sensor from the third.
 */
export class OctalSource implements DataSource {
  readonly name = "an octal in memory";
  readonly #images: readonly Pixels[];
  readonly #tags: Uint32Array;
  /** Waits so long before each image of the first sensor. */
  readonly #delayMs: number;

  constructor(shots: number, delayMs = 0) {
    this.#tags = Uint32Array.from({ length: shots }, (_, i) => 1000 + 2 * i);
    this.#delayMs = delayMs;
    let state = 1;
    this.#images = Array.from({ length: IMAGES }, () => {
      const image = newPixels(LENGTH, "uint16");
      for (let i = 0; i < LENGTH; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        image[i] = 95 + (state >>> 27);
      }
      return image;
    });
  }

  apiVersion(): string {
    return "octal 1.0";
  }
  beamlines(): readonly number[] {
    return [OCTAL_BL];
  }
  runs(): readonly number[] {
    return [OCTAL_RUN];
  }
  runStatus(_bl: number, run: number): number {
    return run === OCTAL_RUN ? 0 : -1;
  }
  runInfo(): RunInfo {
    const total = 2 * this.#tags.length;
    return {
      starttime: 1_762_486_057,
      stoptime: 1_762_486_057 + total / 60,
      total_tagnumber: total,
      start_tagnumber: 1000,
      end_tagnumber: 1000 + total,
      hightagnumber: OCTAL_HIGHTAG,
      comment: "",
      runtype: "",
      stationnumber: 4,
      runstatus: 0,
    };
  }
  photonEnergyKev(): number {
    return 10;
  }
  detectors(): readonly string[] {
    return [octalDetector, ...octalSensors];
  }
  tags(): Uint32Array {
    return this.#tags;
  }
  tagsBetween(): Uint32Array {
    return this.#tags;
  }
  newestTag(): [number, number] {
    return [OCTAL_HIGHTAG, this.#tags.at(-1) ?? 0];
  }
  hightagAt(): number {
    return OCTAL_HIGHTAG;
  }
  timestamp(_hightag: number, tag: number): number {
    return 1_762_486_057 + tag / 60;
  }
  equipment(): readonly string[] {
    return [];
  }
  column(equipId: string, _hightag: number, tags: Uint32Array): Column {
    if (equipId === "nonsense") throw new SaclaError("UNKNOWN_SIGNAL", "There is no equipment nonsense.");
    return {
      equipId,
      unit: "C",
      values: Float64Array.from(tags, (tag) => tag * 1e-12),
      status: new Uint8Array(tags.length),
    };
  }
  detectorInfo(_bl: number, _run: number, id: string): DetectorInfo {
    const geometry = {
      posXUm: 0,
      posYUm: 0,
      posZUm: 0,
      rotationDeg: 0,
      pixelSizeXUm: 50,
      pixelSizeYUm: 50,
      manipulatorShiftUm: 0,
    };
    return { id, xsize: COLUMNS, ysize: ROWS, absGain: 17, geometry, pixelType: "uint16" };
  }
  readFrame(_bl: number, _run: number, detId: string, tag: number, out: Pixels): boolean | Promise<boolean> {
    const sensor = Number(detId.at(-1));
    out.set(this.#images[(tag / 2 + sensor) % IMAGES] ?? []);
    const [low, high] = [tag & 0xffff, tag >>> 16];
    out[0] = out[LENGTH - 2] = low;
    out[1] = out[LENGTH - 1] = high;
    out[2] = sensor;
    if (this.#delayMs === 0 || sensor !== 1) return true;
    return new Promise((resolve) => setTimeout(resolve, this.#delayMs, true));
  }
  close(): void {}
}

/** The tag a frame of an {@link OctalSource} is of; NaN when its two ends do not agree or it is another sensor's. */
export function octalTag(detId: string, data: Pixels): number {
  const tag = (data[0] ?? NaN) + 65_536 * (data[1] ?? NaN);
  const end = (data[data.length - 2] ?? NaN) + 65_536 * (data[data.length - 1] ?? NaN);
  return tag === end && data[2] === Number(detId.at(-1)) ? tag : NaN;
}
