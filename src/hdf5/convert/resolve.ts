import { asInteger, asOneOf, asText, badArgument } from "../../core/guards.ts";
import { any, type Check, finite, flag, integer, oneOf, optional, resolveOptions } from "../../core/options.ts";
import type { Roi } from "../../core/roi.ts";
import { asTags } from "../../core/tags.ts";
import { parseCondition } from "../../db/index.ts";
import { MOST_PEAKS } from "../layouts/hits.ts";
import { writingOf } from "../layouts/index.ts";
import {
  type ConvertHits,
  type ConvertRequest,
  fileFormats,
  pixelUnits,
  type ResolvedHits,
  type ResolvedRequest,
  shotClasses,
} from "../request.ts";
import { asCompression } from "../write/compression.ts";

/** @throws BAD_ARGUMENT when an option is wrong, or two do not go together */
export function resolveRequest(request: ConvertRequest): ResolvedRequest {
  const format = asOneOf("format", request.format ?? "dataconvert", fileFormats);
  const layout = writingOf(format);
  for (const name of layout.refuses) {
    const value = request[name];
    if (value !== undefined && value !== false)
      throw badArgument(name, value, `absent: the ${format} format decides it`);
  }
  const units = pixelUnits.filter((name) => layout.stackTypes?.[name] !== undefined);
  const defaultMissing = request.sensors === false ? "drop" : layout.missing[0];
  // Files carry the options in this order.
  const checked = resolveOptions("convert", request, {
    bl: integer(),
    run: integer(),
    format: () => format,
    shots: optional(oneOf(...shotClasses), "all"),
    tags: any,
    where: optional(listOf(asCondition), []),
    limit: optional(integer(1)),
    hits: any,
    detectors: optional(listOf(asText)),
    roi: any,
    signals: optional(listOf(asText)),
    dark: optional(asDark, layout.dark),
    assembled: optional(flag, false),
    view: optional(oneOf("source", "detector"), "detector"),
    sensors: optional(flag, true),
    compression: optional(asCompression, "none"),
    fletcher32: optional(flag, false),
    pixels: optional(oneOf("float32", "uint16"), "float32"),
    missing: optional(oneOf(...layout.missing), defaultMissing),
    cameraLengthMm: optional(finite(Number.MIN_VALUE), 50),
    units: optional(oneOf(...(units.length === 0 ? pixelUnits : units))),
  });
  checkTogether(checked);
  const { tags, limit, hits, detectors, roi, signals } = checked;
  if (hits !== undefined && layout.stackTypes === null)
    throw badArgument("hits", hits, `absent: the ${format} format has no photons to find hits by; take cxi or nxmx`);
  return {
    ...checked,
    tags: tags === undefined ? null : [...asTags(tags)],
    limit: limit ?? null,
    hits: hits !== undefined || layout.onlyHits === true ? resolveHits(hits ?? {}) : null,
    detectors: detectors ?? null,
    roi: roi === undefined ? null : copyOf(roi),
    signals: signals ?? null,
    units: checked.units ?? units[0] ?? null,
  };
}

function resolveHits(hits: ConvertHits): ResolvedHits {
  return resolveOptions("hits", hits, {
    minPeaks: optional(integer(1, MOST_PEAKS), 20),
    thresholdPhotons: optional(finite(Number.MIN_VALUE), 5),
    snr: optional(finite(0), 5),
  });
}

/** A resolved request, as a file carries it, as a request again. */
export function asRequest(resolved: ResolvedRequest): ConvertRequest {
  const { refuses } = writingOf(resolved.format);
  const entries = Object.entries(resolved).filter(
    ([key, value]) => value !== null && !refuses.some((name) => name === key),
  );
  return Object.fromEntries(entries) as unknown as ConvertRequest;
}

function checkTogether({
  sensors,
  assembled,
  pixels,
  dark,
  compression,
  fletcher32,
}: Pick<ResolvedRequest, "sensors" | "assembled" | "pixels" | "dark" | "compression" | "fletcher32">): void {
  if (!sensors && !assembled)
    throw badArgument("sensors", false, "true, or assembled pictures asked for: else no image would be written");
  if (fletcher32 && compression !== "none")
    throw badArgument(
      "fletcher32",
      true,
      `absent with compression ${compression}: the library sets one filter, and gzip has a checksum of its own`,
    );
  if (pixels === "uint16" && dark !== "none")
    throw badArgument("pixels", pixels, "float32 when a dark is subtracted: the result is not whole numbers");
}

function listOf<T>(check: Check<T>): Check<T[]> {
  return (name, value) => {
    if (!Array.isArray(value)) throw badArgument(name, value, "a list");
    return value.map((one) => check(name, one));
  };
}

function copyOf({ rows, columns }: Roi): Roi {
  return { rows: [...rows], columns: [...columns] };
}

function asCondition(name: string, value: unknown): string {
  const condition = asText(name, value);
  parseCondition(condition);
  return condition;
}

function asDark(name: string, value: unknown): "none" | "head" | number {
  return value === "none" || value === "head" ? value : asInteger(name, value);
}
