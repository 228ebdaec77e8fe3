import { type CallOptions, throwIfAborted } from "../../core/async.ts";
import type { DetectorInfo } from "../../core/detector.ts";
import { type DetectorGroup, Detectors } from "../../core/detectors.ts";
import { isSaclaError, SaclaError, showList } from "../../core/errors.ts";
import { badArgument } from "../../core/guards.ts";
import { droppedBecause, type Ledger, LedgerBook } from "../../core/ledger.ts";
import { asImage, type NdArray } from "../../core/ndarray.ts";
import { checkRoi, type Roi, roiShape } from "../../core/roi.ts";
import { parseCondition, type Run, type RunTags } from "../../db/index.ts";
import { placedSensors } from "../../db/run-assembler.ts";
import { geometryOf } from "../../ip/geometry.ts";
import { Assembler, badPixels, usable } from "../../ip/index.ts";
import { isCut } from "../../ip/masks.ts";
import type { RunInfo } from "../../transport/index.ts";
import { writingOf } from "../layouts/index.ts";
import { defaultSignals, eventInfoPathOf, hutchSignals, oneNameEach } from "../read/signals.ts";
import type { ResolvedRequest } from "../request.ts";
import type { ConvertPlan, ConvertSource, OutputImage, StoredSignal } from "../write/plan.ts";

/** Batches of about this size: a kill costs at most so much to read again. */
const BATCH_BYTES = 1 << 25;
const MAX_BATCH_SHOTS = 100;
const pixelBytes = { float32: 4, uint16: 2, int32: 4 } as const;

/**
 * Decides what a conversion will write.
 * @throws UNKNOWN_RUN, UNKNOWN_DETECTOR, UNKNOWN_SIGNAL
 * @throws NO_SHOTS when no shot is selected
 * @throws BAD_ARGUMENT when the ROI is outside an image, or sensors cannot be stacked
 * @throws BAD_GEOMETRY when sensors without a place are to be assembled or stacked
 * @throws UNSUPPORTED when sensors without a gain are to be written in photons
 */
export async function planConversion(
  { db, st }: ConvertSource,
  request: ResolvedRequest,
  options: CallOptions = {},
): Promise<ConvertPlan> {
  const run = await db.run(request.bl, request.run, options);
  const base = await run.tags(options);
  const { tags, ledger } = await selectTags(run, base, request, options);
  if (tags.length === 0) {
    throw new SaclaError(
      "NO_SHOTS",
      `No shot of run ${run.number} is left to convert, of ${ledger.asked}${droppedBecause(ledger.dropped)}` +
        `${whatNarrows(request)}.`,
      {
        details: { ledger },
      },
    );
  }
  const groups = await chooseGroups(run, request, options);
  const infos: DetectorInfo[] = [];
  for (const id of groups.flatMap(({ sensors }) => sensors))
    infos.push(await st.detectorInfo(run.bl, run.number, id, options));
  const sensors = infos.map((info) => (request.roi === null ? info : cutInfo(info, request.roi)));
  const assemblers = request.assembled ? makeAssemblers(groups, sensors, request) : new Map<string, Assembler>();
  const images = imagesOf(request, groups, sensors, assemblers);
  const names = await db.readEquiplist(options);
  const spectrometer = `xfel_bl_${run.bl}_tc_spec_1/energy`;
  const shotBytes = images.reduce((sum, { bytes }) => sum + bytes, 0);
  throwIfAborted(options.signal);
  const first = tags.at(0) ?? run.info.start_tagnumber;
  const signals = await chooseSignals(run, names, request.signals, first, options);
  const chosenPaths = new Set(signals.map(({ eventInfoPath }) => eventInfoPath));
  const isStack = request.units !== null;
  // Of images in photons the dark was taken off already.
  const noDark = request.dark === "head" && sensors.every(({ pixelUnit }) => pixelUnit === "photon");
  return {
    request: noDark ? { ...request, dark: "none" } : request,
    info: recordedInfo(run.info),
    apiVersion: await db.getApiVersion(options),
    run,
    tags,
    tagStep: base.step,
    selection: ledger,
    groups,
    sensors,
    masks: isStack ? await masksOf(run, infos, request.roi, options) : [],
    badPixels: isStack ? new Map() : await unnamedBadPixels(run, infos, request.roi, options),
    assemblers,
    images,
    signals,
    signalsLeftOut: oneNameEach(names, run.bl).filter((name) => !chosenPaths.has(eventInfoPathOf(name, run.bl))),
    clock: names.find((name) => name === `xfel_bl_${run.bl}_shutter_1_open_valid/status`) ?? names[0] ?? null,
    spectrometer: request.units !== null && names.includes(spectrometer) ? spectrometer : null,
    configuredEv: await configuredEnergyEv(run, options),
    batchShots: Math.min(MAX_BATCH_SHOTS, Math.max(1, Math.floor(BATCH_BYTES / Math.max(1, shotBytes)))),
  };
}

