import type { DetectorInfo } from "../../core/detector.ts";
import { familyOf } from "../../core/detector-families.ts";
import { STATUS_MISSING, STATUS_NOT_CONVERGED, STATUS_OK, STATUS_SATURATED } from "../../core/syncdb.ts";
import type { ConvertPlan, Item, StoredSignal } from "../convert/plan.ts";
import { gzipLevel } from "../convert/request.ts";
import type { H5Numbers, H5Writer } from "../convert/writer.ts";

/** What puts the pieces of a conversion where a format wants them. Calls come in this order: begin, shots, end. */
export interface Layout {
  /** What is known before the first shot. */
  begin(): void;
  /** One shot: an image, or null, for each item of the plan. */
  shot(tag: number, energyEv: number, images: readonly (H5Numbers | null)[]): void;
  /** What is known after the last shot. */
  end(tags: Uint32Array, times: Float64Array): void;
}

const MAX_INT32 = 0x7fff_ffff;

/** DataConvert 3: one group a tag below each detector (leosala h5pyinfo.ipynb; dxtbx FormatHDF5Sacla). */
export class DataConvertLayout implements Layout {
  readonly #writer: H5Writer;
  readonly #plan: ConvertPlan;
  readonly #root: string;
  readonly #paths: readonly string[];
  readonly #gzip: number | undefined;

  constructor(writer: H5Writer, plan: ConvertPlan) {
    this.#writer = writer;
    this.#plan = plan;
    this.#root = `/run_${plan.request.run}`;
    this.#gzip = gzipLevel(plan.request.compression);
    let [sensors, assembled] = [0, 0];
    this.#paths = plan.items.map(
      ({ kind }) =>
        `${this.#root}/${kind === "sensor" ? `detector_2d_${++sensors}` : `detector_2d_assembled_${++assembled}`}`,
    );
  }

  begin(): void {
    const { request, items } = this.#plan;
    const writer = this.#writer;
    writer.text("/file_info/format_type", "run_data_format");
    writer.text("/file_info/version", "3.20");
    writer.numbers("/file_info/run_number_list", BigInt64Array.of(BigInt(request.run)));
    this.#runInfo();
    for (const [i, item] of items.entries()) this.#detectorInfo(this.#paths[i] ?? "", item);
  }

  shot(tag: number, _energyEv: number, images: readonly (H5Numbers | null)[]): void {
    const writer = this.#writer;
    for (const [i, { kind, rows, columns }] of this.#plan.items.entries()) {
      const image = images[i] ?? null;
      const group = `${this.#paths[i]}/tag_${tag}`;
      writer.group(group);
      // Assembled images are stored without a status.
      if (kind === "sensor") writer.numbers(`${group}/detector_status`, Int32Array.of(image === null ? 0 : 1), []);
      if (image === null) continue;
      const storage = this.#gzip === undefined ? {} : { chunks: [rows, columns], gzip: this.#gzip };
      writer.numbers(`${group}/detector_data`, image, [rows, columns], storage);
    }
  }

  end(tags: Uint32Array, times: Float64Array): void {
    this.#writer.numbers(`${this.#root}/event_info/tag_number_list`, tagNumbers(tags));
    this.#writer.numbers(`${this.#root}/event_info/time_stamp`, times);
    this.#writer.group(`${this.#root}/event_info/bl_${this.#plan.request.bl}`);
  }

  #runInfo(): void {
    const { info, items, configuredEv, tagStep } = this.#plan;
    const writer = this.#writer;
    writer.text(`${this.#root}/exp_info/comment`, info.comment);
    writer.numbers(`${this.#root}/run_info/start_tag_number`, tagNumbers(Uint32Array.of(info.start_tagnumber)), []);
    writer.numbers(`${this.#root}/run_info/end_tag_number`, tagNumbers(Uint32Array.of(info.end_tagnumber)), []);
    const sensors = items.filter(({ kind }) => kind === "sensor").length;
    if (sensors > 0)
      writer.numbers(
        `${this.#root}/run_info/detector_config/detector_2d_list`,
        Int32Array.from({ length: sensors }, (_, i) => i + 1),
      );
    writer.numbers(`${this.#root}/run_info/sacla_config/photon_energy_in_eV`, Float64Array.of(configuredEv), []);
    if (tagStep > 0)
      writer.numbers(`${this.#root}/run_info/sacla_config/repetition_rate`, Float64Array.of(60 / tagStep), []);
  }

  #detectorInfo(path: string, item: Item): void {
    const sensors =
      item.kind === "sensor" ? this.#plan.sensors.filter(({ id }) => id === item.id) : this.#sensorsOf(item.id);
    const [first] = sensors;
    if (first === undefined) return;
    const info = `${path}/detector_info`;
    this.#writer.text(`${info}/detector_name`, item.id);
    if (item.kind === "sensor") {
      writeSensorInfo(this.#writer, info, first);
      return;
    }
    const pixelSizeUm = this.#plan.assemblers.get(item.id)?.pixelSizeUm ?? NaN;
    this.#writer.numbers(`${info}/pixel_size_in_micro_meter`, Float64Array.of(pixelSizeUm, pixelSizeUm));
    // Sensors were scaled to the first one's ADU.
    if (first.absGain !== null) this.#writer.numbers(`${info}/absolute_gain`, Float64Array.of(first.absGain), []);
  }

  #sensorsOf(detector: string): DetectorInfo[] {
    const sensors = this.#plan.groups.find(({ id }) => id === detector)?.sensors ?? [];
    return this.#plan.sensors.filter(({ id }) => sensors.includes(id));
  }
}

