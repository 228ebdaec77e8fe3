import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { throwIfAborted } from "../../core/async.ts";
import { EV_PER_ELECTRON } from "../../core/constants.ts";
import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import { asText } from "../../core/guards.ts";
import { droppedBecause, type Ledger, LedgerBook } from "../../core/ledger.ts";
import { any, flag, optional, resolveOptions } from "../../core/options.ts";
import { packageManifest, renameWhole, replaceFile } from "../../files/index.ts";
import { writeSignal } from "../layouts/event-info.ts";
import { writingOf } from "../layouts/index.ts";
import type { LayoutWriter } from "../layouts/layout.ts";
import { unitsPerPhoton } from "../layouts/stack.ts";
import {
  asciiJson,
  type DarkInfo,
  type PhotonScale,
  PROVENANCE_FORMAT,
  PROVENANCE_PATH,
  type Provenance,
  provenanceOf,
} from "../read/provenance.ts";
import type { ConvertRequest, PixelUnits } from "../request.ts";
import { ImageDigests } from "../write/digests.ts";
import type { ConvertPlan, ConvertSource, OutputImage } from "../write/plan.ts";
import { type H5Numbers, H5Writer } from "../write/writer.ts";
import { energySources, readTrailer, readTrailerColumn, type ShotBatchInfo, shotBatches } from "./batch.ts";
import { planConversion } from "./planning.ts";
import { type ReadOptions, readChecks, readDarkMeans, readShots } from "./read.ts";
import { resolveRequest } from "./resolve.ts";
import { partFiles, readJournal, removeParts, Staging } from "./staging.ts";

export interface ConvertOptions extends ReadOptions {
  /** Address the source was opened by, for the provenance and `sacla replay`. */
  readonly url?: string | undefined;
  /** Replace a file of that name. @default false */
  readonly overwrite?: boolean | undefined;
  /** Throw away what an unfinished conversion has left. @default false */
  readonly restart?: boolean | undefined;
}

/** What was written. */
export interface Converted {
  readonly path: string;
  /** CrystFEL geometry beside it, for the cheetah, nxmx and cxi formats. */
  readonly geomPath: string | null;
  readonly bytes: number;
  /** Images in the file. */
  readonly images: number;
  /** Shots that were read already when this call began. */
  readonly resumedShots: number;
  /** Every shot of the run: used, or dropped with the reason. */
  readonly ledger: Ledger;
  /** Signals of the source that are not in the file. */
  readonly signalsLeftOut: readonly string[];
  readonly provenance: Provenance;
}

/**
 * Writes shots of a run to an HDF5 file: DataConvert's layout, Cheetah's, NXmx or CXI. Memory does not grow with the
 * number of shots, but for their lists of peaks in a CXI file.
 *
 * Everything read is kept beside the target (`<path>.part.data`, `.part.journal`) until the file is whole and gets its
 * name; killed at any moment, the same call goes on where it stopped, and the file is bit for bit what an
 * uninterrupted call would have written.
 *
 * @throws FILE_EXISTS when the file is there, or something else is on its way to it
 * @throws WRITE_FAILED when the disk is full or the folder not writable; what was read is kept
 * @throws FRAME_MISSING with `missing: "error"`; what was read is thrown away
 * @throws NO_SHOTS, NO_DARK, BAD_ARGUMENT and what the source throws; after a failure of the source what was read is
 * kept
 * @example
 * await convert(facility, { bl: 3, run: 206178, shots: "exposed", compression: "gzip-1" }, "206178.h5");
 */
