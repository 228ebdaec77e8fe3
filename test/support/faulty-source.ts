import { hash } from "../../src/core/random.ts";
import { type Column, type MissingReason, setEntry } from "../../src/core/syncdb.ts";
import type { DataSource } from "../../src/source/data-source.ts";

/** What goes wrong, all of it decided by the seed. */
export interface Faults {
  readonly seed: number;
  /** Share of images that are not there. */
  readonly missingFrames?: number;
  /** Share of signal values that are not-converged, saturated or missing. */
  readonly badValues?: number;
  /**
   * Numbers of the image reads that fail, counted over the life of the source from 1; each fails once, so that reading
   * again works.
   */
  readonly failingReads?: readonly number[];
  /** The run says it ends this much earlier (below 0) or later than it does. */
  readonly endShift?: number;
}

/** A source with faults, and what is known about them. */
export interface FaultySource {
  readonly source: DataSource;
  /** Whether the image of a shot is not there. */
  isMissing(detId: string, tag: number): boolean;
  /** Why a signal that has a number in truth has none; null when it has. */
  badValue(equipId: string, tag: number): MissingReason | null;
  /** Image reads so far, failed ones included. */
  reads(): number;
}

const reasons = ["not-converged", "saturated", "missing"] as const;

/**
 * Puts faults before a source. They depend on the seed, sensor or signal and tag alone, so a test can tell what to
 * expect.
 */
export function withFaults(inner: DataSource, faults: Faults): FaultySource {
  const { seed, missingFrames = 0, badValues = 0, failingReads = [], endShift = 0 } = faults;
  let reads = 0;
  const chance = (kind: string, id: string, tag: number): number => hash(hash(seed, kind, id), tag) / 0x1_0000_0000;
  const isMissing = (detId: string, tag: number): boolean => chance("frame", detId, tag) < missingFrames;
  const badValue = (equipId: string, tag: number): MissingReason | null =>
    chance("value", equipId, tag) < badValues
      ? (reasons[Math.floor(3 * chance("reason", equipId, tag))] ?? "missing")
      : null;

  const overrides: Partial<DataSource> = {
    runInfo: async (bl, run) => {
      const info = await inner.runInfo(bl, run);
      return { ...info, end_tagnumber: info.end_tagnumber + endShift };
    },
    readFrame: (bl, run, detId, tag, out) => {
      reads++;
      if (failingReads.includes(reads)) throw new Error(`read ${reads} failed, as the test asked`);
      return isMissing(detId, tag) ? false : inner.readFrame(bl, run, detId, tag, out);
    },
    column: async (equipId, hightag, tags) => {
      const column: Column = await inner.column(equipId, hightag, tags);
      tags.forEach((tag, i) => {
        const reason = badValue(equipId, tag);
        if (reason !== null) setEntry(column, i, reason);
      });
      return column;
    },
  };
  const source = new Proxy(inner, {
    get: (target, key) => {
      const own: unknown = Reflect.get(overrides, key) ?? Reflect.get(target, key);
      return typeof own === "function" ? own.bind(target) : own;
    },
  });
  return { source, isMissing, badValue, reads: () => reads };
}
