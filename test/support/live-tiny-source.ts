import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { CitiusSource } from "../../src/source/citius-source.ts";
import type { LiveSource } from "../../src/source/live-source.ts";
import { TINY_HIGHTAG, type TinySource, tinySource } from "./tiny-source.ts";

/** The tiny source with its running run as what is live, where time stands still after two shots, and without CITIUS. */
export function liveTinySource(): TinySource & { readonly live: LiveSource; readonly citius: CitiusSource } {
  const source = tinySource();
  const [bl, run] = [3, 12];
  const live: LiveSource = {
    now: () => Date.now() / 1000,
    until: async (seconds, signal) => {
      await sleep(Math.max(0, 1000 * seconds - Date.now()), undefined, signal === undefined ? {} : { signal });
    },
    detectors: (of) => (of === bl ? source.detectors(bl, run) : []),
    detectorInfo: (_, detId) => source.detectorInfo(bl, run, detId),
    shots: (of, after) => {
      const tags = of === bl ? source.tags(bl, run).filter((tag) => tag > (after ?? 0)) : new Uint32Array(0);
      return { hightag: TINY_HIGHTAG, tags, upTo: 3003 };
    },
    timeOf: (_, tag) => source.timestamp(TINY_HIGHTAG, tag),
    runOf: () => run,
    imageState: () => "ready",
    readFrame: (_, detId, tag, out) => source.readFrame(bl, run, detId, tag, out as Float32Array),
  };
  const citius: CitiusSource = {
    apiVersion: () => "tiny CITIUS 1.0",
    runStatus: () => "not-citius",
    sensors: () => [],
    readBadpixelMask: () => {},
    reconstInfo: () => expect.unreachable("there is no CITIUS"),
  };
  return Object.assign(source, { live, citius });
}