export async function convert(
  source: ConvertSource,
  request: ConvertRequest,
  path: string,
  options: ConvertOptions = {},
): Promise<Converted> {
  const target = resolve(asText("path", path));
  const resolved = resolveRequest(request);
  resolveOptions("convert", options, {
    ...readChecks,
    url: any,
    overwrite: optional(flag),
    restart: optional(flag),
  });
  const files = partFiles(target);
  if (options.restart === true) await removeParts(files);
  const plan = await planConversion(source, resolved, { signal: options.signal });
  const fingerprint = fingerprintOf(plan, options.url ?? null);
  const done = await finishedBefore(target, path, plan, fingerprint);
  if (done !== undefined) return done;
  checkTarget(target, options.overwrite === true);
  const staging = await Staging.open(target, fingerprint);
  const resumedShots = shotBatches(staging).reduce((sum, { info }) => sum + info.asked, 0);
  let keep = true;
  try {
    const dark = await readDarkMeans(source, plan, staging, options);
    await readShots(source, plan, staging, dark?.means ?? null, options);
    const written = await compose(plan, staging, dark?.info ?? null, options);
    const geomPath = written.geom === null ? null : writeGeom(target, written.geom);
    await staging.markComplete(written.images);
    await renameWhole(files.part, target);
    keep = false;
    return {
      path,
      geomPath,
      bytes: statSync(target).size,
      images: written.images,
      resumedShots,
      ledger: written.provenance.ledger,
      signalsLeftOut: plan.signalsLeftOut,
      provenance: written.provenance,
    };
  } catch (error) {
    // These come again however often the same is asked; everything else may be gone the next time.
    keep = !isSaclaError(error, "FRAME_MISSING", "BAD_ARGUMENT", "NO_SHOTS", "NO_DARK", "BAD_GEOMETRY");
    throw error;
  } finally {
    await staging.close();
    if (!keep) await removeParts(files);
    else await rm(files.part, { force: true });
  }
}

/**
 * A conversion that was killed after its file got its name and before all else was removed: only that is left to do.
 * The file is known by its inode, which a rename does not change.
 */
async function finishedBefore(
  target: string,
  path: string,
  plan: ConvertPlan,
  fingerprint: string,
): Promise<Converted | undefined> {
  const files = partFiles(target);
  const known = readJournal(files.journal);
  const found = statSync(target, { throwIfNoEntry: false });
  if (
    known?.complete === undefined ||
    known.plan !== fingerprint ||
    found?.ino !== known.complete.ino ||
    found.size !== known.complete.size
  )
    return undefined;
  const provenance = await provenanceOf(target);
  await removeParts(files);
  const geomPath = writingOf(plan.request.format).stackTypes === null ? null : geomBeside(target);
  return {
    path,
    geomPath,
    bytes: found.size,
    images: known.complete.images,
    resumedShots: plan.tags.length,
    ledger: provenance.ledger,
    signalsLeftOut: plan.signalsLeftOut,
    provenance,
  };
}

