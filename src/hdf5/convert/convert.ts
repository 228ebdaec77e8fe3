import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { throwIfAborted } from "../../core/async.ts";
import { EV_PER_ELECTRON } from "../../core/constants.ts";
import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import { asText } from "../../core/guards.ts";
import { type Ledger, LedgerBook } from "../../core/ledger.ts";
import { DataConvertLayout, type Layout, writeSignal } from "../layouts/dataconvert.ts";
import { CheetahLayout, NxmxLayout } from "../layouts/stack.ts";
import { type BlockInfo, blocksOf, energySources, readTrailer, readTrailerColumn } from "./batch.ts";
import { type ConvertPlan, type ConvertSource, type Item, planConversion } from "./plan.ts";
import { type PhotonScale, PROVENANCE_FORMAT, PROVENANCE_PATH, type Provenance, provenanceOf } from "./provenance.ts";
import { type DarkInfo, type ReadOptions, readDark, readShots, UNITS_PER_PHOTON } from "./read.ts";
import { type ConvertRequest, resolveRequest } from "./request.ts";
import { partFiles, readJournal, removeParts, renameWhole, Spool, writing } from "./staging.ts";
import { type H5Numbers, H5Writer } from "./writer.ts";

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
  /** CrystFEL geometry beside it, for the cheetah and nxmx formats. */
  readonly geomPath: string | null;
  readonly bytes: number;
  /** Images in the file. */
  readonly images: number;
  /** Shots that were read already when this call began. */
  readonly resumedShots: number;
  /** Every shot of the run: used, or dropped with the reason. */
  readonly ledger: Ledger;
  readonly provenance: Provenance;
}

