import type { DetectorInfo } from "../../src/core/detector.ts";
import { SaclaError } from "../../src/core/errors.ts";
import { type Column, emptyColumn, type MissingReason, setEntry } from "../../src/core/syncdb.ts";
import type { DataSource } from "../../src/source/data-source.ts";
import type { RunInfo } from "../../src/transport/methods.ts";

/** One run of a {@link TinySource}. */
export interface TinyRun {
  readonly run: number;
  /** First tag. */
  readonly start: number;
  readonly images: number;
  /** Tags between two images. @default 2 */
  readonly step?: number;
  /** @default 0, stopped */
  readonly status?: number;
  /** @default "run <number>" */
  readonly comment?: string;
  /** Composite ids and sensors. @default the single sensor and the dual of {@link tinyDetectors} */
  readonly detectors?: readonly string[];
  /** Tags without an image, by detector id. */
  readonly missingFrames?: Readonly<Record<string, readonly number[]>>;
}

export const TINY_HIGHTAG = 202502;
export const tinyDetectors: readonly string[] = [
  "MPCCD-1N0-M06-002",
  "MPCCD-2N0-1-006",
  "MPCCD-2N0-1-006-1",
  "MPCCD-2N0-1-006-2",
  "OPAL-234363",
];
export const tinyRows = 4;
export const tinyColumns = 3;

/** The value of a pixel: the last digits of the tag, the sensor number and the place can be read from it. */
export function tinyPixel(detId: string, tag: number, row: number, column: number): number {
  const sensor = Number(/-(\d)$/.exec(detId)?.[1] ?? 0);
  return (tag % 1000) * 1000 + sensor * 100 + row * 10 + column;
}

/** What a signal is at a tag: a number, or why there is none. */
export type TinySignal = (tag: number) => number | MissingReason;

/**
 * A source held in memory and scripted by the test: runs with tags, signals as functions of the tag, images of 4 × 3
 * pixels. Runs and signals can be added and a run's status changed while something reads.
 */
export class TinySource implements DataSource {
  readonly name = "the tiny source";
  closed = 0;
  /** How often each question was asked. */
  readonly asked: Map<string, number> = new Map();
  readonly #runs: Map<number, TinyRun[]> = new Map();
  readonly #status: Map<TinyRun, number> = new Map();
  readonly #signals: Map<string, { unit: string; value: TinySignal }> = new Map();

  constructor(runs: Readonly<Record<number, readonly TinyRun[]>>) {
    for (const [bl, list] of Object.entries(runs)) {
      this.#runs.set(Number(bl), []);
      for (const run of list) this.addRun(Number(bl), run);
    }
  }

  addRun(bl: number, run: TinyRun): this {
    this.#runs.get(bl)?.push(run);
    this.#status.set(run, run.status ?? 0);
    return this;
  }

  setStatus(bl: number, run: number, status: number): this {
    this.#status.set(this.#run(bl, run), status);
    return this;
  }

  setSignal(equipId: string, unit: string, value: TinySignal): this {
    this.#signals.set(equipId, { unit, value });
    return this;
  }

  dropSignal(equipId: string): this {
    this.#signals.delete(equipId);
    return this;
  }

  apiVersion(): string {
    return "tiny 1.0";
  }

