import type { MaybePromise } from "../core/async.ts";
import type { DetectorInfo } from "../core/detector.ts";
import type { Pixels } from "../core/ndarray.ts";
import type { Column } from "../core/syncdb.ts";
import type { CallResult, RunInfo } from "../transport/methods.ts";
import type { CitiusSource } from "./citius-source.ts";
import type { LiveSource } from "./live-source.ts";

/**
 * A place that has shots: the simulated facility, an archive, one of your own. `endpointOf` makes an Endpoint from
 * it, which answers the whole method table and checks beamline, run, detector and tag first; a source needs no checks
 * and no error texts of its own. Methods about runs are only called for runs that `runStatus` knows.
 */
export interface DataSource {
  /** For messages: "the simulated facility", "the archive 206178.h5". */
  readonly name: string;
  apiVersion(): string;
  beamlines(): readonly number[];
  /** Run numbers of a beamline, ascending, the newest `last` of them; runs still running included. */
  runs(bl: number, last: number): MaybePromise<readonly number[]>;
  /** −1 not yet existing, 0 stopped, 1 paused, 2 running. */
  runStatus(bl: number, run: number): MaybePromise<number>;
  runInfo(bl: number, run: number): MaybePromise<RunInfo>;
  photonEnergyKev(bl: number, run: number): MaybePromise<number>;
  /** Composite ids and each sensor. */
  detectors(bl: number, run: number): MaybePromise<readonly string[]>;
  /** Detectors and sensors that are not listed, for they have no image of the run: asked for, the source says why. */
  detectorsWithoutImages?(bl: number, run: number): MaybePromise<readonly string[]>;
  /** Tags of the run so far, ascending; with `detId`, those for which it has an image. */
  tags(bl: number, run: number, detId?: string): MaybePromise<Uint32Array>;
  /** Tags of a beamline from `first` to `last`, both included, whether or not a run was on. */
  tagsBetween(bl: number, hightag: number, first: number, last: number): MaybePromise<Uint32Array>;
  /** @throws UNKNOWN_SIGNAL */
  newestTag(equipId: string): MaybePromise<[hightag: number, tag: number]>;
  hightagAt(unixSeconds: number): MaybePromise<number>;
  timestamp(hightag: number, tag: number, equipId: string): MaybePromise<number>;
  equipment(): MaybePromise<readonly string[]>;
  /** Of how many tags a signal is asked for in one turn of the loop. @default 8192 */
  readonly tagsAtOnce?: number;
  /** One signal; tags without a record are `missing`. @throws UNKNOWN_SIGNAL @throws UNKNOWN_HIGHTAG */
  column(equipId: string, hightag: number, tags: Uint32Array): MaybePromise<Column>;
  /** Asked only for sensors and cameras, never for a composite id. */
  detectorInfo(bl: number, run: number, detId: string): MaybePromise<DetectorInfo>;
  /**
   * Fills `out` (row-major, ysize × xsize of the detector) with the image of a tag of the run. Float32 is always asked
   * for by `Endpoint.call`; a stream asks for the `pixelType` of the detector's information.
   * False when the detector stored none.
   * @throws FRAME_MISSING when more is known of why: `reason` of its details then stands in ledgers
   * @throws FILE_DAMAGED when this image cannot be read: `frame-damaged` in ledgers, and others are read
   */
  readFrame(bl: number, run: number, detId: string, tag: number, out: Pixels): MaybePromise<boolean>;
  /**
   * What the timing monitor's analysis found for the shots of a run; no rows where there is no timing monitor. A source
   * without it answers such questions with UNSUPPORTED.
   */
  runTimingEdges?(bl: number, run: number): MaybePromise<CallResult<"db.readTimingEdges">>;
  /** Where images of a sensor stand in a file. A source without it answers such questions with UNSUPPORTED. */
  imageOffsets?(
    bl: number,
    run: number,
    detId: string,
    tags: Uint32Array,
  ): MaybePromise<CallResult<"st.readImageOffsets">>;
  /**
   * Which images of a sensor there are, without reading one: indices of `imageStates`. A source without it answers such
   * questions with UNSUPPORTED.
   */
  imageStates?(bl: number, run: number, detId: string, tags: Uint32Array): MaybePromise<Uint8Array>;
  /** Bad pixels that a file names for a sensor; a source without it answers such questions with UNSUPPORTED. */
  badPixels?(bl: number, run: number, detId: string): MaybePromise<CallResult<"st.readBadPixels">>;
  close(): MaybePromise<void>;
  /** What gives shots as they happen; a source without it answers such questions with UNSUPPORTED. */
  readonly live?: LiveSource;
  /** What knows about CITIUS detectors; a source without it answers such questions with UNSUPPORTED. */
  readonly citius?: CitiusSource;
}
