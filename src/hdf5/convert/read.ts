import { throwIfAborted } from "../../core/async.ts";
import { bytesOf } from "../../core/bytes.ts";
import { FALLBACK_PHOTON_ENERGY_EV, TAG_RATE_HZ } from "../../core/constants.ts";
import { photonsPerAdu } from "../../core/detector.ts";
import { isSaclaError, SaclaError } from "../../core/errors.ts";
import { present } from "../../core/ledger.ts";
import { asImage, contiguous, type Image, type Pixels, type PreciseImage } from "../../core/ndarray.ts";
import { any } from "../../core/options.ts";
import type { Run, RunTags } from "../../db/index.ts";
import { darkMean } from "../../reduce/dark-average.ts";
import { type DarkMeans, subtractDark } from "../../reduce/index.ts";
import { PeakFinder } from "../layouts/hits.ts";
import { unitsPerPhoton } from "../layouts/stack.ts";
import type { DarkInfo } from "../read/provenance.ts";
import type { ConvertPlan, ConvertSource, OutputImage } from "../write/plan.ts";
import { type ShotBatchInfo, shotBatches, type Trailer, trailerParts } from "./batch.ts";
import { type SourceShot, sourceShots } from "./shots.ts";
import type { Staging } from "./staging.ts";

/** How far a conversion is. */
export type ConvertProgress = (step: "dark" | "read" | "write", done: number, total: number) => void;

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ConvertProgress | undefined;
}

/** The checks of {@link ReadOptions}, for `resolveOptions`. */
export const readChecks = { signal: any, onProgress: any };

/** Photon energies outside are taken for nonsense (ostrich accepts 5–15 keV). */
const SENSIBLE_EV = [5000, 15_000] as const;
/** The facility is asked for one after the other. */
const TIMES_AT_ONCE = 1000;
/** Shots of a batch, where most have no image. */
const MOST_OF_BATCH = 10_000;

/** The dark to subtract: read from the staging files, else averaged now and put there. Null when none is asked for. */
export async function readDarkMeans(
  source: ConvertSource,
  plan: ConvertPlan,
  staging: Staging,
  options: ReadOptions,
): Promise<{ means: DarkMeans; info: DarkInfo } | null> {
  const { request, run, sensors } = plan;
  if (request.dark === "none") return null;
  const kept = staging.batches.find(({ name }) => name === "dark");
  if (kept === undefined) {
    const darkRun =
      request.dark === "head" ? run : await source.db.run(request.bl, request.dark, { signal: options.signal });
    const tags = await darkTagsOf(darkRun, options.signal);
    const shots = source.st.shots({
      run: darkRun,
      tags,
      detectors: sensors.map(({ id }) => id),
      ...shotOptions(plan, options),
    });
    const dark = await darkMean(shots, {
      onProgress: (done, total) => options.onProgress?.("dark", done, total ?? tags.length),
    });
    for (const { id } of sensors) await staging.write(bytesOf(dark.mean[id]?.data ?? new Float64Array(0)));
    const info: DarkInfo = { run: darkRun.number, tags: [...tags], rule: tags.basis?.rule ?? "", ledger: dark.ledger };
    await staging.commit("dark", info);
  }
  return await darkFromStaging(plan, staging);
}

/** @throws NO_DARK when the run has none, or has no signals that tell them */
async function darkTagsOf(run: Run, signal: AbortSignal | undefined): Promise<RunTags> {
  const noDark = (why: string, cause?: unknown): SaclaError =>
    new SaclaError("NO_DARK", `Run ${run.number} ${why}; name a dark run, or convert with --dark none.`, {
      details: { run: run.number },
      cause,
    });
  let tags: RunTags;
  try {
    tags = await run.darkTags(undefined, { signal });
  } catch (error) {
    if (!isSaclaError(error, "UNKNOWN_SIGNAL")) throw error;
    throw noDark("has no shutter signals, so which of its shots are dark is not known", error);
  }
  if (tags.length === 0) throw noDark("has no dark shots at its head");
  return tags;
}

