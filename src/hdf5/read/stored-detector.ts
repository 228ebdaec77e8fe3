import { bytesOf } from "../../core/bytes.ts";
import { checkGeometry, type DetectorInfo, type SensorGeometry } from "../../core/detector.ts";
import { familyOf } from "../../core/detector-families.ts";
import { isSaclaError, SaclaError, show, showList } from "../../core/errors.ts";
import { IMAGE_MISSING, IMAGE_THERE, imageState, whyNoImage } from "../../core/image-states.ts";
import { newPixels, type Pixels } from "../../core/ndarray.ts";
import type { TagRows } from "../../core/tag-rows.ts";
import { isCut } from "../../ip/masks.ts";
import type { CallResult } from "../../transport/methods.ts";
import { imageShape } from "../direct/dataset.ts";
import { ImageOffsets } from "../direct/image-offsets.ts";
import { type Absence, absenceOf, damaged, frameMissing, notWritten, partlyWritten } from "./absence.ts";
import { FIRST_IMAGES, mostFrequent } from "./first-images.ts";
import type { H5File } from "./h5file.ts";
import { surplusAxes, unlessOdd } from "./h5types.ts";
import { type StackedImages, stackedImagesIn } from "./stacked-images.ts";

/** The largest image that is taken for one: no detector is near it, but a damaged header can say anything. */
const MOST_PIXELS = 2 ** 28;

/** Below a detector's group, where `sacla convert` writes bad pixels that the name of the sensor does not tell. */
export const BAD_PIXELS = "detector_info/bad_pixels";

interface ImageShape {
  readonly ysize: number;
  readonly xsize: number;
  readonly isUint16: boolean;
}

/** One `detector_2d_<k>` group: one group per tag, with the image and its status in it, or {@link StackedImages}. */
export class StoredDetector {
  readonly id: string;
  readonly #file: H5File;
  readonly #path: string;
  readonly #run: number;
  readonly #rows: TagRows;
  readonly #runTags: Uint32Array;
  /** Undefined when they turned out to be wrong. */
  #offsets: ImageOffsets | undefined;
  #isVerified = false;
  #tagGroups: ReadonlySet<string> | undefined;
  /** Why the image of a tag is none, where there is something of it in the file. */
  readonly #faults = new Map<number, SaclaError>();
  #info: DetectorInfo | undefined;
  #tags: Uint32Array | undefined;
  #hasImage: boolean | undefined;
  #placed: Place | undefined;
  #stacked: { readonly found: StackedImages | string | undefined } | undefined;

  constructor(file: H5File, path: string, id: string, run: number, rows: TagRows) {
    this.#file = file;
    this.#path = path;
    this.id = id;
    this.#run = run;
    this.#rows = rows;
    this.#runTags = rows.ascending;
    this.#offsets = new ImageOffsets(file.fileBytes, path, this.#runTags);
  }

  /**
   * Tags of the run's list for which the detector has an image, ascending; not those of which it was not written, or
   * whose metadata cannot be read. The first call looks at every tag.
   */
  get tags(): Uint32Array {
    this.#tags ??= this.#runTags.filter((tag) => this.#state(tag) === true);
    return this.#tags;
  }

  /** Whether any tag has an image. The answer no takes a look at every tag. */
  get hasImage(): boolean {
    this.#hasImage ??= this.#runTags.some((tag) => this.#state(tag) === true);
    return this.#hasImage;
  }

