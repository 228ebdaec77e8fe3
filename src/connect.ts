import { unitOfPixels } from "./core/detector.ts";
import type { Names } from "./core/names.ts";
import { any, resolveOptions } from "./core/options.ts";
import { base64, displayed, showAs } from "./core/shown.ts";
import { Db } from "./db/db.ts";
import type { Run, RunsOptions } from "./db/index.ts";
import { Ec } from "./ec/ec.ts";
import type { Experiment, ExperimentDefinition, SignalsIn } from "./ec/index.ts";
import { Live } from "./live/live.ts";
import type { DifferenceOptions, DifferencePicture, Picture, PictureOptions } from "./reduce/index.ts";
import type { Shots, ShotsOptions } from "./st/index.ts";
import { St } from "./st/st.ts";
import {
  type Endpoint,
  type NetworkOptions,
  networkSchemes,
  type OpenScheme,
  openEndpoint,
} from "./transport/index.ts";
import { networkChecks } from "./transport/network.ts";
import { withNames } from "./transport/wrappers/with-names.ts";

/** What most programs and commands do not need is loaded when it is: the simulated facility, HDF5, reductions. */
const simulatedScheme: OpenScheme = async (address) =>
  await (await import("./facility/scheme.ts")).simulatedScheme(address);
const fileScheme: OpenScheme = async (address) =>
  await (await import("./hdf5/open/file-scheme.ts")).fileScheme(address);
const reductions = async (): Promise<typeof import("./reduce/index.ts")> => await import("./reduce/index.ts");
const drawing = async (): Promise<typeof import("./plot/image.ts")> => await import("./plot/image.ts");

export interface ConnectOptions extends NetworkOptions {
  /** Further kinds of address, by scheme: `{ lab: openLab }` makes `lab:…` work. */
  readonly schemes?: Readonly<Record<string, OpenScheme>> | undefined;
  /**
   * Names of signals and detectors, which db, st, live and reduce then take wherever they take ids: an `Experiment`.
   * @default only ids
   */
  readonly names?: Names | undefined;
}

/**
 * Opens a facility: `sim:` the simulated one, in this process; `run.h5` or `file:run.h5` a file in the DataConvert
 * layout; `tcp://host:port`, `ipc:///path`, `http://host:port` or `https://host` a server elsewhere, with retries when
 * the connection breaks; `recording:FILE` a file that `withRecording` wrote. The same script gives the same kind of
 * answers from each. No connection to a server is made until the first request.
 *
 * With `names`, an `Experiment`, its names of signals and detectors are taken wherever ids are.
 *
 * @param url - @default the environment variable SACLA_URL, else `sim:`
 * @throws BAD_URL for an unknown kind of address
 * @throws NO_ZEROMQ for `tcp:` and `ipc:` in Deno and Bun, where `http:` is to be used
 * @throws FILE_NOT_FOUND, NOT_HDF5, NOT_DATACONVERT, FILE_DAMAGED for files that cannot be read
 * @throws BAD_MESSAGE for a file that is not a recording
 * @throws FILE_NOT_FOUND, NOT_ALLOWED, BAD_TEXT for a file of keys that cannot be used
 *
 * @example
 * await using facility = await connect();
 * const { db, st } = facility;
 * const run = await db.readRunnumberNewest(3);
 */
export async function connect<const D extends ExperimentDefinition>(
  url: string | undefined,
  options: ConnectOptions & { readonly names: Experiment<D> },
): Promise<Facility<SignalsIn<D>>>;
export async function connect(url?: string, options?: ConnectOptions): Promise<Facility>;
export async function connect(
  url: string = process.env["SACLA_URL"] ?? "sim:",
  options: ConnectOptions = {},
): Promise<Facility> {
  const checks = { schemes: any, names: any, ...networkChecks };
  const { schemes, names, ...network } = resolveOptions("connect", options, checks);
  const endpoint = await openEndpoint(url, {
    sim: simulatedScheme,
    file: fileScheme,
    ...networkSchemes(network),
    ...schemes,
  });
  return new Facility(names === undefined ? endpoint : withNames(endpoint, names));
}

/**
 * A facility: the mirrored modules over one {@link Endpoint}, and shortcuts to what is used most. `N`: the names of
 * signals that TypeScript knows, those of the experiment that it was connected with.
 */
export class Facility<N extends string = string> implements AsyncDisposable {
  readonly endpoint: Endpoint;
  /** Runs, tags and 0-D signals, as `dbpy`. */
  readonly db: Db<N>;
  /** Detector images, as `stpy`. */
  readonly st: St;
  /** Shots as they happen, as `olpy`. */
  readonly live: Live;
  /** Control of the experiment, as `ecpy`: axes, shutters, settings, runs. */
  readonly ec: Ec;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
    this.db = new Db<N>(endpoint);
    this.st = new St(endpoint);
    this.live = new Live(endpoint);
    this.ec = new Ec(endpoint);
  }

  /** A run; a negative number counts from the newest. See `db.run`. */
  async run(bl: number, run: number): Promise<Run<N>> {
    return await this.db.run(bl, run);
  }

  /** Runs of a beamline, or with `follow` each run as it ends. See `db.runs`. */
  runs(options: RunsOptions): AsyncIterable<Run<N>> {
    return this.db.runs(options);
  }

  /** Shots of a run, 0-D and 2-D together. See `st.shots`. */
  shots(options: ShotsOptions): Shots {
    return this.st.shots(options);
  }

  /** The mean of a run's shots less its dark, assembled to one image with an error map. See `picture` of reduce. */
  async picture(options: PictureOptions): Promise<Picture> {
    const made = await (await reductions()).picture(this.st, options);
    const { renderImage } = await drawing();
    const title = `run ${made.run.number}, ${made.detector.id}`;
    const unit = unitOfPixels(made.sensors[0]?.info);
    return displayed(made, () => ({ "image/png": base64(renderImage(made.image, { title, unit })) }));
  }

  /** Pumped less unpumped shots of a run as one image, normalised, with errors. See `differencePicture` of reduce. */
  async difference(options: DifferenceOptions): Promise<DifferencePicture> {
    return await (await reductions()).differencePicture(this.st, options);
  }

  /** Closes everything; a second call does nothing. */
  async close(): Promise<void> {
    await this.endpoint.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

showAs(
  Facility,
  () => "Facility { db, st, live, ec, run(bl, number), runs(), shots(), picture(), difference(), close() }",
);
