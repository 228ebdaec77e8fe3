import { CitiusApiError as APIError } from "../../core/api-errors.ts";
import type { CallOptions } from "../../core/async.ts";
import type { DetectorInfo } from "../../core/detector.ts";
import { asApiError, SaclaError, showList } from "../../core/errors.ts";
import { asInteger, badArgument } from "../../core/guards.ts";
import type { NdArray } from "../../core/ndarray.ts";
import { MAX_TAG } from "../../core/tags.ts";
import { CITIUS_SIZE, type CitiusSensor, type ReconstInfo } from "../../transport/citius-methods.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import { contiguousMemory, memoryOfSize, newStack, type SensorStack } from "./arrays.ts";
import { citiusGain, toDetectorInfo } from "./geometry.ts";

const { xsize, ysize } = CITIUS_SIZE;
const PIXELS = xsize * ysize;

/**
 * `ctdapy_xfel.CtrlBuffer(bl, run)`: one object for all CITIUS sensors of a run, which fills the caller's arrays.
 * Making one asks nothing of the facility. `readImages`, `readBadpixelMasks` and `detectorInfos` are more than Python
 * has.
 *
 * @example
 * const buffer = new st.ctdapyXfel.CtrlBuffer(2, run);
 * const stack = await buffer.newStack();                   // [72, 728, 384], used again for every shot
 * const assembler = new Assembler(await buffer.detectorInfos(), { view: "source" });
 * for (const tag of await buffer.readTaglist()) {
 *   await buffer.readImages(stack, tag);
 *   assembler.assemble(imagesOf(stack), { out: assembler.output });
 * }
 */
export class CtrlBuffer {
  readonly bl: number;
  readonly run: number;
  readonly #endpoint: Endpoint;
  #sensors: readonly CitiusSensor[] | undefined;

  constructor(endpoint: Endpoint, bl: number, run: number) {
    this.bl = asInteger("bl", bl);
    this.run = asInteger("run", run);
    this.#endpoint = endpoint;
  }