/** What a user can ask for otherwise. */
function whatNarrows({ shots, tags, where }: ResolvedRequest): string {
  const options = [
    ...(shots === "all" ? [] : [`--class ${shots}`]),
    ...(tags === null ? [] : ["--tags"]),
    ...(where.length === 0 ? [] : ["--where"]),
  ];
  return options.length === 0 ? "" : `; ask for others, or more, with ${options.join(", ")}`;
}

/** NaN where a file has none. */
async function configuredEnergyEv(run: Run, options: CallOptions): Promise<number> {
  try {
    return await run.photonEnergyEv(options);
  } catch (error) {
    if (isSaclaError(error, "UNSUPPORTED")) return NaN;
    throw error;
  }
}

/** What is odd about the file that is read is not so of the one that is written. */
function recordedInfo({ notes: _, ...info }: RunInfo): RunInfo {
  return info;
}

/** The shots asked for, with the reason for each of the run's that is not. */
async function selectTags(
  run: Run,
  base: RunTags,
  request: ResolvedRequest,
  options: CallOptions,
): Promise<{ tags: RunTags; ledger: Ledger }> {
  const reasons = new Map<number, string>();
  let tags = base;
  const narrow = (kept: RunTags, otherwise: string): void => {
    const named = new Map(
      kept.ledger?.dropped.flatMap(({ reason, tags: gone }) => gone.map((tag) => [tag, reason] as const)),
    );
    for (const tag of tags) if (!kept.has(tag)) reasons.set(tag, named.get(tag) ?? otherwise);
    tags = kept;
  };
  if (request.tags !== null) {
    const stranger = request.tags.find((tag) => !base.has(tag));
    if (stranger !== undefined) throw badArgument("tag", stranger, `one of the ${base.length} of run ${run.number}`);
    const wanted = new Set(request.tags);
    narrow(
      tags.filter((tag) => wanted.has(tag)),
      "not-listed",
    );
  }
  if (request.shots === "dark") narrow(await run.darkTags(tags, options), "not-dark");
  else if (request.shots === "exposed") narrow(await run.exposedTags(tags, options), "not-exposed");
  else if (request.shots !== "all") narrow((await run.labels(tags, options))[request.shots], `not-${request.shots}`);
  for (const text of request.where) {
    const { equipId, holds } = parseCondition(text);
    narrow(await tags.where(equipId, holds, options), "condition");
  }
  if (request.limit !== null) narrow(tags.slice(0, request.limit), "over-limit");
  const book = new LedgerBook();
  for (const tag of base) {
    const reason = reasons.get(tag);
    if (reason === undefined) book.use();
    else book.drop(tag, reason);
  }
  return { tags, ledger: book.ledger };
}

async function chooseGroups(
  run: Run,
  { detectors, format }: ResolvedRequest,
  options: CallOptions,
): Promise<DetectorGroup[]> {
  const all = await run.detectors(options);
  const known = Detectors.of(all, `Run ${run.number} of beamline ${run.bl}`, run.endpoint.names);
  // A sensor named beside its detector is written once, and each detector stays together.
  const wanted = groupsOnce(detectors?.map((id) => known.find(id)) ?? all);
  if (writingOf(format).stackTypes === null) return wanted;
  if (detectors === null) return [known.largest()];
  if (wanted.length > 1) throw badArgument("detectors", detectors, `one detector for the ${format} format`);
  return wanted;
}