  beamlines(): number[] {
    return [...this.#runs.keys()];
  }

  runs(bl: number, last: number): number[] {
    this.#count("runs");
    return (this.#runs.get(bl) ?? []).map(({ run }) => run).slice(-last);
  }

  runStatus(bl: number, run: number): number {
    this.#count("runStatus");
    const found = this.#runs.get(bl)?.find((r) => r.run === run);
    return found === undefined ? -1 : (this.#status.get(found) ?? 0);
  }

  runInfo(bl: number, run: number): RunInfo {
    const r = this.#run(bl, run);
    const total = r.images * (r.step ?? 2);
    const starttime = this.timestamp(TINY_HIGHTAG, r.start);
    return {
      starttime,
      stoptime: starttime + total / 60,
      total_tagnumber: total,
      start_tagnumber: r.start,
      end_tagnumber: r.start + total,
      hightagnumber: TINY_HIGHTAG,
      comment: r.comment ?? `run ${run}`,
      runtype: "",
      stationnumber: bl === 3 ? 4 : 3,
      runstatus: this.#status.get(r) ?? 0,
    };
  }

  photonEnergyKev(): number {
    return 10.5;
  }

  detectors(bl: number, run: number): readonly string[] {
    return this.#run(bl, run).detectors ?? tinyDetectors;
  }

  tags(bl: number, run: number, detId?: string): Uint32Array {
    const r = this.#run(bl, run);
    const tags = Uint32Array.from({ length: r.images }, (_, i) => r.start + i * (r.step ?? 2));
    const missing = detId === undefined ? undefined : r.missingFrames?.[detId];
    return missing === undefined ? tags : tags.filter((tag) => !missing.includes(tag));
  }

  tagsBetween(bl: number, hightag: number, first: number, last: number): Uint32Array {
    if (hightag !== TINY_HIGHTAG) return new Uint32Array(0);
    const all = (this.#runs.get(bl) ?? []).flatMap(({ run }) => [...this.tags(bl, run)]);
    return Uint32Array.from(all).filter((tag) => tag >= first && tag <= last);
  }

  newestTag(equipId: string): [hightag: number, tag: number] {
    this.#signal(equipId);
    const ends = [...this.#runs.values()].flat().map(({ start, images, step }) => start + (images - 1) * (step ?? 2));
    return [TINY_HIGHTAG, Math.max(...ends)];
  }

  hightagAt(unixSeconds: number): number {
    return unixSeconds < 1_600_000_000 ? 201801 : TINY_HIGHTAG;
  }

  timestamp(_hightag: number, tag: number): number {
    return 1_762_486_057 + tag / 60;
  }

  equipment(): string[] {
    return [...this.#signals.keys()];
  }

  column(equipId: string, hightag: number, tags: Uint32Array): Column {
    this.#count("column");
    const { unit, value } = this.#signal(equipId);
    if (hightag !== TINY_HIGHTAG)
      throw new SaclaError("UNKNOWN_HIGHTAG", `${this.name} has no HighTag ${hightag}, only ${TINY_HIGHTAG}.`);
    const column = emptyColumn(equipId, unit, tags.length);
    tags.forEach((tag, i) => {
      setEntry(column, i, value(tag));
    });
    return column;
  }

  detectorInfo(_bl: number, _run: number, detId: string): DetectorInfo {
    const size = { id: detId, xsize: tinyColumns, ysize: tinyRows };
    if (!detId.startsWith("MPCCD")) return { ...size, absGain: null, geometry: null };
    const geometry = {
      posXUm: 0,
      posYUm: 0,
      posZUm: 0,
      rotationDeg: 0,
      pixelSizeXUm: 50,
      pixelSizeYUm: 50,
      manipulatorShiftUm: 0,
    };
    // The second sensor of a dual hangs under the first.
    return {
      ...size,
      absGain: 17,
      geometry: detId.endsWith("-2") ? { ...geometry, posYUm: -tinyRows * 50 } : geometry,
    };
  }

  readFrame(bl: number, run: number, detId: string, tag: number, out: Float32Array): boolean {
    this.#count("readFrame");
    if (!this.tags(bl, run, detId).includes(tag)) return false;
    for (let i = 0; i < out.length; i++) out[i] = tinyPixel(detId, tag, Math.floor(i / tinyColumns), i % tinyColumns);
    return true;
  }

  close(): void {
    this.closed++;
  }

  #run(bl: number, run: number): TinyRun {
    const found = this.#runs.get(bl)?.find((r) => r.run === run);
    if (found === undefined)
      throw new Error(`the test asked the tiny source for run ${run} of beamline ${bl}, which it has not`);
    return found;
  }

  #signal(equipId: string): { unit: string; value: TinySignal } {
    const signal = this.#signals.get(equipId);
    if (signal === undefined)
      throw new SaclaError("UNKNOWN_SIGNAL", `${this.name} has no equipment ${equipId}.`, { details: { equipId } });
    return signal;
  }

  #count(question: string): void {
    this.asked.set(question, (this.asked.get(question) ?? 0) + 1);
  }
}

/**
 * BL2 with run 5 (stopped); BL3 with runs 10 (6 images from tag 1000, step 2) and 11 stopped, and 12 still running. On
 * BL3 the X-ray shutter is closed for the first two shots of run 10, every other shot is pumped, BM1 has one shot that
 * did not converge (1004), one saturated (1008) and none recorded at 1010.
 */
export function tinySource(): TinySource {
  const bm1 = (tag: number): number | MissingReason =>
    tag === 1004 ? "not-converged" : tag === 1008 ? "saturated" : tag === 1010 ? "missing" : tag < 1004 ? 0 : 7e-9;
  return new TinySource({
    2: [{ run: 5, start: 501, images: 4, step: 1 }],
    3: [
      { run: 10, start: 1000, images: 6, comment: "powder", missingFrames: { "MPCCD-2N0-1-006-2": [1006] } },
      { run: 11, start: 2000, images: 3 },
      { run: 12, start: 3000, images: 2, status: 2 },
    ],
  })
    .setSignal("xfel_bl_3_tc_bm_1_pd/charge", "C", bm1)
    .setSignal("xfel_bl_3_st_2_motor_1/position", "pulse", (tag) => tag * 10)
    .setSignal("xfel_bl_3_shutter_1_open_valid/status", "", (tag) => (tag < 1004 ? 0 : 1))
    .setSignal("xfel_bl_3_shutter_1_close_valid/status", "", (tag) => (tag < 1004 ? 1 : 0))
    .setSignal("xfel_bl_3_lh1_shutter_1_open_valid/status", "", (tag) => (tag / 2) % 2)
    .setSignal("xfel_bl_3_lh1_shutter_1_close_valid/status", "", (tag) => 1 - ((tag / 2) % 2));
}