  /** All images in one array; in words where they are there and not certain. */
  get stack(): StackedImages | string | undefined {
    this.#stacked ??= {
      found:
        this.#offsets?.hasGroups === true
          ? undefined
          : unlessOdd(() => stackedImagesIn(this.#file, this.#path, this.#rows)),
    };
    return this.#stacked.found;
  }

  /** Where no tag has an image: why, of the first of which there is something; "" where there is nothing. */
  get whyNone(): string {
    if (typeof this.stack === "string") return `: ${this.stack}`;
    const fault = this.#faults.values().next().value;
    if (fault === undefined) return "";
    const { what } = fault.details;
    return `: of the first, ${typeof what === "string" ? what : fault.message.replace(/\.$/, "")}`;
  }

  /** Why a tag has no image although there is something of it in the file: FRAME_MISSING or FILE_DAMAGED. */
  faultOf(tag: number): SaclaError | undefined {
    const state = this.#state(tag);
    return typeof state === "boolean" ? undefined : state;
  }

  /**
   * The size and the type of pixels are those of the first image: the layout stores them nowhere else. A camera that is
   * no MPCCD has no gain, and no geometry where the file has none that can be used ({@link whyNoPlace}).
   * @throws FRAME_MISSING when no tag has an image
   */
  get info(): DetectorInfo {
    if (this.#info !== undefined) return this.#info;
    const { ysize, xsize, isUint16 } = this.#firstImage();
    this.#info = {
      id: this.id,
      xsize,
      ysize,
      absGain: this.gain,
      geometry: this.#place.geometry,
      ...(isUint16 ? { pixelType: "uint16" } : {}),
    };
    return this.#info;
  }

  /**
   * Bits of `badPixelReasons`, 0 good, [ysize, xsize]: what `sacla convert` has written. Null in other files.
   * @throws FILE_DAMAGED
   */
  get badPixels(): CallResult<"st.readBadPixels"> {
    const path = `${this.#path}/${BAD_PIXELS}`;
    const { ysize, xsize } = this.info;
    const [rows, columns] = unlessOdd(() => this.#file.shape(path)) ?? [];
    if (rows !== ysize || columns !== xsize) return null;
    const reasons = new Float32Array(ysize * xsize);
    this.#file.readImage(path, ysize, xsize, reasons);
    return { shape: [ysize, xsize], data: Uint8Array.from(reasons) };
  }

  /**
   * Fills `out` with the image of a tag. False when there is none, or its `detector_status` is not 1.
   * @throws FRAME_MISSING when it is there and was not written, or stands in a file that is not there; `reason` of its
   * details is that of a ledger
   * @throws FILE_DAMAGED when the image or its metadata cannot be read, it has another size than the first one, or
   * another type than uint16 when that has it
   */
  readImage(tag: number, out: Pixels): boolean | Promise<boolean> {
    const state = this.#state(tag);
    if (state === false) return false;
    if (state !== true) throw state;
    const { ysize, xsize } = this.info;
    if (out.length !== ysize * xsize) {
      throw new SaclaError(
        "BAD_ARGUMENT",
        `The output has ${out.length} pixels, but images of ${this.id} have ${ysize} × ${xsize} = ${ysize * xsize}.`,
      );
    }
    const done = this.#offsets?.read(tag, [ysize, xsize], out) ?? false;
    return typeof done === "boolean"
      ? this.#finish(done, tag, out)
      : done.then((isRead) => this.#finish(isRead, tag, out));
  }

  /** Indices of `imageStates`. */
  statesOf(tags: Uint32Array): Uint8Array {
    return Uint8Array.from(tags, (tag) => {
      const state = this.#state(tag);
      if (typeof state === "boolean") return state ? IMAGE_THERE : IMAGE_MISSING;
      return imageState(whyNoImage(state));
    });
  }

  /** Where the images of tags stand in the file as plain numbers; nowhere while a writer has it open. */
  offsetsOf(tags: Uint32Array): CallResult<"st.readImageOffsets"> {
    const { fileBytes } = this.#file;
    const { ysize, xsize, pixelType } = this.info;
    const found = fileBytes.writer === "none" ? this.#offsets?.contiguous(tags, [ysize, xsize]) : undefined;
    const none = { dtype: pixelType === "uint16" ? "<u2" : "<f4", offsets: new Float64Array(tags.length).fill(NaN) };
    fileBytes.checkUnchanged();
    return { ...fileBytes.identity(), ...(found ?? none), shape: [ysize, xsize] };
  }

  /** @param isRead - whether `out` holds the image as found from the tables of the file */
  #finish(isRead: boolean, tag: number, out: Pixels): true {
    if (!isRead || this.#offsets === undefined) this.#readByLibrary(tag, out);
    else if (!this.#isVerified) this.#verify(this.#offsets, tag, out);
    this.#file.fileBytes.checkUnchanged();
    return true;
  }

  #readByLibrary(tag: number, out: Pixels): void {
    const { ysize, xsize } = this.info;
    const { stack } = this;
    try {
      if (typeof stack === "object")
        this.#file.readSlab(
          stack.path,
          stack.imageShape.map((_, k) => (k === 0 ? (stack.placeOf(tag) ?? NaN) : 0)),
          stack.imageShape,
          out,
        );
      else this.#file.readImage(this.#imagePath(tag), ysize, xsize, out);
    } catch (error) {
      // Where others can be read it is this image that is odd, and stops no pass over them.
      if (!isSaclaError(error, "UNSUPPORTED") || !this.#othersAreReadable(tag)) throw error;
      throw new SaclaError("FILE_DAMAGED", error.message, { details: error.details, cause: error });
    }
  }

  #othersAreReadable(odd: number): boolean {
    return this.tags
      .filter((tag) => tag !== odd)
      .slice(0, FIRST_IMAGES)
      .some((tag) => {
        const path = this.#imagePath(tag);
        return this.#file.hasNumbers(path) && this.#file.unreadable(path) === undefined;
      });
  }

  /** Has the library confirm the first image, unless it did so for another detector that is stored alike. */
  #verify(offsets: ImageOffsets, tag: number, out: Pixels): void {
    this.#isVerified = true;
    const { verified } = this.#file.fileBytes;
    const storage = offsets.storageOf(tag);
    if (verified.has(storage)) return;
    const { ysize, xsize } = this.info;
    const truth = newPixels(out.length, out instanceof Uint16Array ? "uint16" : "float32");
    this.#file.readImage(this.#imagePath(tag), ysize, xsize, truth);
    if (Buffer.compare(bytesOf(truth), bytesOf(out)) === 0) verified.add(storage);
    else {
      this.#offsets = undefined;
      out.set(truth);
    }
  }

  #imagePath(tag: number): string {
    if (typeof this.stack === "object") return this.stack.path;
    return `${this.#path}/tag_${tag}/detector_data`;
  }

