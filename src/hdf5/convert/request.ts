import { asFinite, asInteger, asOneOf, asText, badArgument } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import type { Roi } from "../../core/roi.ts";
import { asTags } from "../../core/tags.ts";
import { parseCondition } from "../../db/index.ts";
import type { View } from "../../ip/index.ts";

/** Layouts a conversion can write; see docs/files.md. */
export const fileFormats = ["dataconvert", "cheetah", "nxmx"] as const;
export type FileFormat = (typeof fileFormats)[number];

export const shotClasses = ["all", "dark", "exposed", "on", "off"] as const;
export type ShotClass = (typeof shotClasses)[number];

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
  /** The first so many of those selected. */
  readonly limit?: number | undefined;
  /** Detectors or sensors. @default all; for cheetah and nxmx the one with the most sensors */
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
   * @default "none"; "head" for cheetah and nxmx
   */
  readonly dark?: "none" | "head" | number | undefined;
  /** Also one assembled picture a shot for each detector with a geometry, gaps −1. Dataconvert only. @default false */
  readonly assembled?: boolean | undefined;
  /** Of assembled pictures. @default "detector", as DataConvert's */
  readonly view?: View | undefined;
  /** Whether the sensors' own images are written beside assembled pictures. @default true */
  readonly sensors?: boolean | undefined;
  /** `"none"` or `"gzip-1"` … `"gzip-9"`, one image a chunk. @default "none" */
  readonly compression?: string | undefined;
  /**
   * How pixels are stored in the dataconvert format; `"uint16"` refuses pixels that are not whole numbers from 0 to
   * 65535.
   * @default "float32"
   */
  readonly pixels?: "float32" | "uint16" | undefined;
  /**
   * A shot for which a sensor has no image: keep what there is, drop the shot, or stop.
   * @default "keep"; "drop" for cheetah, nxmx and files of assembled pictures alone
   */
  readonly missing?: "keep" | "drop" | "error" | undefined;
  /** From the sample to the detector, for cheetah and nxmx. @default 50 */
  readonly cameraLengthMm?: number | undefined;
}

const optionChecks = {
  bl: any,
  run: any,
  format: any,
  shots: any,
  tags: any,
  where: any,
  limit: any,
  detectors: any,
  roi: any,
  signals: any,
  dark: any,
  assembled: any,
  view: any,
  sensors: any,
  compression: any,
  pixels: any,
  missing: any,
  cameraLengthMm: any,
};

/** @throws BAD_ARGUMENT when an option is wrong, or two do not go together */
export function resolveRequest(request: ConvertRequest): ResolvedRequest {
  resolveOptions("convert", request, optionChecks);
  const format = asOneOf("format", request.format ?? "dataconvert", fileFormats);
  const isStack = format !== "dataconvert";
  const { tags, limit, detectors, signals, roi, where = [], assembled = false, sensors = true } = request;
  const dark = request.dark ?? (isStack ? "head" : "none");
  if (dark !== "none" && dark !== "head") asInteger("dark", dark);
  const pixels = asOneOf("pixels", request.pixels ?? "float32", ["float32", "uint16"]);
  const missing = asOneOf(
    "missing",
    request.missing ?? (isStack || !sensors ? "drop" : "keep"),
    isStack ? ["drop", "error"] : ["keep", "drop", "error"],
  );
  if (isStack && (assembled || request.pixels !== undefined))
    throw badArgument(
      assembled ? "assembled" : "pixels",
      assembled || request.pixels,
      `absent: the ${format} format decides it`,
    );
  if (!sensors && !assembled)
    throw badArgument("sensors", false, "true, or assembled pictures asked for: else no image would be written");
  if (pixels === "uint16" && dark !== "none")
    throw badArgument("pixels", pixels, "float32 when a dark is subtracted: the result is not whole numbers");
  for (const text of where) parseCondition(text);
  return {
    bl: asInteger("bl", request.bl),
    run: asInteger("run", request.run),
    format,
    shots: asOneOf("shots", request.shots ?? "all", shotClasses),
    tags: tags === undefined ? null : [...asTags(tags)],
    where: [...where],
    limit: limit === undefined ? null : asInteger("limit", limit, 1),
    detectors: detectors === undefined ? null : detectors.map((id) => asText("detector", id)),
    roi: roi === undefined ? null : { rows: [...roi.rows], columns: [...roi.columns] },
    signals: signals === undefined ? null : signals.map((id) => asText("signal", id)),
    dark,
    assembled,
    view: asOneOf("view", request.view ?? "detector", ["source", "detector"]),
    sensors,
    compression: checkCompression(request.compression ?? "none"),
    pixels,
    missing,
    cameraLengthMm: asFinite("cameraLengthMm", request.cameraLengthMm ?? 50, Number.MIN_VALUE),
  };
}

/** A resolved request; null stands for what was left open. */
export interface ResolvedRequest {
  readonly bl: number;
  readonly run: number;
  readonly format: FileFormat;
  readonly shots: ShotClass;
  readonly tags: readonly number[] | null;
  readonly where: readonly string[];
  readonly limit: number | null;
  readonly detectors: readonly string[] | null;
  readonly roi: Roi | null;
  readonly signals: readonly string[] | null;
  readonly dark: "none" | "head" | number;
  readonly assembled: boolean;
  readonly view: View;
  readonly sensors: boolean;
  readonly compression: string;
  readonly pixels: "float32" | "uint16";
  readonly missing: "keep" | "drop" | "error";
  readonly cameraLengthMm: number;
}

/** A resolved request, as a file carries it, as a request again. */
export function asRequest(resolved: ResolvedRequest): ConvertRequest {
  const isStack = resolved.format !== "dataconvert";
  const entries = Object.entries(resolved).filter(
    ([key, value]) => value !== null && !(isStack && (key === "pixels" || key === "assembled")),
  );
  return Object.fromEntries(entries) as unknown as ConvertRequest;
}

/** The gzip level of a compression; undefined for none. */
export function gzipLevel(compression: string): number | undefined {
  return compression === "none" ? undefined : Number(compression.slice("gzip-".length));
}

function checkCompression(compression: string): string {
  if (compression === "none" || /^gzip-[1-9]$/.test(compression)) return compression;
  throw badArgument("compression", compression, "none, or gzip-1 to gzip-9");
}