function groupsOnce(groups: readonly DetectorGroup[]): DetectorGroup[] {
  const seen = new Set<string>();
  return groups.flatMap(({ id, sensors }) => {
    const fresh = sensors.filter((sensor) => !seen.has(sensor));
    for (const sensor of fresh) seen.add(sensor);
    return fresh.length === 0 ? [] : [{ id, sensors: fresh }];
  });
}

/** Pixels to use (1) of each sensor, cut to the ROI: shape [ysize, xsize] of what is stored. */
async function masksOf(run: Run, infos: readonly DetectorInfo[], roi: Roi | null, options: CallOptions) {
  const masks = (await run.badPixels(infos, options)).map(usable);
  return roi === null ? masks : masks.map((whole) => cutMask(whole, roi));
}

/** The reasons against pixels that are known of no image with the name of the sensor, or of no part of one. */
async function unnamedBadPixels(
  run: Run,
  infos: readonly DetectorInfo[],
  roi: Roi | null,
  options: CallOptions,
): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const [i, reasons] of (await run.badPixels(infos, options)).entries()) {
    const info = infos[i] as DetectorInfo;
    const { id, ysize, xsize } = info;
    const stored = roi === null ? reasons : cutMask(reasons, roi);
    const told = roi === null && !isCut(info) ? badPixels(id, run.bl, run.number, [ysize, xsize]).data : [];
    if (stored.data.some((reason, pixel) => reason !== (told[pixel] ?? 0))) found.set(id, Uint8Array.from(stored.data));
  }
  return found;
}

function cutMask(whole: NdArray<Uint8Array>, roi: Roi): NdArray<Uint8Array> {
  const [ysize, xsize] = roiShape(roi);
  const cut = new Uint8Array(ysize * xsize);
  const [top, left] = [roi.rows[0], roi.columns[0]];
  for (let r = 0; r < ysize; r++) for (let c = 0; c < xsize; c++) cut[r * xsize + c] = whole.get(top + r, left + c);
  return asImage(cut, ysize, xsize);
}

/** The same sensor, of which only a rectangle is kept: its position is that of the rectangle's corner. */
function cutInfo(info: DetectorInfo, roi: Roi): DetectorInfo {
  checkRoi(roi, info.ysize, info.xsize);
  const [ysize, xsize] = roiShape(roi);
  const g = info.geometry;
  if (g === null) return { ...info, ysize, xsize };
  const angle = (g.rotationDeg * Math.PI) / 180;
  const along = roi.columns[0] * g.pixelSizeXUm;
  const down = roi.rows[0] * g.pixelSizeYUm;
  const posXUm = g.posXUm + along * Math.cos(angle) + down * Math.sin(angle);
  const posYUm = g.posYUm + along * Math.sin(angle) - down * Math.cos(angle);
  return { ...info, ysize, xsize, geometry: { ...g, posXUm, posYUm } };
}

function makeAssemblers(
  groups: readonly DetectorGroup[],
  sensors: readonly DetectorInfo[],
  { view }: ResolvedRequest,
): Map<string, Assembler> {
  const assemblers = new Map<string, Assembler>();
  for (const group of groups) {
    const { sensors: parts, unplaced } = placedSensors(sensors.filter(({ id }) => group.sensors.includes(id)));
    if (parts.length > 0) assemblers.set(group.id, new Assembler(parts, { view, gapValue: -1, unplaced }));
  }
  if (assemblers.size === 0)
    throw new SaclaError(
      "BAD_GEOMETRY",
      `None of ${showList(groups.map(({ id }) => id))} has a geometry to assemble by.`,
    );
  return assemblers;
}

function imagesOf(
  request: ResolvedRequest,
  groups: readonly DetectorGroup[],
  sensors: readonly DetectorInfo[],
  assemblers: ReadonlyMap<string, Assembler>,
): OutputImage[] {
  const stackType = request.units === null ? undefined : writingOf(request.format).stackTypes?.[request.units];
  if (stackType !== undefined) return [stackImage(request.format, stackType, groups, sensors)];
  const images: OutputImage[] = [];
  if (request.sensors)
    for (const { id, ysize, xsize } of sensors) images.push(outputImage("sensor", id, ysize, xsize, request.pixels));
  for (const [id, { height, width }] of assemblers) images.push(outputImage("assembled", id, height, width, "float32"));
  return images;
}

