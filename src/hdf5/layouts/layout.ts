import type { DataSource } from "../../source/data-source.ts";
import type { ArchiveOptions } from "../read/dataconvert.ts";
import type { H5File } from "../read/h5file.ts";
import type { ConvertRequest, PixelUnits, ResolvedRequest } from "../request.ts";
import type { ConvertPlan, OutputImage } from "../write/plan.ts";
import type { H5Numbers, H5Writer } from "../write/writer.ts";
import type { FindingBook, Rule } from "./rules.ts";

/** One layout of HDF5 files: how to recognise, check, read and write it. A new layout is one such object. */
export interface FileLayout {
  /** As `--format` and `validate` name it. */
  readonly name: string;
  /** As people call it. */
  readonly title: string;
  /** What at the root of a file shows the layout, in words. */
  readonly sign: string;
  recognises(file: H5File): boolean;
  /** The rules that {@link check} applies, by name. Layouts may share a rule. */
  readonly rules: Readonly<Record<string, Rule>>;
  check(file: H5File, book: FindingBook): void;
  /** Path of the list of tags in a file of `sacla convert`. */
  tagListPath(file: H5File): string;
  /** A file of the layout as a source. @throws NOT_DATACONVERT, FILE_DAMAGED */
  read(path: string, file: H5File, options: ArchiveOptions): DataSource;
  /** Absent when sacla cannot write the layout. */
  readonly write?: LayoutWriting;
}

/** How a layout is written. */
export interface LayoutWriting {
  /** Default of `dark`. */
  readonly dark: "none" | "head";
  /** What `missing` may be, the default first. */
  readonly missing: readonly [ResolvedRequest["missing"], ...ResolvedRequest["missing"][]];
  /** Options of a request that must be left out, because the layout decides them. */
  readonly refuses: readonly (keyof ConvertRequest)[];
  /**
   * For layouts whose images are all sensors of one detector under each other, in photons: the type of their pixels for
   * each unit they can have. Null for a layout with an image for each sensor, in ADU.
   */
  readonly stackTypes: Partial<Readonly<Record<PixelUnits, OutputImage["type"]>>> | null;
  /** The layout holds hits with their peaks, and nothing else. @default any shots */
  readonly onlyHits?: true;
  begin(writer: H5Writer, plan: ConvertPlan): LayoutWriter;
}

/** Writes one file of a layout. Calls come in this order: begin, shot for each shot, end, geom. */
export interface LayoutWriter {
  /** Path of the group that holds tags, times and signals. */
  readonly eventInfo: string;
  /** Path of each of the plan's images, `{tag}` for the tag; without it, of a stack with an image for each shot. */
  readonly imagePaths: readonly string[];
  /** Writes what is known before the first shot. */
  begin(): void;
  /** Writes one shot. @param images - an image, or null, for each of the plan's images */
  shot(tag: number, energyEv: number, images: readonly (H5Numbers | null)[]): void;
  /** Writes what is known after the last shot. @param times - Unix seconds */
  end(tags: Uint32Array, times: Float64Array): void;
  /** The CrystFEL geometry to put beside the file; null when there is none. */
  geom(): string | null;
}