  /** Whether there is an image of a tag to read, or why not although there is something of it. */
  #state(tag: number): boolean | SaclaError {
    const known = this.#offsets?.state(tag);
    if (known === "none" && this.stack === undefined) return false;
    if (known === "all") return true;
    const fault = this.#faults.get(tag);
    if (fault !== undefined) return fault;
    let found: boolean | SaclaError;
    try {
      if (this.stack !== undefined) found = this.#stateIn(this.stack, tag);
      else if (known === "nothing") found = this.#missing(tag, notWritten);
      else if (known === "part") found = this.#missing(tag, partlyWritten);
      else if (known === "damaged") found = damaged(this.#file, this.#imagePath(tag));
      else if (known === "odd") found = damaged(this.#file, this.#imagePath(tag), this.#offsets?.headerOf(tag).odd);
      else found = this.#askLibrary(tag);
    } catch (error) {
      if (!isSaclaError(error, "FILE_DAMAGED", "NOT_DATACONVERT")) throw error;
      // It is this image that is odd, and stops no pass over the others.
      found = new SaclaError("FILE_DAMAGED", error.message, { details: error.details, cause: error.cause });
    }
    if (typeof found !== "boolean") this.#faults.set(tag, found);
    return found;
  }

  #stateIn(stack: StackedImages | string, tag: number): boolean | SaclaError {
    const place = typeof stack === "string" ? undefined : stack.placeOf(tag);
    if (typeof stack === "string" || place === undefined) return false;
    const absence = stack.absenceAt(place);
    return absence === undefined ? true : this.#missing(tag, absence);
  }

