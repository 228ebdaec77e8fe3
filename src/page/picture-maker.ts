import { sleep } from "../core/async.ts";
import { asImage, type Image, type RawImage } from "../core/ndarray.ts";
import { cutRoi, type Roi, roiShape } from "../core/roi.ts";
import type { CallParams, CallResult } from "../transport/methods.ts";
import type { PageFrame } from "../transport/page-methods.ts";
import type { PageDetector } from "./page-detector.ts";
import type { WholePicture } from "./shown.ts";

type Frame = PageFrame;
type Look = Pick<CallParams<"page.picture">, "region" | "side" | "rois" | "profile">;

type Numbers = NonNullable<Frame["numbers"]>;
/** What is known of a shot before its images are looked at. */
type About = Omit<Frame, "picture" | "rings" | "rois" | "numbers" | "reducedMs">;

/** A part of a picture. */
export interface CutPicture {
  /** Shape [rows, columns]. */
  readonly image: Image;
  /** In pixels of the whole picture. */
  readonly region: Roi;
  readonly about: About;
  readonly assembler: PageDetector["assembler"];
}

/** Curves need not be as new as the picture: those of a shot so little older will do. */
const NUMBERS_MS = 1000;
/** And where the computer is busy: so many times as long as they took. */
const NUMBERS_SHARE = 10;
/** Who does not ask for a later picture has got this one by then. */
const GOT_MS = 250;
/** Axes whose newest curves are remembered. */
const KEPT_AXES = 8;

/** One shot, or the mean of some, of which pictures are made: of each look one, whoever asks for it and how often. */
export class PictureMaker {
  readonly tag: number;
  readonly whole: WholePicture;
  readonly #about: About;
  readonly #detector: PageDetector;
  readonly #images: Readonly<Record<string, RawImage>>;
  readonly #began: number;
  readonly #parts = new Map<string, Frame["picture"]>();
  readonly #numbers = new Map<string, Promise<Numbers>>();
  /** Resolves when a picture has been sent: the curves take time in which nothing is sent. */
  readonly #got: Promise<void>;
  #tellGot: () => void = () => {};
  /** The newest curves of each axis, of this picture or of one before, and when they were begun. */
  readonly #newest: Map<string, { readonly at: number; readonly tookMs: number; readonly numbers: Numbers }>;

  /**
   * @param before - the picture before this one, of the same detector, whose curves may still do; its memory is used,
   * so no more pictures can be made of it
   */
  constructor(about: About, detector: PageDetector, images: Readonly<Record<string, RawImage>>, before?: PictureMaker) {
    this.#began = performance.now();
    this.#got = new Promise((resolve) => {
      this.#tellGot = resolve;
    });
    this.#newest = before === undefined ? new Map() : before.#newest;
    this.#about = about;
    this.tag = about.tag;
    this.#detector = detector;
    this.#images = images;
    this.whole = detector.picture(images, before?.whole);
  }

  /** @param waits - for the curves of this picture; false: the picture comes at once, with the newest that there are */
  async frame({ region, side, rois, profile }: Look, waits: boolean): Promise<Frame> {
    if (waits) this.#tellGot();
    // Before anything is waited for: the memory may then be that of a later shot.
    const picture = this.#part(region, side);
    const sums = this.#detector.regions(this.#images, this.whole, rois);
    const rings = this.#detector.rings(profile, picture);
    const numbers = waits ? await this.#numbersFor(profile) : this.#newestNumbers(profile);
    return { ...this.#about, reducedMs: performance.now() - this.#began, picture, rings, rois: sums, numbers };
  }

  /** A copy of a part of the picture, every pixel, with what is known of the shot. */
  cut(region: Roi | null): CutPicture {
    const { data, columns } = this.whole;
    const part = this.whole.inside(region);
    const [height, width] = roiShape(part);
    const pixels = new Float32Array(height * width);
    cutRoi(data, columns, part, pixels);
    const image = asImage(pixels, height, width);
    return { image, region: part, about: this.#about, assembler: this.#detector.assembler };
  }

  /** Somebody has got the picture, and asks for a later one. */
  tellGot(): void {
    this.#tellGot();
  }

  #newestNumbers(profile: Look["profile"]): Numbers | null {
    const newest = this.#newest.get(JSON.stringify(profile));
    const isOld = newest === undefined || this.#began - newest.at > Math.max(NUMBERS_MS, NUMBERS_SHARE * newest.tookMs);
    if (isOld && !this.#detector.isReadyFor(profile))
      void this.#sent().then(() => this.#detector.makeReadyFor(profile));
    // A failure is told to who waits for it.
    else if (isOld) this.#numbersFor(profile).catch(() => {});
    return newest?.numbers ?? null;
  }

  /** Resolves when the picture has been sent to somebody. */
  async #sent(): Promise<void> {
    await Promise.race([this.#got, sleep(GOT_MS)]);
  }

  #numbersFor(profile: Look["profile"]): Promise<Numbers> {
    const key = JSON.stringify(profile);
    const made = this.#numbers.get(key) ?? this.#makeNumbers(key, profile);
    this.#numbers.set(key, made);
    return made;
  }

  async #makeNumbers(key: string, profile: Look["profile"]): Promise<Numbers> {
    await this.#sent();
    const began = performance.now();
    const shot = { tag: this.tag, images: this.#images };
    const numbers = { ...(await this.#detector.numbers(shot, profile)), tag: this.tag };
    if (this.#newest.size >= KEPT_AXES) this.#newest.clear();
    this.#newest.set(key, { at: this.#began, tookMs: performance.now() - began, numbers });
    return numbers;
  }

  /** Resolves when nothing is computed of the images any more: their memory can be used for a later shot. */
  async settled(): Promise<void> {
    // While these are waited for, somebody may have asked for those of another axis.
    for (let n = -1; n < this.#numbers.size; ) {
      n = this.#numbers.size;
      await Promise.allSettled(this.#numbers.values());
    }
  }

  /** One pixel, and where it comes from. */
  pixel(row: number, column: number): CallResult<"page.pixel"> {
    const { data, rows, columns } = this.whole;
    const isInside = row < rows && column < columns;
    const place = this.#detector.beam?.toUm(row + 0.5, column + 0.5);
    const value = isInside ? (data[row * columns + column] ?? NaN) : NaN;
    return {
      tag: this.tag,
      value: Number.isFinite(value) ? value : null,
      sensor: isInside ? this.#detector.place(row, column) : null,
      xUm: place?.xUm ?? null,
      yUm: place?.yUm ?? null,
    };
  }

  #part(region: Roi | null, side: number): Frame["picture"] {
    const key = `${region?.rows} ${region?.columns} ${side}`;
    let part = this.#parts.get(key);
    if (part === undefined) {
      const { beam } = this.#detector;
      part = {
        ...this.whole.part(region, side),
        pixelSizeUm: beam?.pixelSizeUm ?? null,
        beam: beam === null ? null : { row: beam.row, column: beam.column },
      };
      this.#parts.set(key, part);
    }
    return part;
  }
}