function writeSensorInfo(writer: H5Writer, info: string, { id, absGain, geometry }: DetectorInfo): void {
  // Doubles where DataConvert has singles: what was read comes back as it was.
  if (absGain !== null) writer.numbers(`${info}/absolute_gain`, Float64Array.of(absGain), []);
  if (geometry !== null) {
    const { posXUm, posYUm, posZUm, rotationDeg, pixelSizeXUm, pixelSizeYUm, manipulatorShiftUm } = geometry;
    writer.numbers(`${info}/detector_coordinate_in_micro_meter`, Float64Array.of(posXUm, posYUm, posZUm));
    writer.numbers(`${info}/detector_rotation_angle_in_degree`, Float64Array.of(rotationDeg), []);
    writer.numbers(`${info}/pixel_size_in_micro_meter`, Float64Array.of(pixelSizeXUm, pixelSizeYUm));
    writer.numbers(`${info}/manipulator_position_in_micro_meter`, Float64Array.of(manipulatorShiftUm), []);
  }
  const type = familyOf(id)?.dataConvertType;
  if (type !== undefined) writer.numbers(`${info}/detector_type`, Int32Array.of(type), []);
}

/**
 * One signal: whole numbers as int32 where all are, else doubles with NaN for `not-converged` and infinity for
 * `saturated`. `missing` has no sign in the DataConvert layout: it is NaN too, and told apart by a list of status
 * codes (0 ok, 1 not-converged, 2 saturated, 3 missing) at `statusPath`.
 */
export function writeSignal(
  writer: H5Writer,
  path: string,
  statusPath: string,
  { id, unit }: StoredSignal,
  values: Float64Array,
  status: Uint8Array,
): void {
  const isWhole =
    (unit === "" || unit === "pulse") &&
    values.every((v, i) => status[i] === STATUS_OK && Number.isInteger(v) && Math.abs(v) <= MAX_INT32);
  const shown = isWhole ? Int32Array.from(values) : values.map((v, i) => numberFor(v, status[i] ?? STATUS_MISSING));
  writer.numbers(path, shown);
  writer.attribute(path, "equipment_id", id);
  writer.attribute(path, "unit", unit);
  if (status.includes(STATUS_MISSING)) writer.numbers(statusPath, status);
}

function numberFor(value: number, status: number): number {
  if (status === STATUS_OK) return value;
  if (status === STATUS_NOT_CONVERGED) return NaN;
  return status === STATUS_SATURATED ? Infinity : NaN;
}

/** Tags as DataConvert stores them, signed; those above 2^31 unsigned, or they would come out negative. */
export function tagNumbers(tags: Uint32Array): Int32Array | Uint32Array {
  return tags.every((tag) => tag <= MAX_INT32) ? Int32Array.from(tags) : tags;
}