/**
 * Writes shots of a run to an HDF5 file: DataConvert's layout, Cheetah's or NXmx. Memory does not grow with the number
 * of shots.
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
  const files = partFiles(target);
  if (options.restart === true) await removeParts(files);
  const plan = await planConversion(source, resolved, { signal: options.signal });
  const fingerprint = fingerprintOf(plan, options.url ?? null);
  const done = await finishedBefore(target, path, plan, fingerprint);
  if (done !== undefined) return done;
  checkTarget(target, options.overwrite === true);
  const spool = await Spool.open(target, fingerprint);
  const resumedShots = blocksOf(spool).reduce((sum, { info }) => sum + info.asked, 0);
  let keep = true;
  try {
    const dark = await readDark(source, plan, spool, options);
    await readShots(source, plan, spool, dark?.means ?? null, options);
    const written = await compose(plan, spool, dark?.info ?? null, options);
    const geomPath = written.geom === null ? null : await writeGeom(target, written.geom);
    await spool.noteWhole(written.images);
    await renameWhole(files.part, target);
    keep = false;
    return {
      path,
      geomPath,
      bytes: statSync(target).size,
      images: written.images,
      resumedShots,
      ledger: written.provenance.ledger,
      provenance: written.provenance,
    };
  } catch (error) {
    // These come again however often the same is asked; everything else may be gone the next time.
    keep = !isSaclaError(error, "FRAME_MISSING", "BAD_ARGUMENT", "NO_SHOTS", "NO_DARK", "BAD_GEOMETRY");
    throw error;
  } finally {
    await spool.close();
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
    known?.whole === undefined ||
    known.plan !== fingerprint ||
    found?.ino !== known.whole.ino ||
    found.size !== known.whole.size
  )
    return undefined;
  const provenance = await provenanceOf(target);
  await removeParts(files);
  const geomPath = plan.request.format === "dataconvert" ? null : geomBeside(target);
  return {
    path,
    geomPath,
    bytes: found.size,
    images: known.whole.images,
    resumedShots: plan.tags.length,
    ledger: provenance.ledger,
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
    `${show(target)} is there already; choose another name, or overwrite it: --overwrite, in a script { overwrite: true }.`,
    {
      details: { path: target },
    },
  );
}

/** The same for two calls exactly when they make the same file. */
function fingerprintOf(plan: ConvertPlan, url: string | null): string {
  const { request, info, apiVersion, tags, sensors, signals, items, configuredEv, selection } = plan;
  const text = JSON.stringify({
    request,
    info,
    apiVersion,
    url,
    tags: [...tags],
    sensors,
    signals,
    items,
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
  spool: Spool,
  dark: DarkInfo | null,
  options: ConvertOptions,
): Promise<Composed> {
  const blocks = blocksOf(spool);
  const tags = Uint32Array.from(blocks.flatMap(({ info }) => info.tags));
  const ledger = wholeLedger(
    plan,
    blocks.map(({ info }) => info),
  );
  if (tags.length === 0)
    throw new SaclaError(
      "NO_SHOTS",
      `None of the ${plan.tags.length} shots has all its images, so there is nothing to write.`,
      { details: { ledger } },
    );
  const writer = await H5Writer.create(spool.files.part, plan.info.starttime);
  try {
    const layout = layoutFor(writer, plan);
    layout.begin();
    const { images, times, energyFrom } = await writeShots(plan, spool, layout, options);
    layout.end(tags, times);
    await writeSignals(plan, spool, writer);
    const photons =
      plan.request.format === "dataconvert"
        ? null
        : photonScale(
            blocks.map(({ info }) => info),
            energyFrom,
          );
    const provenance = describeMaking(plan, dark, photons, ledger, options.url ?? null);
    writer.numbers("/sacla/tags_used", tags);
    writer.text(PROVENANCE_PATH, JSON.stringify(provenance));
    writer.close();
    return { images, geom: "geom" in layout ? layout.geom() : null, provenance };
  } catch (error) {
    closeQuietly(writer);
    throw error;
  }
}

function layoutFor(writer: H5Writer, plan: ConvertPlan): DataConvertLayout | CheetahLayout | NxmxLayout {
  if (plan.request.format === "cheetah") return new CheetahLayout(writer, plan);
  return plan.request.format === "nxmx" ? new NxmxLayout(writer, plan) : new DataConvertLayout(writer, plan);
}

async function writeShots(plan: ConvertPlan, spool: Spool, layout: Layout, options: ConvertOptions) {
  const buffers = plan.items.map(newImage);
  const times: number[] = [];
  const energyFrom = new Array<number>(energySources.length).fill(0);
  let images = 0;
  for (const block of blocksOf(spool)) {
    const trailer = await readTrailer(plan, spool, block);
    const absent = new Set(block.info.absent.map(([shot, item]) => shot * plan.items.length + item));
    let at = block.section.from;
    for (const [n, tag] of block.info.tags.entries()) {
      throwIfAborted(options.signal);
      const found: (H5Numbers | null)[] = [];
      for (const [i, buffer] of buffers.entries()) {
        if (absent.has(n * plan.items.length + i)) found.push(null);
        else {
          await spool.read(at, new Uint8Array(buffer.buffer));
          at += buffer.byteLength;
          found.push(buffer);
          images++;
        }
      }
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
}: Item): Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  const n = rows * columns;
  if (type === "float32") return new Float32Array(n);
  return type === "uint16" ? new Uint16Array(n) : new Int32Array(n);
}

/** One signal after the other, so that only one is in memory. */
async function writeSignals(plan: ConvertPlan, spool: Spool, writer: H5Writer): Promise<void> {
  const { request, signals } = plan;
  const root = request.format === "dataconvert" ? `/run_${request.run}/event_info` : "/sacla/event_info";
  const blocks = blocksOf(spool);
  const total = blocks.reduce((sum, { info }) => sum + info.tags.length, 0);
  for (const [i, signal] of signals.entries()) {
    const values = new Float64Array(total);
    const status = new Uint8Array(total);
    let to = 0;
    for (const block of blocks) {
      const part = await readTrailerColumn(plan, spool, block, i);
      values.set(part.values, to);
      status.set(part.status, to);
      to += part.values.length;
    }
    writeSignal(writer, `${root}/${signal.leaf}`, `/sacla/signal_status/${signal.leaf}`, signal, values, status);
  }
}

/** The account of the whole run: what the selection left out, and what had no image. */
function wholeLedger({ selection }: ConvertPlan, blocks: readonly BlockInfo[]): Ledger {
  const book = new LedgerBook();
  for (const { reason, tags } of selection.dropped) for (const tag of tags) book.drop(tag, reason);
  for (const { tags, dropped } of blocks) {
    for (let i = 0; i < tags.length; i++) book.use();
    for (const [tag, reason] of dropped) book.drop(tag, reason);
  }
  return book.ledger;
}

function photonScale(blocks: readonly BlockInfo[], energyFrom: readonly number[]): PhotonScale {
  const sumOf = (count: (block: BlockInfo) => number): number => blocks.reduce((sum, block) => sum + count(block), 0);
  return {
    unitsPerPhoton: UNITS_PER_PHOTON,
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
    signals,
    constants: { photonEnergyEv: configuredEv, tagStep, dark, sensors, photons },
    versions: versions(),
  };
}

let known: Provenance["versions"] | undefined;

/** Versions that decide the bytes of a file; that of h5wasm is pinned. */
function versions(): Provenance["versions"] {
  if (known === undefined) {
    const manifest = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
      version: string;
      dependencies: { h5wasm: string };
    };
    known = { sacla: manifest.version, h5wasm: manifest.dependencies.h5wasm };
  }
  return known;
}

function geomBeside(target: string): string {
  return target.replace(/(\.h5|\.hdf5|\.nxs)?$/i, ".geom");
}

async function writeGeom(target: string, text: string): Promise<string> {
  const path = geomBeside(target);
  const beside = `${path}.part`;
  await writing(path, () => writeFile(beside, text));
  await renameWhole(beside, path);
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
