import { SaclaError } from "../core/errors.ts";
import type { Roi } from "../core/roi.ts";
import type { Shot } from "../core/shots.ts";
import type { CallParams, CallResult } from "../transport/methods.ts";
import type { PageSource } from "./live-pictures.ts";
import { PageDetector } from "./page-detector.ts";
import { type CutPicture, PictureMaker } from "./picture-maker.ts";

/** Detectors and shots that are remembered: a page asks for the same one again and again. */
const KEPT = 4;

type ShotOf = Pick<CallParams<"page.picture">, "bl" | "run" | "tag" | "detId" | "dark">;

/** Pictures of stored shots. */
export class StoredPictures {
  readonly #source: PageSource;
  readonly #detectors = new Map<string, Promise<PageDetector>>();
  readonly #makers = new Map<string, Promise<PictureMaker>>();

  constructor(source: PageSource) {
    this.#source = source;
  }

  async frame(params: CallParams<"page.picture">, signal?: AbortSignal): Promise<CallResult<"page.picture">> {
    return await (await this.#maker(params, signal)).frame(params, true);
  }

  async pixel(
    params: ShotOf & { readonly row: number; readonly column: number },
    signal?: AbortSignal,
  ): Promise<CallResult<"page.pixel">> {
    return (await this.#maker(params, signal)).pixel(params.row, params.column);
  }

  async cut(params: ShotOf & { readonly region: Roi | null }, signal?: AbortSignal): Promise<CutPicture> {
    return (await this.#maker(params, signal)).cut(params.region);
  }

  #maker({ bl, run, tag, detId, dark }: ShotOf, signal?: AbortSignal): Promise<PictureMaker> {
    const key = JSON.stringify([bl, run, tag, detId, dark]);
    return kept(this.#makers, key, async () => {
      const { db, st } = this.#source;
      const of = await db.run(bl, run);
      const detector = await kept(this.#detectors, JSON.stringify([bl, run, detId, dark]), async () =>
        PageDetector.open(st, of, detId, dark === null ? null : await db.run(bl, dark)),
      );
      const { sensors } = detector.group;
      let found: Shot | undefined;
      for await (const shot of st.shots({ run: of, detectors: sensors, tags: [tag], missing: "partial", signal }))
        found = shot.keep();
      if (found === undefined || Object.keys(found.images).length === 0)
        throw new SaclaError("FRAME_MISSING", `Run ${run} has no image of ${detId} for tag ${tag}.`);
      const missing = Object.entries(found.missing ?? {}).map(([id, reason]) => ({ detId: id, reason }));
      const about = { seq: 0, bl, detId, hightag: of.hightag, run: of.number, tag, shots: 1, dark, missing };
      const cameAt = Date.now() / 1000;
      return new PictureMaker(
        { ...about, time: null, latencyMs: null, cameAt, hits: null, what: "all", pumped: null },
        detector,
        found.images,
      );
    });
  }
}

/** What was made under a key, or is made now; the oldest is forgotten, and what failed. */
function kept<T>(made: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let found = made.get(key);
  if (found === undefined) {
    found = make();
    found.catch(() => made.delete(key));
    made.set(key, found);
    const [oldest] = made.keys();
    if (made.size > KEPT && oldest !== undefined) made.delete(oldest);
  }
  return found;
}
