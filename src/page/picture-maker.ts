import { asImage, type Image, type RawImage } from "../core/ndarray.ts";
import { cutRoi, type Roi, roiShape } from "../core/roi.ts";
import type { CallParams, CallResult } from "../transport/methods.ts";
import type { PageFrame } from "../transport/page-methods.ts";
import type { PageDetector } from "./page-detector.ts";
import type { WholePicture } from "./shown.ts";

type Frame = PageFrame;
type Look = Pick<CallParams<"page.picture">, "region" | "side" | "rois" | "profile">;

type Numbers = Pick<Frame, "histogram" | "profile" | "numbersTag">;
/** What is known of a shot before its images are looked at. */
type About = Omit<Frame, "picture" | "rings" | "rois" | keyof Numbers | "reducedMs">;

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
const NUMBERS_MS = 500;

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
  /** When the shots came whose curves these are. */
  readonly #made = new Map<string, number>();
  #before: PictureMaker | undefined;

  /**
   * @param before - the picture before this one, of the same detector, whose curves may still do; its memory is used,
   * so no more pictures can be made of it
   */
  constructor(about: About, detector: PageDetector, images: Readonly<Record<string, RawImage>>, before?: PictureMaker) {
    this.#began = performance.now();
    this.#before = before;
    this.#about = about;
    this.tag = about.tag;
    this.#detector = detector;
    this.#images = images;
    this.whole = detector.picture(images, before?.whole);
  }

  async frame({ region, side, rois, profile }: Look): Promise<Frame> {
    // Before anything is waited for: the memory may then be that of a later shot.
    const picture = this.#part(region, side);
    const sums = this.#detector.regions(this.#images, this.whole, rois);
    const rings = this.#detector.rings(profile);
    const numbers = await this.#numbersFor(profile);
    return { ...this.#about, reducedMs: performance.now() - this.#began, picture, rings, rois: sums, ...numbers };
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

  #numbersFor(profile: Look["profile"]): Promise<Numbers> {
    const key = JSON.stringify(profile);
    const known = this.#numbers.get(key) ?? this.#fromBefore(key);
    if (known !== undefined) return known;
    const made = this.#detector
      .numbers({ tag: this.tag, images: this.#images }, profile)
      .then((numbers) => ({ ...numbers, numbersTag: this.tag }));
    this.#made.set(key, this.#began);
    this.#numbers.set(key, made);
    return made;
  }

  #fromBefore(key: string): Promise<Numbers> | undefined {
    const before = this.#before;
    if (before === undefined) return undefined;
    const [at, numbers] = [before.#made.get(key), before.#numbers.get(key)];
    if (at === undefined || numbers === undefined || this.#began - at > NUMBERS_MS) return undefined;
    this.#made.set(key, at);
    this.#numbers.set(key, numbers);
    return numbers;
  }

  /** Resolves when nothing is computed of the images any more: their memory can be used for a later shot. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#numbers.values());
  }

  /** There is a newer one: those before this one are not needed any more. */
  forgetOlder(): void {
    this.#before = undefined;
  }

  /** One pixel, and where it comes from. */
  pixel(row: number, column: number): CallResult<"page.pixel"> {
    const { data, rows, columns } = this.whole;
    const isInside = row < rows && column < columns;
    const place = this.#detector.assembler?.imageToMicrometres(column + 0.5, row + 0.5);
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
      const { assembler } = this.#detector;
      part = {
        ...this.whole.part(region, side),
        pixelSizeUm: assembler?.pixelSizeUm ?? null,
        beam: assembler === null ? null : { row: assembler.height / 2, column: assembler.width / 2 },
      };
      this.#parts.set(key, part);
    }
    return part;
  }
}