async function darkFromStaging(
  { sensors }: ConvertPlan,
  staging: Staging,
): Promise<{ means: DarkMeans; info: DarkInfo }> {
  const batch = staging.batches.find(({ name }) => name === "dark");
  if (batch === undefined) throw new SaclaError("INTERNAL", "The dark was not kept.");
  const means: Record<string, PreciseImage> = {};
  let at = batch.from;
  for (const { id, ysize, xsize } of sensors) {
    const mean = new Float64Array(ysize * xsize);
    await staging.read(at, bytesOf(mean));
    means[id] = asImage(mean, ysize, xsize);
    at += mean.byteLength;
  }
  return { means, info: batch.info as DarkInfo };
}

/** Reads what is not in the staging files yet, one batch after the other. */
export async function readShots(
  source: ConvertSource,
  plan: ConvertPlan,
  staging: Staging,
  dark: DarkMeans | null,
  options: ReadOptions,
): Promise<void> {
  const { tags, batchShots, request } = plan;
  const done = shotBatches(staging).reduce((sum, { info }) => sum + info.asked, 0);
  if (done === tags.length) return;
  const shots = sourceShots(source, plan, tags.slice(done).values, { signal: options.signal });
  const scratch = new Scratch(request.hits === null ? null : new PeakFinder(plan, request.hits));
  let batch = new ShotBatch(plan, staging, dark, scratch);
  let read = done;
  for await (const shot of shots) {
    await batch.add(shot);
    read++;
    options.onProgress?.("read", read, tags.length);
    if (batch.withImages === batchShots || batch.asked === MOST_OF_BATCH || read === tags.length) {
      await batch.commit(options.signal);
      batch = new ShotBatch(plan, staging, dark, scratch);
    }
    throwIfAborted(options.signal);
  }
}

/** The batch that is being read. */
class ShotBatch {
  asked = 0;
  /** Those of which there is an image. */
  withImages = 0;
  readonly #plan: ConvertPlan;
  readonly #staging: Staging;
  readonly #dark: DarkMeans | null;
  readonly #scratch: Scratch;
  readonly #tags: number[] = [];
  readonly #dropped: [tag: number, reason: string][] = [];
  readonly #absent: [shot: number, image: number][] = [];
  readonly #notes = new Map<string, number>();
  #clipped: [below: number, above: number, notNumbers: number] = [0, 0, 0];
  readonly #energies: number[] = [];
  readonly #energySource: number[] = [];
  readonly #values: number[][];
  readonly #statuses: number[][];

  constructor(plan: ConvertPlan, staging: Staging, dark: DarkMeans | null, scratch: Scratch) {
    this.#scratch = scratch;
    this.#plan = plan;
    this.#staging = staging;
    this.#dark = dark;
    this.#values = plan.signals.map(() => []);
    this.#statuses = plan.signals.map(() => []);
  }