  /**
   * Long names of the sensors, by number: `CITIUS-20.2M-…-000`.
   * @throws APIError with code UNKNOWN_DETECTOR when the run has no CITIUS
   */
  async readDetidlist(options: CallOptions = {}): Promise<string[]> {
    return (await this.#all(options)).map(({ detId }) => detId);
  }

  /** Numbers of the sensors, ascending; older versions of Python call it `read_prbidlist`. */
  async readSensoridlist(options: CallOptions = {}): Promise<number[]> {
    return (await this.#all(options)).map(({ sensorId }) => sensorId);
  }

  /** Tags for which there are images, of all sensors together. */
  async readTaglist(options: CallOptions = {}): Promise<Uint32Array> {
    const [first] = await this.#all(options);
    return await asApiError(APIError, () =>
      this.#endpoint.call("db.readTaglistBydetid", { ...this.#of, detId: first?.detId ?? "" }, options),
    );
  }

  /**
   * Fills `out`, uint8 [728, 384], with the bad pixels of a sensor: 1 is bad, 0 good. With a list of sensors, one array
   * of the pixels of all. The number of pixels counts, not the shape.
   */
  async readBadpixelMask(
    out: NdArray<Uint8Array>,
    sensor: number | readonly number[],
    options: CallOptions = {},
  ): Promise<void> {
    const ids = (typeof sensor === "number" ? [sensor] : sensor).map((id) => asInteger("sensor", id));
    const memory = memoryOfSize(out, "uint8", ids.length * PIXELS);
    memory.set(await this.#masks(ids, options));
  }

  /**
   * Fills `out`, float32 [728, 384], with the image of a sensor. The number of pixels counts, not the shape.
   * @throws APIError with code FRAME_MISSING, TAG_OUTSIDE_RUN or RUN_NOT_READY
   */
  async readImage(out: NdArray<Float32Array>, sensor: number, tag: number, options: CallOptions = {}): Promise<void> {
    const memory = memoryOfSize(out, "float32", PIXELS);
    const all = await this.#all(options);
    const found = all.find(({ sensorId }) => sensorId === sensor);
    if (found === undefined) {
      const known = showList(
        all.map(({ sensorId }) => sensorId),
        80,
      );
      throw new APIError(
        "UNKNOWN_DETECTOR",
        `Run ${this.run} of beamline ${this.bl} has no CITIUS sensor ${sensor}; it has ${known}.`,
      );
    }
    await this.#read([found.detId], () => memory, tag, options);
  }

  /** Where a sensor lies: µm from the beam, degrees. */
  async readReconstinfo(sensor: number, tag: number, options: CallOptions = {}): Promise<ReconstInfo> {
    const [info] = await this.#reconst([asInteger("sensor", sensor)], tag, options);
    if (info === undefined) throw new SaclaError("BAD_MESSAGE", `The source gave no place of sensor ${sensor}.`);
    return info;
  }

  /** New memory for the images of all sensors: zeros, float32, shape [sensors, 728, 384]; 80 MB for 20.2M. */
  async newStack(options: CallOptions = {}): Promise<SensorStack> {
    const { length } = await this.#all(options);
    return newStack(new Float32Array(length * PIXELS), length, ysize, xsize);
  }

  /**
   * Fills `out` with the images of all sensors: a stack of {@link newStack}, or one array per sensor, as
   * `Assembler.inputs("float32")` gives them. In one process the pixels are written where they are wanted, without a
   * copy.
   * @throws APIError with code FRAME_MISSING when a sensor has no image; `out` is then not to be used
   */
  async readImages(out: SensorStack | readonly Float32Array[], tag: number, options: CallOptions = {}): Promise<void> {
    const detIds = await this.readDetidlist(options);
    const parts = partsOf(out, detIds.length);
    const byId = new Map(detIds.map((id, i) => [id, parts[i]]));
    await this.#read(detIds, (id) => byId.get(id), tag, options);
  }

  /** The bad pixels of all sensors: 1 is bad, 0 good; shape [sensors, 728, 384]. */
  async readBadpixelMasks(options: CallOptions = {}): Promise<SensorStack<Uint8Array>> {
    const ids = await this.readSensoridlist(options);
    return newStack(await this.#masks(ids, options), ids.length, ysize, xsize);
  }

  /**
   * Size, gain and place of all sensors at a tag, as an `Assembler` takes them.
   * @param tag - default: the first that has images
   */
  async detectorInfos(tag?: number, options: CallOptions = {}): Promise<DetectorInfo[]> {
    const all = await this.#all(options);
    const at = tag ?? (await this.readTaglist(options))[0];
    if (at === undefined)
      throw new APIError(
        "FRAME_MISSING",
        `No CITIUS image of run ${this.run} of beamline ${this.bl} was stored, so nothing tells places.`,
      );
    const places = await this.#reconst(
      all.map(({ sensorId }) => sensorId),
      at,
      options,
    );
    return places.map((place, i) => toDetectorInfo(all[i]?.detId ?? "", place, citiusGain(this.bl, this.run)));
  }

  get #of(): { bl: number; run: number } {
    return { bl: this.bl, run: this.run };
  }

  async #all(options: CallOptions): Promise<readonly CitiusSensor[]> {
    if (this.#sensors !== undefined) return this.#sensors;
    const sensors = await asApiError(APIError, () => this.#endpoint.call("citius.readSensors", this.#of, options));
    if (sensors.length === 0)
      throw new APIError(
        "UNKNOWN_DETECTOR",
        `Run ${this.run} of beamline ${this.bl} has no CITIUS; getRunstatus tells.`,
      );
    this.#sensors = sensors;
    return sensors;
  }

  async #masks(sensorIds: number[], options: CallOptions): Promise<Uint8Array> {
    return (
      await asApiError(APIError, () =>
        this.#endpoint.call("citius.readBadpixelMask", { ...this.#of, sensorIds }, options),
      )
    ).data;
  }

  async #reconst(sensorIds: number[], tag: number, options: CallOptions): Promise<ReconstInfo[]> {
    asInteger("tag", tag, 0, MAX_TAG);
    return await asApiError(APIError, () =>
      this.#endpoint.call("citius.readReconstinfo", { ...this.#of, sensorIds, tag }, options),
    );
  }

  async #read(
    detIds: string[],
    place: (detId: string) => Float32Array | undefined,
    tag: number,
    options: CallOptions,
  ): Promise<void> {
    const params = { ...this.#of, detIds, tags: Uint32Array.of(asInteger("tag", tag, 0, MAX_TAG)), roi: null };
    const memory = (detId: string, length: number, type: string): Float32Array => placeFor(place, detId, length, type);
    await asApiError(APIError, async () => {
      for await (const { missing } of this.#endpoint.stream("st.frames", params, { ...options, memory }))
        checkWhole(missing, tag);
    });
  }
}

/** The memory for each of several sensors. @throws BAD_ARGUMENT when it does not fit */
export function partsOf(
  out: SensorStack | readonly Float32Array[],
  sensors: number,
  rows: number = ysize,
  columns: number = xsize,
): readonly Float32Array[] {
  const length = rows * columns;
  if (!isList(out)) {
    const memory = contiguousMemory(out, "float32", [sensors, rows, columns]);
    return Array.from({ length: sensors }, (_, i) => memory.subarray(i * length, (i + 1) * length));
  }
  if (out.length !== sensors || out.some((part) => part.length !== length)) {
    throw badArgument("out", `${out.length} arrays`, `${sensors} of ${length} pixels each, one per sensor`);
  }
  return out;
}

function isList(out: SensorStack | readonly Float32Array[]): out is readonly Float32Array[] {
  return Array.isArray(out);
}

/** @throws BAD_MESSAGE when the source has images of another kind than a CITIUS gives */
export function placeFor(
  place: (detId: string) => Float32Array | undefined,
  detId: string,
  length: number,
  type: string,
): Float32Array {
  const memory = place(detId);
  if (memory !== undefined && type === "float32" && memory.length === length) return memory;
  throw new SaclaError(
    "BAD_MESSAGE",
    `The source gave ${length} ${type} pixels for ${detId}, which are not those of a CITIUS sensor.`,
  );
}

/** @throws FRAME_MISSING when a sensor has no image */
export function checkWhole(missing: readonly { readonly detId: string; readonly reason: string }[], tag: number): void {
  if (missing.length === 0) return;
  const ids = missing.map(({ detId }) => detId);
  throw new SaclaError("FRAME_MISSING", `There is no image for tag ${tag} of ${showList(ids)}.`, {
    details: { tag, detIds: ids, reason: missing[0]?.reason },
  });
}