/** @throws FILE_EXISTS, WRITE_FAILED before anything is made */
function checkTarget(target: string, overwrite: boolean): void {
  const found = statSync(target, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (found.isDirectory())
    throw new SaclaError("WRITE_FAILED", `${show(target)} is a folder; name a file.`, { details: { path: target } });
  // It would be replaced by a file, /dev/null too.
  if (!found.isFile())
    throw new SaclaError("WRITE_FAILED", `${show(target)} is a device or a pipe; name a file.`, {
      details: { path: target },
    });
  if (overwrite) return;
  throw new SaclaError(
    "FILE_EXISTS",
    `${show(target)} is there already; choose another name, or overwrite it: ` +
      "--overwrite, in a script { overwrite: true }.",
    {
      details: { path: target },
    },
  );
}

/** The same for two calls exactly when they make the same file. */
function fingerprintOf(plan: ConvertPlan, url: string | null): string {
  const { request, info, apiVersion, tags, sensors, signals, images, configuredEv, selection } = plan;
  const text = JSON.stringify({
    request,
    info,
    apiVersion,
    url,
    tags: [...tags],
    sensors,
    signals,
    images,
    configuredEv,
    selection,
    versions: versions(),
  });
  return createHash("sha256").update(text).digest("hex");
}

/** What the file is that was made. */
interface Composed {
  readonly images: number;
  readonly geom: string | null;
  readonly provenance: Provenance;
}

/** Makes the file from what was read: the same calls in the same order whatever happened before. */
async function compose(
  plan: ConvertPlan,
  staging: Staging,
  dark: DarkInfo | null,
  options: ConvertOptions,
): Promise<Composed> {
  const batches = shotBatches(staging);
  const tags = Uint32Array.from(batches.flatMap(({ info }) => info.tags));
  const ledger = wholeLedger(
    plan,
    batches.map(({ info }) => info),
  );
  if (tags.length === 0)
    throw new SaclaError("NO_SHOTS", `None of the ${plan.tags.length} shots ${noneOf(ledger)}.`, {
      details: { ledger },
    });
  const writer = await H5Writer.create(staging.files.part, plan.info.starttime);
  try {
    const { begin } = writingOf(plan.request.format);
    const layout = begin(writer, plan);
    layout.begin();
    const digests = new ImageDigests(plan.images.length, tags.length);
    const { images, times, energyFrom } = await writeShots(plan, staging, layout, digests, options);
    layout.end(tags, times);
    await writeSignals(plan, staging, writer, layout.eventInfo);
    const photons =
      plan.request.units === null
        ? null
        : photonScale(
            plan.request.units,
            batches.map(({ info }) => info),
            energyFrom,
          );
    const provenance = describeMaking(plan, dark, photons, ledger, options.url ?? null);
    writer.numbers("/sacla/tags_used", tags);
    digests.write(writer, layout.imagePaths);
    writer.text(PROVENANCE_PATH, asciiJson(provenance));
    writer.close();
    return { images, geom: layout.geom(), provenance };
  } catch (error) {
    closeQuietly(writer);
    throw error;
  }
}

function noneOf({ dropped }: Ledger): string {
  const hits = dropped.find(({ reason }) => reason === "not-hit");
  return hits === undefined
    ? `has all its images${droppedBecause(dropped)}; name a detector or sensor that has them (--detector), or keep ` +
        "those that are there with the format dataconvert"
    : `is a hit (${hits.tags.length} were looked at; fewer peaks: --hits, weaker ones: --hit-photons); ` +
        "the format nxmx has all shots";
}

async function writeShots(
  plan: ConvertPlan,
  staging: Staging,
  layout: LayoutWriter,
  digests: ImageDigests,
  options: ConvertOptions,
) {
  const buffers = plan.images.map(newImage);
  const times: number[] = [];
  const energyFrom = new Array<number>(energySources.length).fill(0);
  let images = 0;
  for (const batch of shotBatches(staging)) {
    const trailer = await readTrailer(plan, staging, batch);
    const absent = new Set(batch.info.absent.map(([shot, image]) => shot * plan.images.length + image));
    let at = batch.batch.from;
    for (const [n, tag] of batch.info.tags.entries()) {
      throwIfAborted(options.signal);
      const found: (H5Numbers | null)[] = [];
      for (const [i, buffer] of buffers.entries()) {
        if (absent.has(n * plan.images.length + i)) found.push(null);
        else {
          await staging.read(at, new Uint8Array(buffer.buffer));
          at += buffer.byteLength;
          found.push(buffer);
          images++;
        }
      }
      digests.add(found);
      layout.shot(tag, trailer.energiesEv[n] ?? NaN, found);
      const source = trailer.energySource[n] ?? 0;
      energyFrom[source] = (energyFrom[source] ?? 0) + 1;
      times.push(trailer.times[n] ?? NaN);
      options.onProgress?.("write", times.length, plan.tags.length);
    }
  }
  return { images, times: Float64Array.from(times), energyFrom };
}

function newImage({
  type,
  rows,
  columns,
}: OutputImage): Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  const n = rows * columns;
  if (type === "float32") return new Float32Array(n);
  return type === "uint16" ? new Uint16Array(n) : new Int32Array(n);
}

