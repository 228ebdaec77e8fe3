import { throwIfAborted } from "../core/async.ts";
import { SaclaError } from "../core/errors.ts";
import { asText, badArgument } from "../core/guards.ts";
import { asImage, contiguous, newPixels, pixelTypeOf, type RawImage, shapeOf } from "../core/ndarray.ts";
import { any, integer, optional, resolveOptions } from "../core/options.ts";
import type { Shot } from "../core/shots.ts";
import { EdgeFinder, type EdgeFinderOptions, type EdgeSample, type FoundEdge } from "./edge-finder.ts";

/** What was found at one shot. */
export interface ShotEdge {
  readonly tag: number;
  /** Whether X-rays came. Without them the image is a laser-only one and goes into the background. */
  readonly xrays: boolean;
  /** Undefined for a laser-only shot, and while the finder still learns. */
  readonly edge: FoundEdge | undefined;
}

export interface ShotEdgesOptions {
  /** Id of the timing monitor's camera. */
  readonly camera: string;
  /** Whether X-rays came at a shot; undefined: not known, the shot is left out. */
  readonly xrays: (shot: Shot) => boolean | undefined;
  /** A finder that has learnt already. @default it learns from the first shots */
  readonly finder?: EdgeFinder | undefined;
  /** @default learns everything */
  readonly finderOptions?: EdgeFinderOptions | undefined;
  /** Shots of each kind from which it learns: so many with X-rays, and at most so many without. @default 60 */
  readonly learnFrom?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const LEARN_FROM = 60;
/** With fewer laser-only shots than this a live finder waits for more. */
const LEAST_LASER_ONLY = 3;

/**
 * Whether X-rays came, by a signal: its number is at least `least`. No number at all is no X-rays: a beam monitor
 * without a pulse does not converge.
 * @example
 * const xrays = xraysBySignal("xfel_bl_3_tc_bm_1_pd/charge", 1e-10);
 */
export function xraysBySignal(equipId: string, least: number): (shot: Shot) => boolean {
  asText("equipId", equipId);
  return (shot) => shot.number(equipId) >= least;
}

/**
 * A finder that has learnt from shots: from up to `learnFrom` of each kind.
 * @throws NO_LASER_ONLY
 * @throws NO_SHOTS when no shot has an image of the camera
 * @throws NO_EDGES when no shot with X-rays has a sure edge
 */
export async function learnEdges(shots: AsyncIterable<Shot>, options: ShotEdgesOptions): Promise<EdgeFinder> {
  const { camera, xrays, finderOptions, learnFrom, signal } = checkEdgesOptions("learnEdges", options);
  const samples = new Samples(learnFrom);
  for await (const shot of shots) {
    throwIfAborted(signal);
    const image = shot.images[camera];
    const isOn = xrays(shot);
    if (image === undefined || isOn === undefined) continue;
    samples.add(image, isOn);
  }
  const { on, off } = samples.seen;
  if (on + off === 0)
    throw new SaclaError("NO_SHOTS", `No shot has an image of ${camera} and is known to be with or without X-rays.`);
  const finder = EdgeFinder.learn(samples.all(), finderOptions);
  if (finder.summary.edges === 0)
    throw new SaclaError(
      "NO_EDGES",
      `${on} of ${on + off} shots had X-rays, and on none of them an edge was sure enough to learn from.`,
      { details: { xrays: on, laserOnly: off } },
    );
  return finder;
}

/**
 * Edges shot by shot, as the shots come: of a stored run or of the running beam. Without a `finder` it learns first;
 * the shots it learns from come with `edge` undefined, and once it has learnt they do not come again.
 * @throws BAD_ARGUMENT when the shots have no images of the camera
 * @example
 * const shots = facility.live.shots({ bl: 3, detectors: [camera], signals: [bm1] });
 * for await (const { tag, edge } of findEdges(shots, { camera, xrays: xraysBySignal(bm1, 1e-10), finder }))
 *   if (edge?.usable) console.log(tag, edge.fittingPx, edge.errorPx);
 */
export async function* findEdges(
  shots: AsyncIterable<Shot>,
  options: ShotEdgesOptions,
): AsyncGenerator<ShotEdge, void, undefined> {
  const { camera, xrays, finder: given, finderOptions, learnFrom, signal } = checkEdgesOptions("findEdges", options);
  let finder = given;
  const samples = new Samples(learnFrom);
  for await (const shot of shots) {
    throwIfAborted(signal);
    const image = shot.images[camera];
    if (image === undefined)
      throw badArgument("camera", camera, Object.keys(shot.images).join(", ") || "one that is read");
    const on = xrays(shot);
    if (on === undefined) continue;
    if (finder === undefined) {
      samples.add(image, on);
      if (samples.laserOnly >= LEAST_LASER_ONLY && samples.xrays >= learnFrom)
        finder = EdgeFinder.learn(samples.all(), finderOptions);
      yield { tag: shot.tag, xrays: on, edge: undefined };
      continue;
    }
    if (!on) finder.addLaserOnly(image);
    yield { tag: shot.tag, xrays: on, edge: on ? finder.find(image) : undefined };
  }
}

function checkEdgesOptions(where: string, options: ShotEdgesOptions) {
  const found = resolveOptions(where, options, {
    camera: asText,
    xrays: any,
    finder: any,
    finderOptions: any,
    learnFrom: optional(integer(8, 1000), LEARN_FROM),
    signal: any,
  });
  if (typeof found.xrays !== "function") throw badArgument("xrays", found.xrays, "a function of a shot");
  return found;
}

/** Copies of images to learn from: the first ones of each kind, and later ones in place of every other of those. */
class Samples {
  readonly #most: number;
  readonly #kept: { readonly on: EdgeSample[]; readonly off: EdgeSample[] } = { on: [], off: [] };
  readonly #seen = { on: 0, off: 0 };
  readonly #step = { on: 1, off: 1 };

  constructor(most: number) {
    this.#most = most;
  }

  /** How many there were of each kind. */
  get seen(): { readonly on: number; readonly off: number } {
    return this.#seen;
  }

  get xrays(): number {
    return this.#kept.on.length;
  }

  get laserOnly(): number {
    return this.#kept.off.length;
  }

  /** Every 1st, 2nd, 4th … shot of its kind is kept, so that those kept lie evenly over the run. */
  add(image: RawImage, xrays: boolean): void {
    const kind = xrays ? "on" : "off";
    const kept = this.#kept[kind];
    if (this.#seen[kind]++ % this.#step[kind] !== 0) return;
    if (kept.length >= this.#most) {
      const half = kept.filter((_, i) => i % 2 === 0);
      kept.splice(0, kept.length, ...half);
      this.#step[kind] *= 2;
    }
    const [rows, columns] = shapeOf("image of the timing monitor", image);
    const pixels = newPixels(rows * columns, pixelTypeOf(image.data));
    pixels.set(contiguous(image));
    kept.push({ image: asImage(pixels, rows, columns), xrays });
  }

  *all(): Generator<EdgeSample, void, undefined> {
    yield* this.#kept.off;
    yield* this.#kept.on;
  }
}
