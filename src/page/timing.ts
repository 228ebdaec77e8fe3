import { isCamera } from "../core/detector-families.ts";
import { isSaclaError, SaclaError } from "../core/errors.ts";
import type { Run } from "../db/index.ts";
import { relativeFs, TimingDb, type TmaConfig, type TmaFinder, type TmaRow } from "../timing/index.ts";
import type { CallParams, CallResult } from "../transport/methods.ts";
import { FoundEdges } from "./found-edges.ts";
import type { PageSource } from "./live-pictures.ts";
import { signalSummary } from "./signal-summary.ts";

type Params = CallParams<"page.timing">;

/** Runs and cameras whose edges are remembered. */
const KEPT = 4;
/** Rows that are answered with. */
const MOST_ROWS = 20_000;

/** Timing edges of a beamline: those that the source has, of the user database, and those found on images. */
export class PageTiming {
  readonly #source: PageSource;
  readonly #dbPath: string | undefined;
  readonly #found = new Map<string, FoundEdges>();

  constructor(source: PageSource, dbPath: string | undefined) {
    this.#source = source;
    this.#dbPath = dbPath;
  }

  async choices({ bl, run }: CallParams<"page.timingChoices">): Promise<CallResult<"page.timingChoices">> {
    const ids =
      run === null
        ? await this.#source.live.readDetidlist(bl)
        : (await (await this.#source.db.run(bl, run)).detectors()).flatMap(({ sensors }) => [...sensors]);
    const cameras = ids.filter(isCamera);
    const tma = this.#withDb((db) => db.list()) ?? [];
    return {
      cameras,
      tma: tma.filter((one) => one.bl === bl).map(({ id, camera, comment, shots }) => ({ id, camera, comment, shots })),
    };
  }

  async edges(params: Params): Promise<CallResult<"page.timing">> {
    const { bl, run, from } = params;
    if (from === "images") return answerOf(this.#imagesOf(params).now(), params);
    const of = run === null ? await this.#source.db.newestRun(bl) : await this.#source.db.run(bl, run);
    const rows = from === "source" ? await ofSource(of) : this.#ofDatabase(of, params);
    return answerOf({ rows, state: run === null ? `run ${of.number}` : "", total: null, error: null }, params);
  }

  close(): void {
    for (const found of this.#found.values()) found.close();
  }

  #ofDatabase({ bl, number, hightag, info }: Run, { run, tmaId }: Params): readonly TmaRow[] {
    if (tmaId === null) throw new SaclaError("UNKNOWN_TMA", "Choose a TMA id.");
    const rows = this.#withDb((db) => {
      const newest = db.hightags(tmaId).at(-1) ?? hightag;
      const { start_tagnumber: start, end_tagnumber: end } = info;
      return db.rows(tmaId, run === null ? { hightag: newest } : { hightag, start, end: end - 1 });
    });
    if (rows === undefined) throw new SaclaError("UNKNOWN_TMA", `This server has no user database: sacla tma create.`);
    if (rows.length === 0 && run !== null)
      throw new SaclaError(
        "NO_EDGES",
        `TMA id ${tmaId} has no edges of run ${number} of beamline ${bl}: sacla tma run ${tmaId} ${number}.`,
      );
    return rows;
  }

  #imagesOf({ bl, run, tmaId, camera }: Params): FoundEdges {
    const key = JSON.stringify([bl, run, tmaId, camera]);
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    const config = tmaId === null ? undefined : this.#withDb((db): TmaConfig => db.config(tmaId));
    const of = camera ?? config?.camera;
    if (of === undefined) throw new SaclaError("UNKNOWN_DETECTOR", "Choose the camera of the timing monitor.");
    const made = new FoundEdges(
      this.#source,
      { bl, run, camera: of },
      (config?.configuration as TmaFinder | undefined) ?? null,
    );
    for (const [other, found] of this.#found)
      if (this.#found.size >= KEPT && !found.isWatched) {
        found.close();
        this.#found.delete(other);
      }
    if (this.#found.size >= KEPT)
      throw new SaclaError(
        "TOO_MANY_REQUESTS",
        `Edges of ${KEPT} others are being found; look at one of those, or wait.`,
        {
          details: { retryAfterMs: 5000 },
        },
      );
    this.#found.set(key, made);
    return made;
  }

  /** Opened for each question: another program writes it. Undefined: there is none. */
  #withDb<T>(work: (db: TimingDb) => T): T | undefined {
    if (this.#dbPath === undefined) return undefined;
    try {
      using db = TimingDb.open(this.#dbPath);
      return work(db);
    } catch (error) {
      if (isSaclaError(error, "FILE_NOT_FOUND")) return undefined;
      throw error;
    }
  }
}

/** Those of the facility have no errors and no flags. */
async function ofSource(run: Run): Promise<TmaRow[]> {
  const { tags, derivativePx, fittingPx } = await run.timingEdges();
  return Array.from(tags, (tag, i): TmaRow => {
    const [derivative, fitting] = [derivativePx[i] ?? NaN, fittingPx[i] ?? NaN];
    const unknown = { errorPx: NaN, depth: NaN, widthPx: NaN, flags: [] };
    return { tag, derivativePx: derivative, fittingPx: fitting, ...unknown, usable: Number.isFinite(fitting) };
  });
}

function answerOf(
  { rows: all, state, total, error }: ReturnType<FoundEdges["now"]>,
  params: Params,
): CallResult<"page.timing"> {
  const { by, flagged, fsPerPixel, zeroPx } = params;
  const rows = all.slice(-MOST_ROWS);
  const scale = fsPerPixel === null ? null : { fsPerPixel, quadratic: 0, zeroPx: zeroPx ?? 0 };
  const edges = Float64Array.from(rows, (row) => {
    const px = row.usable || flagged ? (by === "fit" ? row.fittingPx : row.derivativePx) : NaN;
    return scale === null ? px : relativeFs(px, scale);
  });
  const flags: Record<string, number> = {};
  for (const row of rows) for (const flag of row.flags) flags[flag] = (flags[flag] ?? 0) + 1;
  const { mean, standardDeviation, histogram } = signalSummary(edges, null);
  return {
    tags: Uint32Array.from(rows, ({ tag }) => tag),
    edges,
    errors: Float64Array.from(rows, ({ errorPx }) => (by === "fit" ? Math.abs(errorPx * (fsPerPixel ?? 1)) : NaN)),
    unit: scale === null ? "px" : "fs",
    usable: rows.filter((row) => row.usable).length,
    flags,
    summary: { mean, standardDeviation, histogram },
    state,
    total,
    error,
  };
}
