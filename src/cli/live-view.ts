import { asImage, type NdArray, type RawImage, shapeOf } from "../core/ndarray.ts";
import type { LiveShot } from "../live/index.ts";

/** What is counted in each shot. */
interface LiveViewOptions {
  /** Mean dark image by sensor id, subtracted from each shot. */
  readonly dark?: Readonly<Record<string, NdArray<Float64Array>>> | undefined;
  /** A pixel above this is lit, in ADU. @default hits are not looked for */
  readonly hitAdu?: number | undefined;
  /** A shot with so many lit pixels is a hit. @default 20 */
  readonly hitPixels?: number | undefined;
}

/** What the shots since the last picture were like. */
interface LiveWindow {
  readonly shots: number;
  readonly perSecond: number;
  /** Mean and greatest latency of the shots; NaN without shots. */
  readonly latencyMs: number;
  readonly maxLatencyMs: number;
  /** Mean of all pixels of all sensors, less the dark. */
  readonly meanAdu: number;
  /** Share of hits; null when they are not looked for. */
  readonly hitShare: number | null;
}

/** Sums of live shots since the last look, in memory that does not grow. */
export class LiveView {
  /** The newest shot's run and tag, and when it came. */
  run = 0;
  tag = 0;
  lastAt: number;
  /** How old the newest shot was when it came. */
  ageMs = 0;
  readonly #options: LiveViewOptions;
  readonly #sums = new Map<string, { readonly sum: NdArray<Float64Array>; images: number }>();
  #since: number;
  #shots = 0;
  #latency = 0;
  #maxLatency = 0;
  #adu = 0;
  #hits = 0;

  constructor(options: LiveViewOptions, now: number) {
    this.#options = options;
    this.#since = now;
    this.lastAt = now;
  }

  add(shot: LiveShot, now: number): void {
    this.run = shot.run;
    this.tag = shot.tag;
    this.lastAt = now;
    this.ageMs = Math.round(shot.latencyMs);
    this.#shots++;
    this.#latency += shot.latencyMs;
    this.#maxLatency = Math.max(this.#maxLatency, shot.latencyMs);
    let [adu, pixels, lit] = [0, 0, 0];
    for (const [id, image] of Object.entries(shot.images)) {
      const counts = this.#addImage(id, image);
      adu += counts.adu;
      lit += counts.lit;
      pixels += image.size;
    }
    this.#adu += pixels === 0 ? 0 : adu / pixels;
    if (lit >= (this.#options.hitPixels ?? 20)) this.#hits++;
  }

  #addImage(id: string, image: RawImage): { adu: number; lit: number } {
    const { hitAdu = Infinity, dark } = this.#options;
    const { sum } = this.#lane(id, image);
    const [to, from, darkFrom] = [sum.data, image.data, dark?.[id]?.data];
    let [adu, lit] = [0, 0];
    for (let i = 0; i < from.length; i++) {
      const value = (from[i] ?? 0) - (darkFrom?.[i] ?? 0);
      to[i] = (to[i] ?? 0) + value;
      adu += value;
      if (value > hitAdu) lit++;
    }
    return { adu, lit };
  }

  #lane(id: string, image: RawImage): { readonly sum: NdArray<Float64Array>; images: number } {
    let lane = this.#sums.get(id);
    if (lane === undefined) {
      const [rows, columns] = shapeOf(id, image);
      lane = { sum: asImage(new Float64Array(rows * columns), rows, columns), images: 0 };
      this.#sums.set(id, lane);
    }
    lane.images++;
    return lane;
  }

  /** What the shots since {@link restart} were like. */
  window(now: number): LiveWindow {
    const shots = this.#shots;
    return {
      shots,
      perSecond: shots / Math.max(1e-3, (now - this.#since) / 1000),
      latencyMs: this.#latency / shots,
      maxLatencyMs: shots === 0 ? NaN : this.#maxLatency,
      meanAdu: this.#adu / shots,
      hitShare: this.#options.hitAdu === undefined || shots === 0 ? null : this.#hits / shots,
    };
  }

  /** Mean image of each sensor since {@link restart}, of those that had one. */
  means(): Record<string, NdArray<Float64Array>> {
    const means: Record<string, NdArray<Float64Array>> = {};
    for (const [id, { sum, images }] of this.#sums) {
      const [rows, columns] = shapeOf(id, sum);
      if (images > 0)
        means[id] = asImage(
          sum.data.map((value) => value / images),
          rows,
          columns,
        );
    }
    return means;
  }

  /** Begins to sum anew. */
  restart(now: number): void {
    for (const lane of this.#sums.values()) {
      lane.sum.data.fill(0);
      lane.images = 0;
    }
    this.#since = now;
    this.#shots = 0;
    this.#latency = 0;
    this.#maxLatency = 0;
    this.#adu = 0;
    this.#hits = 0;
  }
}