  #askLibrary(tag: number): boolean | SaclaError {
    const path = this.#imagePath(tag);
    const isElsewhere = this.#offsets?.state(tag) === "elsewhere";
    if (!isElsewhere) {
      this.#tagGroups ??= new Set(this.#file.keys(this.#path));
      if (!this.#tagGroups.has(`tag_${tag}`)) return false;
      // Assembled images are stored without a status.
      if ((this.#file.number(`${this.#path}/tag_${tag}/detector_status`) ?? 1) !== 1) return false;
    }
    const absence = absenceOf(this.#file, path, isElsewhere ? this.#offsets?.headerOf(tag) : null);
    if (absence !== undefined) return this.#missing(tag, absence);
    const kind = this.#file.kind(path);
    // Such as a dataset whose shape was lost.
    return kind === "other" ? damaged(this.#file, path) : kind === "dataset";
  }

  #missing(tag: number, absence: Absence): SaclaError {
    return frameMissing(this.id, this.#run, tag, `${this.#imagePath(tag)} of ${show(this.#file.path)}`, absence);
  }

  /** Of several shapes the one that most of the first images have: one odd image must not decide. */
  #firstImage(): ImageShape {
    const found: ImageShape[] = [];
    for (const tag of this.#runTags) {
      if (found.length === FIRST_IMAGES) break;
      const shape = this.#state(tag) === true ? this.#shapeOf(tag) : undefined;
      if (shape !== undefined) found.push(shape);
    }
    const most = mostFrequent(found);
    if (most !== undefined) return most;
    // Where no image can be read, a shape is still that of the detector.
    const shaped = this.#runTags.find((tag) => isSaclaError(this.#state(tag), "FRAME_MISSING") && this.#hasShape(tag));
    const first = this.#runTags.find((tag) => this.#state(tag) === true) ?? shaped;
    if (first === undefined) throw this.#noImage();
    const only = this.#shapeOf(first);
    if (only !== undefined) return only;
    const path = this.#imagePath(first);
    const what = this.#file.described(path) ?? "not there";
    const why = surplusAxes(unlessOdd(() => this.#file.shape(path)) ?? []);
    throw new SaclaError(
      "NOT_DATACONVERT",
      `${path} of ${show(this.#file.path)} is ${what}, but must be an image${why}.`,
      { details: { file: this.#file.path, path } },
    );
  }

  #noImage(): SaclaError {
    const fault = this.#faults.values().next().value;
    const { whyNone } = this;
    const why = whyNone === "" ? "" : ` ${whyNone.charAt(2).toUpperCase()}${whyNone.slice(3)}.`;
    const reason = fault === undefined ? {} : { reason: fault.details["reason"] ?? "frame-damaged" };
    return new SaclaError(
      "FRAME_MISSING",
      `${this.id} has no image for any tag of run ${this.#run}, so its size is unknown.${why}`,
      { details: { detId: this.id, run: this.#run, ...reason } },
    );
  }

  /** Undefined when it is no image. */
  #shapeOf(tag: number): ImageShape | undefined {
    const path = this.#imagePath(tag);
    const shape = typeof this.stack === "object" ? [this.stack.rows, this.stack.columns] : this.#imageShape(path);
    const [ysize = 0, xsize = 0] = shape;
    if (shape.length !== 2 || ysize < 1 || xsize < 1 || ysize * xsize > MOST_PIXELS || !this.#file.hasNumbers(path))
      return undefined;
    return { ysize, xsize, isUint16: this.#file.pixelType(path) === "uint16" };
  }

  #hasShape(tag: number): boolean {
    const path = this.#imagePath(tag);
    return this.#file.linkOut(path) === undefined && this.#imageShape(path).length === 2;
  }

  #imageShape(path: string): readonly number[] {
    return imageShape(this.#file.shape(path) ?? []);
  }

  /** Whether its images are parts of the sensor, as those of `sacla convert --roi`. */
  get isCut(): boolean {
    if (familyOf(this.id)?.edges === undefined || !this.hasImage) return false;
    try {
      return isCut(this.info);
    } catch (error) {
      // Without an image that can be read there is no size.
      if (isSaclaError(error)) return false;
      throw error;
    }
  }

  /** Null where the file has none that is a number above zero. */
  get gain(): number | null {
    const gain = this.#file.numberOrNone(`${this.#path}/detector_info/absolute_gain`);
    return gain !== undefined && Number.isFinite(gain) && gain > 0 ? gain : null;
  }

  /** Why the file has no place of the sensor that could be used, although it has something of it. */
  get whyNoPlace(): string | undefined {
    return this.#place.odd;
  }

  get #place(): Place {
    this.#placed ??= this.#readPlace();
    return this.#placed;
  }

  #readPlace(): Place {
    const info = `${this.#path}/detector_info`;
    try {
      const position = this.#file.numbers(`${info}/detector_coordinate_in_micro_meter`);
      const rotationDeg = this.#file.number(`${info}/detector_rotation_angle_in_degree`);
      if (position === undefined && rotationDeg === undefined) return { geometry: null };
      const [posXUm, posYUm, posZUm = 0] = position ?? [];
      const [pixelSizeXUm, pixelSizeYUm] = this.#file.numbers(`${info}/pixel_size_in_micro_meter`) ?? [];
      const manipulatorShiftUm = this.#file.number(`${info}/manipulator_position_in_micro_meter`) ?? 0;
      const parts = { posXUm, posYUm, posZUm, rotationDeg, pixelSizeXUm, pixelSizeYUm, manipulatorShiftUm };
      const lacking = Object.entries(parts).flatMap(([key, value]) => (value === undefined ? [key] : []));
      if (lacking.length > 0) return { geometry: null, odd: `${info} lacks ${showList(lacking)}` };
      const geometry = parts as SensorGeometry;
      checkGeometry({ id: this.id, xsize: 0, ysize: 0, absGain: null, geometry });
      return { geometry };
    } catch (error) {
      if (!isSaclaError(error, "BAD_GEOMETRY", "NOT_DATACONVERT", "FILE_DAMAGED", "UNSUPPORTED")) throw error;
      return { geometry: null, odd: error.message.replace(/\.$/, "") };
    }
  }
}

/** Where a sensor lies; null where the file does not say, or says something odd. */
interface Place {
  readonly geometry: SensorGeometry | null;
  readonly odd?: string;
}
