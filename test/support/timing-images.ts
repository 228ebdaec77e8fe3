import { asImage, type RawImage } from "../../src/core/ndarray.ts";
import { Random } from "../../src/core/random.ts";
import { normalCdf } from "../../src/core/special-functions.ts";

/** An image of a timing monitor and what is hidden in it. */
export interface TimingImage {
  readonly image: RawImage;
  readonly xrays: boolean;
  /** NaN where there is no edge. */
  readonly edgePx: number;
  readonly secondPx: number;
}

export interface TimingImageOptions {
  readonly seed: number;
  readonly shots?: number;
  readonly depth?: readonly [number, number];
  readonly rows?: number;
  readonly columns?: number;
  readonly sigma?: number;
  readonly jitterPx?: number;
  readonly periods?: readonly number[];
  readonly dark?: "low" | "high";
  readonly axis?: "columns" | "rows";
  readonly noise?: number;
  readonly secondShare?: number;
  /** How far away the second edge is, in σ. @default 9 */
  readonly secondAway?: number;
  /** Where the edge would be without jitter, from its usual place. @default 0 */
  readonly shiftPx?: (shot: number) => number;
}

/**
 * Images with fringes whose phase drifts, written for the tests and unlike the simulated facility's: a fifth of the
 * shots, and the first ten, without X-rays; every 17th shot with X-rays without an edge.
 */
export function timingImages(options: TimingImageOptions): TimingImage[] {
  const { seed, shots = 80, depth = [0.05, 0.1], rows = 8, columns = 1024, sigma = 12 } = options;
  const { jitterPx = 30, periods = [37, 131], dark = "low", axis = "columns" } = options;
  const { noise = 0.02, secondShare = 0.05, secondAway = 9, shiftPx = () => 0 } = options;
  const random = new Random(seed);
  const phases = periods.map(() => 2 * Math.PI * random.uniform());
  return Array.from({ length: shots }, (_, shot) => {
    const xrays = shot >= 10 && shot % 5 !== 0;
    const light = 1500 * (1 + 0.05 * random.normal());
    phases.forEach((phase, k) => {
      phases[k] = phase + 0.1 + 0.2 * random.normal();
    });
    const hasEdge = xrays && shot % 17 !== 0;
    const edgePx = hasEdge ? 0.48 * columns + shiftPx(shot) + jitterPx * random.normal() : NaN;
    const deep = depth[0] + (depth[1] - depth[0]) * random.uniform();
    const secondPx = hasEdge && random.uniform() < secondShare ? edgePx + secondAway * sigma : NaN;
    /** How much of what an edge takes it has taken at `x`. */
    const lost = (at: number, x: number): number =>
      Number.isNaN(at) ? 0 : normalCdf((dark === "low" ? at - x : x - at) / sigma);
    const [tall, wide] = axis === "columns" ? [rows, columns] : [columns, rows];
    const pixels = new Uint16Array(rows * columns);
    for (let x = 0; x < columns; x++) {
      const bell = Math.exp(-0.5 * ((x - columns / 2) / (0.33 * columns)) ** 2);
      const waves = periods.reduce(
        (f, period, k) => f * (1 + 0.02 * Math.sin((2 * Math.PI * x) / period + (phases[k] ?? 0))),
        1,
      );
      const [first, second] = [lost(edgePx, x), lost(secondPx, x)];
      for (let row = 0; row < rows; row++) {
        const reach = Math.exp(-0.5 * ((row - (rows - 1) / 2) / (rows / 5)) ** 2);
        const passes = (1 - deep * reach * first) * (1 - 0.6 * deep * reach * second);
        const grey = light * bell * waves * passes * (1 + noise * random.normal()) + 3 * random.normal();
        pixels[axis === "columns" ? row * columns + x : x * rows + row] = Math.max(0, Math.min(4095, Math.round(grey)));
      }
    }
    return { image: asImage(pixels, tall, wide), xrays, edgePx, secondPx };
  });
}
