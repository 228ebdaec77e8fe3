import type { Roi } from "../core/roi.ts";
import type { View } from "../ip/index.ts";

/** Layouts a conversion can write; see docs/files.md. */
export const fileFormats = ["dataconvert", "cheetah", "nxmx", "cxi"] as const;
export type FileFormat = (typeof fileFormats)[number];

/** Units of pixels in stacked formats. */
export const pixelUnits = ["photons", "tenths"] as const;
export type PixelUnits = (typeof pixelUnits)[number];

export const shotClasses = ["all", "dark", "exposed", "on", "off"] as const;
export type ShotClass = (typeof shotClasses)[number];

/** Which shots are hits: those with peaks enough, as `findPeaks` of `sacla/reduce` finds them on each sensor. */
export interface ConvertHits {
  /** A hit has at least so many peaks. @default 20 */
  readonly minPeaks?: number | undefined;
  /** The greatest pixel of a peak has at least so many photons. @default 5 */
  readonly thresholdPhotons?: number | undefined;
  /** How many standard deviations of its surroundings a peak stands above their mean. @default 5 */
  readonly snr?: number | undefined;
}

/** {@link ConvertHits} with every default filled in. */
export type ResolvedHits = { readonly [K in keyof ConvertHits]-?: number };

/** What is to be written: plain data, so that the file can carry it and be made again from it. */
export interface ConvertRequest {
  readonly bl: number;
  readonly run: number;
  /** @default "dataconvert" */
  readonly format?: FileFormat | undefined;
  /** Which shots, as `sacla tags --class`. @default "all" */
  readonly shots?: ShotClass | undefined;
  /** Among these only. @default all tags of the run */
  readonly tags?: readonly number[] | undefined;
  /**
   * Conditions that all must hold: `"xfel_bl_3_tc_bm_1_pd/charge > 5e-9"`. A shot without a number never fulfils one.
   */
  readonly where?: readonly string[] | undefined;
  /** Only hits. Not for the dataconvert format. @default all shots; for cxi hits by the defaults */
  readonly hits?: ConvertHits | undefined;
  /** The first so many of those selected; of these, the hits. */
  readonly limit?: number | undefined;
  /** Detectors or sensors. @default all; for cheetah, nxmx and cxi the one with the most sensors */
  readonly detectors?: readonly string[] | undefined;
  /** Only this rectangle of each sensor's image; its position is moved with it. */
  readonly roi?: Roi | undefined;
  /**
   * Equipment ids or patterns with `*` and `?`.
   * @default those DataConvert has a place for, without motors and user diodes
   */
  readonly signals?: readonly string[] | undefined;
  /**
   * Dark to subtract: the dark shots at the head of the run, those of another run, or none.
   * @default "none"; "head" for cheetah, nxmx and cxi
   */
  readonly dark?: "none" | "head" | number | undefined;
  /** Also one assembled picture a shot for each detector with a geometry, gaps −1. Dataconvert only. @default false */
  readonly assembled?: boolean | undefined;
  /** Of assembled pictures. @default "detector", as DataConvert's */
  readonly view?: View | undefined;
  /** Whether the sensors' own images are written beside assembled pictures. @default true */
  readonly sensors?: boolean | undefined;
  /**
   * `"none"`, `"gzip-1"` … `"gzip-9"`, or, where h5wasm-plugins is installed, `"bitshuffle-lz4"`, `"bitshuffle-zstd"`,
   * `"blosc2-lz4"`, `"blosc2-zstd"`, `"lz4"`, `"zstd"`; one sensor a chunk. @default "none"
   */
  readonly compression?: string | undefined;
  /**
   * A checksum in each chunk (HDF5's Fletcher-32), which every reader of HDF5 compares. Only without compression: the
   * library sets one filter. gzip has a checksum of its own (Adler-32), which they compare too.
   * @default false
   */
  readonly fletcher32?: boolean | undefined;
  /**
   * How pixels are stored in the dataconvert format; `"uint16"` refuses pixels that are not whole numbers from 0 to
   * 65535.
   * @default "float32"
   */
  readonly pixels?: "float32" | "uint16" | undefined;
  /**
   * A shot for which a sensor has no image: keep the other images, drop the shot, or stop.
   * @default "keep"; "drop" for cheetah, nxmx, cxi and files of assembled pictures alone
   */
  readonly missing?: "keep" | "drop" | "error" | undefined;
  /** From the sample to the detector, for cheetah, nxmx and cxi. @default 50 */
  readonly cameraLengthMm?: number | undefined;
  /**
   * Photons (float32, for nxmx and cxi only), or tenths of photons (whole numbers); both are rounded to a tenth.
   * @default "photons" for nxmx and cxi, "tenths" for cheetah; the dataconvert format has ADU
   */
  readonly units?: PixelUnits | undefined;
}

/** A request with every default filled in; null where the request leaves the choice open. */
export interface ResolvedRequest {
  readonly bl: number;
  readonly run: number;
  readonly format: FileFormat;
  readonly shots: ShotClass;
  readonly tags: readonly number[] | null;
  readonly where: readonly string[];
  readonly limit: number | null;
  /** Null: hits are not looked for. */
  readonly hits: ResolvedHits | null;
  readonly detectors: readonly string[] | null;
  readonly roi: Roi | null;
  readonly signals: readonly string[] | null;
  readonly dark: "none" | "head" | number;
  readonly assembled: boolean;
  readonly view: View;
  readonly sensors: boolean;
  readonly compression: string;
  readonly fletcher32: boolean;
  readonly pixels: "float32" | "uint16";
  readonly missing: "keep" | "drop" | "error";
  readonly cameraLengthMm: number;
  /** Null for a format with ADU. */
  readonly units: PixelUnits | null;
}