function stackImage(
  format: string,
  type: OutputImage["type"],
  groups: readonly DetectorGroup[],
  sensors: readonly DetectorInfo[],
): OutputImage {
  const [first] = sensors;
  if (first === undefined)
    throw badArgument(
      "detectors",
      groups.map(({ id }) => id),
      "a detector with sensors",
    );
  for (const sensor of sensors) {
    const { id, ysize, xsize, absGain, pixelUnit, geometry } = sensor;
    if (ysize !== first.ysize || xsize !== first.xsize) {
      throw badArgument(
        `the size of ${id}`,
        `${ysize} × ${xsize}`,
        `${first.ysize} × ${first.xsize} as that of ${first.id}, to stack their images`,
      );
    }
    if (geometry === null)
      throw new SaclaError(
        "BAD_GEOMETRY",
        `${id} has no geometry, so it cannot be written as ${format}; name a detector with the places of its ` +
          "sensors, or keep the images as they are with the format dataconvert.",
      );
    if (absGain === null && pixelUnit !== "photon")
      throw new SaclaError(
        "UNSUPPORTED",
        `${id} has no gain, so how many photons its pixels are is not known, and ${format} files are in photons; ` +
          "name a detector with a gain, or keep the pixels as they are with the format dataconvert.",
        { details: { detId: id, format } },
      );
    // Refuses open halves, which the geometry of the file could not say.
    geometryOf(sensor);
  }
  return outputImage("stack", groups[0]?.id ?? first.id, first.ysize * sensors.length, first.xsize, type);
}

function outputImage(
  kind: OutputImage["kind"],
  id: string,
  rows: number,
  columns: number,
  type: OutputImage["type"],
): OutputImage {
  return { kind, id, rows, columns, type, bytes: rows * columns * pixelBytes[type] };
}

async function chooseSignals(
  run: Run,
  names: readonly string[],
  wanted: readonly string[] | null,
  first: number,
  options: CallOptions,
): Promise<StoredSignal[]> {
  const chosen =
    wanted === null ? await usualSignals(run, names, first, options) : await matching(run, names, wanted, options);
  const byPath = new Map<string, string>();
  for (const id of chosen) {
    const path = eventInfoPathOf(id, run.bl);
    if (!byPath.has(path)) byPath.set(path, id);
  }
  for (const path of byPath.keys()) {
    const above = [...byPath.keys()].find((other) => path.startsWith(`${other}/`));
    if (above !== undefined)
      throw badArgument("signals", path, `not below ${above}, which is a signal itself: convert them into two files`);
  }
  const stored = [...byPath]
    .map(([eventInfoPath, id]) => ({ eventInfoPath, id }))
    .toSorted((a, b) => (a.eventInfoPath < b.eventInfoPath ? -1 : 1));
  if (stored.length === 0) return [];
  const table = await run.table(
    stored.map(({ id }) => id),
    [first],
    options,
  );
  return stored.map((signal) => ({ ...signal, unit: table.units[signal.id] ?? "" }));
}

/** The default signals, and those of the run's hutch that have a value at its first shot. */
async function usualSignals(
  run: Run,
  names: readonly string[],
  first: number,
  options: CallOptions,
): Promise<string[]> {
  const usual = defaultSignals(names, run.bl);
  const ofHutch = hutchSignals(names, run.bl, run.info.stationnumber).filter((name) => !usual.includes(name));
  if (ofHutch.length === 0) return usual;
  const { columns } = await run.table(ofHutch, [first], options);
  return [...usual, ...columns.filter((column) => column.reason(0) !== "missing").map(({ equipId }) => equipId)];
}

async function matching(
  run: Run,
  names: readonly string[],
  wanted: readonly string[],
  options: CallOptions,
): Promise<string[]> {
  const found: string[] = [];
  for (const pattern of wanted) {
    if (!/[*?]/.test(pattern)) found.push(pattern);
    else {
      const matches = await run.signals(pattern, options);
      if (matches.length === 0)
        throw new SaclaError("UNKNOWN_SIGNAL", `No signal fits ${pattern}, of ${names.length}.`, {
          details: { pattern },
        });
      found.push(...oneNameEach(matches, run.bl));
    }
  }
  return found;
}