  async add(shot: SourceShot): Promise<void> {
    this.asked++;
    if (Object.keys(shot.images).length > 0) this.withImages++;
    const { request, sensors, images } = this.#plan;
    const gap = sensors.find(({ id }) => !(id in shot.images));
    if (gap !== undefined && request.missing === "drop") {
      this.#dropped.push([shot.tag, shot.missing[gap.id] ?? "frame-missing"]);
      return;
    }
    for (const reason of Object.values(shot.missing))
      if (reason !== "frame-missing") this.#notes.set(reason, (this.#notes.get(reason) ?? 0) + 1);
    const [energyEv, energySource] = this.#energyOf(shot);
    const corrected = this.#correct(shot);
    const clipped = [...this.#clipped] as const;
    for (const [i, image] of images.entries()) {
      const bytes = this.#bytes(image, shot, corrected, energyEv);
      if (image.kind === "stack" && !this.#scratch.holdsHit()) {
        this.#dropped.push([shot.tag, "not-hit"]);
        // Of what is not in the file.
        this.#clipped = [...clipped];
        return;
      }
      if (bytes === null) this.#absent.push([this.#tags.length, i]);
      else await this.#staging.write(bytes);
    }
    this.#tags.push(shot.tag);
    this.#energies.push(energyEv);
    this.#energySource.push(energySource);
    for (const [i, { id }] of this.#plan.signals.entries()) {
      const [value, status] = shot.entry(id);
      this.#values[i]?.push(value);
      this.#statuses[i]?.push(status);
    }
  }

  async commit(signal: AbortSignal | undefined): Promise<void> {
    const { info, run, clock } = this.#plan;
    const tags = Uint32Array.from(this.#tags);
    const trailer: Trailer = {
      times:
        clock === null
          ? Float64Array.from(tags, (tag) => info.starttime + (tag - info.start_tagnumber) / TAG_RATE_HZ)
          : await timesOf(run, tags, clock, signal),
      energiesEv: Float64Array.from(this.#energies),
      energySource: Uint8Array.from(this.#energySource),
      values: this.#values.map((column) => Float64Array.from(column)),
      statuses: this.#statuses.map((column) => Uint8Array.from(column)),
    };
    for (const part of trailerParts(trailer)) await this.#staging.write(part);
    const done: ShotBatchInfo = {
      asked: this.asked,
      tags: this.#tags,
      dropped: this.#dropped,
      absent: this.#absent,
      ...present("notes", this.#notes),
      clipped: this.#clipped,
    };
    await this.#staging.commit("shots", done);
  }

  #energyOf(shot: SourceShot): [energyEv: number, source: number] {
    const { spectrometer, configuredEv } = this.#plan;
    const measuredEv = spectrometer === null ? NaN : 1000 * shot.entry(spectrometer)[0];
    if (isSensible(measuredEv)) return [measuredEv, 0];
    return isSensible(configuredEv) ? [configuredEv, 1] : [FALLBACK_PHOTON_ENERGY_EV, 2];
  }

  /** The images less their dark, by sensor. */
  #correct(shot: SourceShot): Readonly<Record<string, Pixels>> {
    const corrected: Record<string, Pixels> = {};
    for (const [id, image] of Object.entries(shot.images)) {
      const pixels = contiguous(image);
      const dark = this.#dark?.[id];
      if (dark === undefined) corrected[id] = pixels;
      else {
        const out = this.#scratch.of(`dark ${id}`, pixels.length);
        subtractDark(pixels, dark.data, out);
        corrected[id] = out;
      }
    }
    return corrected;
  }

  #bytes(
    image: OutputImage,
    shot: SourceShot,
    corrected: Readonly<Record<string, Pixels>>,
    energyEv: number,
  ): Uint8Array | null {
    if (image.kind === "assembled") return this.#assembled(image, corrected);
    if (image.kind === "stack") return this.#stacked(image, corrected, energyEv);
    const pixels = corrected[image.id];
    if (pixels === undefined) return null;
    if (image.type === "uint16") return bytesOf(asWhole(pixels, image.id, shot.tag));
    if (pixels instanceof Float32Array) return bytesOf(pixels);
    const out = this.#scratch.of("float", pixels.length);
    out.set(pixels);
    return bytesOf(out);
  }

  #assembled({ id, rows, columns }: OutputImage, corrected: Readonly<Record<string, Pixels>>): Uint8Array | null {
    const assembler = this.#plan.assemblers.get(id);
    if (assembler === undefined || assembler.sensors.some((sensor) => !(sensor.id in corrected))) return null;
    const picture: Image = asImage(this.#scratch.of("picture", rows * columns), rows, columns);
    const images = Object.fromEntries(assembler.sensors.map((sensor) => [sensor.id, corrected[sensor.id]]));
    return bytesOf(assembler.assemble(images, { out: picture }).data);
  }

  /** All sensors under each other, in photons or tenths of photons; both to a tenth. */
  #stacked(
    { rows, columns, type }: OutputImage,
    corrected: Readonly<Record<string, Pixels>>,
    energyEv: number,
  ): Uint8Array {
    const out = this.#scratch.stack(type, rows * columns);
    const [low, high] = type === "uint16" ? [0, 0xffff] : [-0x8000_0000, 0x7fff_ffff];
    const perUnit = unitsPerPhoton.tenths / unitsPerPhoton[this.#plan.request.units ?? "tenths"];
    let to = 0;
    for (const { id, absGain, pixelUnit } of this.#plan.sensors) {
      const pixels = corrected[id];
      const perPhoton = pixelUnit === "photon" ? 1 : photonsPerAdu(absGain ?? NaN, energyEv);
      const scale = unitsPerPhoton.tenths * perPhoton;
      if (pixels === undefined) throw new SaclaError("INTERNAL", `${id} is missing from a shot that should be whole.`);
      for (let i = 0; i < pixels.length; i++) {
        const tenths = Math.round((pixels[i] ?? NaN) * scale);
        if (tenths >= low && tenths <= high)
          out[to++] = tenths / perUnit + 0; // never −0, which compresses worse
        else {
          const how = tenths < low ? 0 : tenths > high ? 1 : 2;
          this.#clipped[how]++;
          out[to++] = (how === 0 ? low : how === 1 ? high : 0) / perUnit;
        }
      }
    }
    return bytesOf(out);
  }
}

async function timesOf(run: Run, tags: Uint32Array, clock: string, signal?: AbortSignal): Promise<Float64Array> {
  const times = new Float64Array(tags.length);
  for (let i = 0; i < tags.length; i += TIMES_AT_ONCE) {
    const params = { hightag: run.hightag, tags: tags.slice(i, i + TIMES_AT_ONCE), equipId: clock };
    times.set(await run.endpoint.call("db.readTimestamps", params, { signal }), i);
  }
  return times;
}

function shotOptions({ request }: ConvertPlan, { signal }: ReadOptions) {
  return { roi: request.roi ?? undefined, signal };
}

function isSensible(energyEv: number): boolean {
  return energyEv >= SENSIBLE_EV[0] && energyEv <= SENSIBLE_EV[1];
}

const stackArrays = { uint16: Uint16Array, int32: Int32Array, float32: Float32Array } as const;

/** Memory that one conversion uses for shot after shot. */
class Scratch {
  readonly #arrays = new Map<string, Float32Array>();
  readonly #finder: PeakFinder | null;
  #stack: Uint16Array | Int32Array | Float32Array = new Uint16Array(0);

  /** @param finder - null: hits are not looked for */
  constructor(finder: PeakFinder | null) {
    this.#finder = finder;
  }

  /** Whether the stack is to be kept. */
  holdsHit(): boolean {
    return this.#finder === null || this.#finder.isHit(this.#stack);
  }

  stack(type: OutputImage["type"], length: number): Uint16Array | Int32Array | Float32Array {
    if (this.#stack.length !== length) this.#stack = new stackArrays[type](length);
    return this.#stack;
  }

  of(purpose: string, length: number): Float32Array {
    const known = this.#arrays.get(purpose);
    if (known?.length === length) return known;
    const fresh = new Float32Array(length);
    this.#arrays.set(purpose, fresh);
    return fresh;
  }
}

/** @throws BAD_ARGUMENT when a pixel would not come back as it is */
function asWhole(pixels: Pixels, detId: string, tag: number): Uint16Array {
  if (pixels instanceof Uint16Array) return pixels;
  const out = Uint16Array.from(pixels);
  for (let i = 0; i < out.length; i++) {
    if (out[i] !== pixels[i]) {
      throw new SaclaError(
        "BAD_ARGUMENT",
        `A pixel of ${detId} at tag ${tag} is ${pixels[i]}, which uint16 cannot hold; write the pixels as float32.`,
        {
          details: { detId, tag, value: pixels[i], index: i },
        },
      );
    }
  }
  return out;
}
