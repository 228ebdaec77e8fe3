import type { CallOptions } from "../../core/async.ts";
import { IMAGE_MISSING, IMAGE_THERE, imageStates } from "../../core/image-states.ts";
import { present as ledgerPart } from "../../core/ledger.ts";
import { STATUS_OK, type SyncStatus, syncStatus } from "../../core/syncdb.ts";
import { readImageStates } from "../../db/image-states.ts";
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

/** Why images are missing. Only files know more than that they are. */
async function reasonsOf(
  run: Run,
  detId: string,
  tags: Uint32Array,
  options: CallOptions,
): Promise<[reason: string, images: number][]> {
  const reasons = new Map<string, number>();
  const [states = []] = (await readImageStates(run, [detId], tags, options)) ?? [];
  for (const state of states) {
    const reason = imageStates[state];
    if (reason !== undefined && state !== IMAGE_THERE && state !== IMAGE_MISSING)
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  return [...reasons];
}

function presence(name: string, kind: Presence["kind"], status: Uint8Array): Presence {
  const counts = { ok: 0, "not-converged": 0, saturated: 0, missing: 0 };
  for (const code of status) counts[syncStatus[code] ?? "missing"]++;
  return { name, kind, ok: counts.ok, counts, status };
}
