import type { DetectorInfo } from "../../core/detector.ts";
import type { DetectorGroup } from "../../core/detectors.ts";
import type { Ledger } from "../../core/ledger.ts";
import type { NdArray } from "../../core/ndarray.ts";
import type { Db, Run, RunTags } from "../../db/index.ts";
import type { Assembler } from "../../ip/index.ts";
import type { St } from "../../st/index.ts";
import type { RunInfo } from "../../transport/index.ts";
import type { ResolvedRequest } from "../request.ts";

/** Where a conversion reads. A `Facility` is one. */
export interface ConvertSource {
  readonly db: Db;
  readonly st: St;
}

/** One kind of image that is written for each shot. */
export interface OutputImage {
  readonly kind: "sensor" | "assembled" | "stack";
  /** Sensor id, or detector id for assembled and stacked images. */
  readonly id: string;
  readonly rows: number;
  readonly columns: number;
  readonly type: "float32" | "uint16" | "int32";
  readonly bytes: number;
}

/** A signal and where it is written. */
export interface StoredSignal {
  readonly id: string;
  /** Path inside `event_info`. */
  readonly eventInfoPath: string;
  readonly unit: string;
}

/** Everything that decides the content of the file, known before an image is read. */
export interface ConvertPlan {
  readonly request: ResolvedRequest;
  readonly info: RunInfo;
  readonly apiVersion: string;
  readonly run: Run;
  /** Shots to read, ascending. */
  readonly tags: RunTags;
  /** Steps between images of the run, in tags; 0 when it has only one. */
  readonly tagStep: number;
  /** Account of the selection: its `used` shots are {@link tags}. */
  readonly selection: Ledger;
  readonly groups: readonly DetectorGroup[];
  /** Sensors to read, as they will be stored: cut to the ROI. */
  readonly sensors: readonly DetectorInfo[];
  /** Pixels to use (1) of each of {@link sensors}, cut to the ROI; none where the layout has no mask. */
  readonly masks: readonly NdArray<Uint8Array>[];
  /** Of sensors by id, the reason against each pixel where the name and the run do not tell them; 0 is a good one. */
  readonly badPixels: ReadonlyMap<string, Uint8Array>;
  readonly assemblers: ReadonlyMap<string, Assembler>;
  /** For each shot, in this order. */
  readonly images: readonly OutputImage[];
  readonly signals: readonly StoredSignal[];
  /** Names of the signals that there are besides. */
  readonly signalsLeftOut: readonly string[];
  /** A signal by which the time of a tag is asked; null when the source has no signal. */
  readonly clock: string | null;
  /** The spectrometer, where the layout stores photons and the source has one. */
  readonly spectrometer: string | null;
  /** NaN where it is not known. */
  readonly configuredEv: number;
  /** Shots with images of one batch of the staging file. */
  readonly batchShots: number;
}
