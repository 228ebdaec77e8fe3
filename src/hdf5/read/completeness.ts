import type { CallOptions } from "../../core/async.ts";
import { isSaclaError } from "../../core/errors.ts";
import { present as ledgerPart } from "../../core/ledger.ts";
import { STATUS_OK, type SyncStatus, syncStatus } from "../../core/syncdb.ts";
import type { Run, RunTags } from "../../db/index.ts";
import { defaultSignals } from "./signals.ts";

/** How much of one signal or detector there is. */
export interface Presence {
  readonly name: string;
  readonly kind: "detector" | "signal";
  /** Shots with a value or an image. */
  readonly ok: number;
  /** Shots without, by reason; of detectors `missing` is an image not stored. */
  readonly counts: Readonly<Record<SyncStatus, number>>;
  /** Of detectors, how many images were lost in the file, by why; absent when none was. */
  readonly reasons?: Readonly<Record<string, number>>;
  /** One entry a shot, in the order of the tags: index into `ok, not-converged, saturated, missing`. */
  readonly status: Uint8Array;
}

/** What of a run is there. */
export interface Completeness {
  readonly bl: number;
  readonly run: number;
  readonly tags: Uint32Array;
  /** Detectors first. */
  readonly rows: readonly Presence[];
  /** Shots for which everything is there. */
  readonly complete: number;
}

/**
 * Which values and images of a run are missing, and why. Images are not read.
 * @param signals - equipment ids or patterns; default: those that `convert` writes
 * @param among - these shots of the run only
 */
export async function completeness(
  run: Run,
  signals?: readonly string[],
  options: CallOptions = {},
  among?: RunTags,
): Promise<Completeness> {
  const shots = among ?? (await run.tags(options));
  const rows: Presence[] = [];
  for (const { sensors } of await run.detectors(options)) {
    for (const id of sensors) {
      const present = await run.tags({ ...options, detector: id });
      const lost = shots.filter((tag) => !present.has(tag));
      rows.push({
        ...presence(
          id,
          "detector",
          Uint8Array.from(shots, (tag) => (present.has(tag) ? STATUS_OK : syncStatus.indexOf("missing"))),
        ),
        ...ledgerPart("reasons", lost.length === 0 ? [] : await reasonsOf(run, id, lost.values, options)),
      });
    }
  }
  const names = signals === undefined ? defaultSignals(await run.signals("", options), run.bl) : [];
  for (const pattern of signals ?? [])
    names.push(...(/[*?]/.test(pattern) ? await run.signals(pattern, options) : [pattern]));
  for (const name of names) rows.push(presence(name, "signal", (await run.column(name, shots, options)).status));
  const complete = shots.filter((_, i) => rows.every(({ status }) => status[i] === STATUS_OK)).length;
  return { bl: run.bl, run: run.number, tags: shots.values, rows, complete };
}

/** Why images are missing, as a stream of these shots says: no pixel is read of an image that is not there. */
async function reasonsOf(
  run: Run,
  detId: string,
  tags: Uint32Array,
  options: CallOptions,
): Promise<[reason: string, images: number][]> {
  const reasons = new Map<string, number>();
  const params = { bl: run.bl, run: run.number, detIds: [detId], tags, roi: null };
  try {
    for await (const { missing } of run.endpoint.stream("st.frames", params, options))
      for (const { reason } of missing)
        if (reason !== "frame-missing") reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  } catch (error) {
    // Without a single image the detector has no size, and while a run goes on no image can be read.
    if (!isSaclaError(error, "FRAME_MISSING", "RUN_NOT_READY")) throw error;
    const { reason } = error.details;
    if (typeof reason === "string") reasons.set(reason, tags.length);
  }
  return [...reasons];
}

function presence(name: string, kind: Presence["kind"], status: Uint8Array): Presence {
  const counts = { ok: 0, "not-converged": 0, saturated: 0, missing: 0 };
  for (const code of status) counts[syncStatus[code] ?? "missing"]++;
  return { name, kind, ok: counts.ok, counts, status };
}