/** One signal after the other, so that only one is in memory. */
async function writeSignals(plan: ConvertPlan, staging: Staging, writer: H5Writer, eventInfo: string): Promise<void> {
  const batches = shotBatches(staging);
  const total = batches.reduce((sum, { info }) => sum + info.tags.length, 0);
  for (const [i, signal] of plan.signals.entries()) {
    const values = new Float64Array(total);
    const status = new Uint8Array(total);
    let to = 0;
    for (const batch of batches) {
      const part = await readTrailerColumn(plan, staging, batch, i);
      values.set(part.values, to);
      status.set(part.status, to);
      to += part.values.length;
    }
    writeSignal(
      writer,
      `${eventInfo}/${signal.eventInfoPath}`,
      `/sacla/signal_status/${signal.eventInfoPath}`,
      signal,
      values,
      status,
    );
  }
}

/** The account of the whole run: what the selection left out, and what had no image. */
function wholeLedger({ selection }: ConvertPlan, batches: readonly ShotBatchInfo[]): Ledger {
  const book = new LedgerBook();
  for (const { reason, tags } of selection.dropped) for (const tag of tags) book.drop(tag, reason);
  for (const { tags, dropped, notes } of batches) {
    for (const [what, times] of Object.entries(notes ?? {})) for (let i = 0; i < times; i++) book.note(what);
    for (let i = 0; i < tags.length; i++) book.use();
    for (const [tag, reason] of dropped) book.drop(tag, reason);
  }
  return book.ledger;
}

function photonScale(units: PixelUnits, batches: readonly ShotBatchInfo[], energyFrom: readonly number[]): PhotonScale {
  const sumOf = (count: (batch: ShotBatchInfo) => number): number =>
    batches.reduce((sum, batch) => sum + count(batch), 0);
  return {
    unitsPerPhoton: unitsPerPhoton[units],
    evPerElectron: EV_PER_ELECTRON,
    energyFrom: Object.fromEntries(energySources.map((name, i) => [name, energyFrom[i] ?? 0])),
    clipped: [
      sumOf(({ clipped }) => clipped[0]),
      sumOf(({ clipped }) => clipped[1]),
      sumOf(({ clipped }) => clipped[2]),
    ],
  };
}

function describeMaking(
  plan: ConvertPlan,
  dark: DarkInfo | null,
  photons: PhotonScale | null,
  ledger: Ledger,
  url: string | null,
): Provenance {
  const { request, info, apiVersion, signals, configuredEv, tagStep, sensors } = plan;
  const seed = /^sim:.*[?&]seed=(\d+)/.exec(url ?? "")?.[1];
  return {
    format: PROVENANCE_FORMAT,
    request,
    source: { url, apiVersion, seed: seed === undefined ? null : Number(seed) },
    run: info,
    ledger,
    signals: signals.map(({ eventInfoPath, id, unit }) => ({ leaf: eventInfoPath, id, unit })),
    constants: { photonEnergyEv: Number.isNaN(configuredEv) ? null : configuredEv, tagStep, dark, sensors, photons },
    versions: versions(),
  };
}

/** Versions that decide the bytes of a file; that of h5wasm is pinned. */
function versions(): Provenance["versions"] {
  const { version, dependencies } = packageManifest();
  return { sacla: version, h5wasm: dependencies["h5wasm"] ?? "" };
}

function geomBeside(target: string): string {
  return target.replace(/(\.h5|\.hdf5|\.nxs|\.cxi)?$/i, ".geom");
}

function writeGeom(target: string, text: string): string {
  const path = geomBeside(target);
  replaceFile(path, text);
  return path;
}

/** What failed before matters, not that closing fails too. */
function closeQuietly(writer: H5Writer): void {
  try {
    writer.close();
  } catch {
    // The file is thrown away.
  }
}
