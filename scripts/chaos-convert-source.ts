import type { DetectorInfo } from "../src/core/detector.ts";
import { SaclaError } from "../src/core/errors.ts";
import { hash } from "../src/core/random.ts";
import { type Column, emptyColumn, setEntry } from "../src/core/syncdb.ts";
import type { DataSource } from "../src/source/data-source.ts";
import type { RunInfo } from "../src/transport/index.ts";

const [START, STEP, DARK, SIDE] = [1000, 2, 60, 24];
const sensors = ["MPCCD-2N0-1-006-1", "MPCCD-2N0-1-006-2"];
const OPEN = "xfel_bl_3_shutter_1_open_valid/status";
const CLOSE = "xfel_bl_3_shutter_1_close_valid/status";
const BM = "xfel_bl_3_tc_bm_1_pd/charge";

/** Shots of two small sensors, every pixel and flaw decided by its place: quick to read and always the same. */
export class ChaosSource implements DataSource {
  readonly name = "the chaos source";
  readonly #tags: Uint32Array;

  constructor(shots = 500) {
    this.#tags = Uint32Array.from({ length: shots }, (_, i) => START + i * STEP);
  }

  apiVersion(): string {
    return "chaos 1";
  }

  beamlines(): number[] {
    return [3];
  }

  runs(): number[] {
    return [1];
  }

  runStatus(_bl: number, run: number): number {
    return run === 1 ? 0 : -1;
  }

  runInfo(): RunInfo {
    const total_tagnumber = this.#tags.length * STEP;
    return {
      starttime: 1_760_000_000,
      stoptime: 1_760_000_000 + total_tagnumber / 60,
      total_tagnumber,
      start_tagnumber: START,
      end_tagnumber: START + total_tagnumber,
      hightagnumber: 202502,
      comment: "chaos",
      runtype: "",
      stationnumber: 2,
      runstatus: 0,
    };
  }

  photonEnergyKev(): number {
    return 10;
  }

  detectors(): string[] {
    return ["MPCCD-2N0-1-006", ...sensors];
  }

  tags(_bl: number, _run: number, detId?: string): Uint32Array {
    return detId === undefined ? this.#tags : this.#tags.filter((tag) => this.#isThere(detId, tag));
  }

  tagsBetween(_bl: number, _hightag: number, first: number, last: number): Uint32Array {
    return this.#tags.filter((tag) => tag >= first && tag <= last);
  }

  newestTag(): [hightag: number, tag: number] {
    return [202502, this.#tags.at(-1) ?? START];
  }

  hightagAt(): number {
    return 202502;
  }

  timestamp(_hightag: number, tag: number): number {
    return 1_760_000_000 + (tag - START) / 60;
  }

  equipment(): string[] {
    return [OPEN, CLOSE, BM, "xfel_mon_bpm_1/x"];
  }

  column(equipId: string, _hightag: number, tags: Uint32Array): Column {
    if (!this.equipment().includes(equipId))
      throw new SaclaError("UNKNOWN_SIGNAL", `${this.name} has no signal ${equipId}.`);
    const column = emptyColumn(equipId, equipId === BM ? "C" : "", tags.length);
    for (const [i, tag] of tags.entries()) {
      const chance = hash(equipId, tag) % 100;
      const isDark = tag < START + DARK * STEP;
      if (equipId === OPEN || equipId === CLOSE) setEntry(column, i, Number(isDark === (equipId === CLOSE)));
      else
        setEntry(
          column,
          i,
          chance === 0 ? "not-converged" : chance === 1 ? "saturated" : chance === 2 ? "missing" : chance / 7,
        );
    }
    return column;
  }

  detectorInfo(_bl: number, _run: number, id: string): DetectorInfo {
    const geometry = {
      posXUm: -600,
      posYUm: 1300,
      posZUm: 0,
      rotationDeg: 0.1,
      pixelSizeXUm: 50,
      pixelSizeYUm: 50,
      manipulatorShiftUm: 0,
    };
    return {
      id,
      xsize: SIDE,
      ysize: SIDE,
      absGain: 17,
      geometry: id.endsWith("-2") ? { ...geometry, posYUm: -10 } : geometry,
    };
  }

  readFrame(_bl: number, _run: number, detId: string, tag: number, out: Float32Array): boolean {
    if (!this.#isThere(detId, tag)) return false;
    const key = hash(detId, tag);
    for (let i = 0; i < out.length; i++) out[i] = (Math.imul(key ^ i, 0x9e37_79b1) >>> 20) / 4;
    return true;
  }

  close(): void {}

  #isThere(detId: string, tag: number): boolean {
    return hash("frame", detId, tag) % 50 !== 0;
  }
}
