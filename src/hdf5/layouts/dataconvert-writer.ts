import type { DetectorInfo } from "../../core/detector.ts";
import { familyOf } from "../../core/detector-families.ts";
import { BAD_PIXELS } from "../read/stored-detector.ts";
import { chunkFilter, gzip } from "../write/compression.ts";
import type { ConvertPlan, OutputImage } from "../write/plan.ts";
import type { H5Numbers, H5Writer } from "../write/writer.ts";
import { tagNumbers } from "./event-info.ts";
import type { LayoutWriter } from "./layout.ts";

/** DataConvert 3: one group a tag below each detector (leosala h5pyinfo.ipynb; dxtbx FormatHDF5Sacla). */
export class DataConvertWriter implements LayoutWriter {
  readonly eventInfo: string;
  readonly imagePaths: readonly string[];
  readonly #writer: H5Writer;
  readonly #plan: ConvertPlan;
  readonly #root: string;
  readonly #paths: readonly string[];
  readonly #filter: ReturnType<typeof chunkFilter>;

  constructor(writer: H5Writer, plan: ConvertPlan) {
    this.#writer = writer;
    this.#plan = plan;
    this.#root = `/run_${plan.request.run}`;
    this.eventInfo = `${this.#root}/event_info`;
    this.#filter = chunkFilter(plan.request);
    let [sensors, assembled] = [0, 0];
    this.#paths = plan.images.map(
      ({ kind }) =>
        `${this.#root}/${kind === "sensor" ? `detector_2d_${++sensors}` : `detector_2d_assembled_${++assembled}`}`,
    );
    this.imagePaths = this.#paths.map((path) => `${path}/tag_{tag}/detector_data`);
  }

  begin(): void {
    const { request, images } = this.#plan;
    const writer = this.#writer;
    writer.text("/file_info/format_type", "run_data_format");
    writer.text("/file_info/version", "3.20");
    writer.numbers("/file_info/run_number_list", BigInt64Array.of(BigInt(request.run)));
    this.#runInfo();
    for (const [i, image] of images.entries()) this.#detectorInfo(this.#paths[i] ?? "", image);
  }

  shot(tag: number, _energyEv: number, images: readonly (H5Numbers | null)[]): void {
    const writer = this.#writer;
    // Of a run whose detector takes one shot in thousands, groups that say so would be nearly all of the file.
    if (images.every((image) => image === null)) return;
    for (const [i, { kind, rows, columns }] of this.#plan.images.entries()) {
      const image = images[i] ?? null;
      const group = `${this.#paths[i]}/tag_${tag}`;
      writer.group(group);
      // Assembled images are stored without a status.
      if (kind === "sensor") writer.numbers(`${group}/detector_status`, Int32Array.of(image === null ? 0 : 1), []);
      if (image === null) continue;
      const storage = this.#filter === undefined ? {} : { filter: this.#filter, chunks: [rows, columns] };
      writer.numbers(`${group}/detector_data`, image, [rows, columns], storage);
    }
  }

  end(tags: Uint32Array, times: Float64Array): void {
    this.#writer.numbers(`${this.eventInfo}/tag_number_list`, tagNumbers(tags));
    this.#writer.numbers(`${this.eventInfo}/time_stamp`, times);
    this.#writer.group(`${this.eventInfo}/bl_${this.#plan.request.bl}`);
  }

  geom(): null {
    return null;
  }

  #runInfo(): void {
    const { info, images, configuredEv, tagStep } = this.#plan;
    const writer = this.#writer;
    writer.text(`${this.#root}/exp_info/comment`, info.comment);
    writer.numbers(`${this.#root}/run_info/start_tag_number`, tagNumbers(Uint32Array.of(info.start_tagnumber)), []);
    writer.numbers(`${this.#root}/run_info/end_tag_number`, tagNumbers(Uint32Array.of(info.end_tagnumber)), []);
    const sensors = images.filter(({ kind }) => kind === "sensor").length;
    if (sensors > 0)
      writer.numbers(
        `${this.#root}/run_info/detector_config/detector_2d_list`,
        Int32Array.from({ length: sensors }, (_, i) => i + 1),
      );
    if (!Number.isNaN(configuredEv))
      writer.numbers(`${this.#root}/run_info/sacla_config/photon_energy_in_eV`, Float64Array.of(configuredEv), []);
    if (tagStep > 0)
      writer.numbers(`${this.#root}/run_info/sacla_config/repetition_rate`, Float64Array.of(60 / tagStep), []);
  }

  #detectorInfo(path: string, image: OutputImage): void {
    const sensors =
      image.kind === "sensor" ? this.#plan.sensors.filter(({ id }) => id === image.id) : this.#sensorsOf(image.id);
    const [first] = sensors;
    if (first === undefined) return;
    const info = `${path}/detector_info`;
    this.#writer.text(`${info}/detector_name`, image.id);
    if (image.kind === "sensor") {
      writeSensorInfo(this.#writer, info, first);
      this.#badPixels(path, first);
      return;
    }
    const pixelSizeUm = this.#plan.assemblers.get(image.id)?.pixelSizeUm ?? NaN;
    this.#writer.numbers(`${info}/pixel_size_in_micro_meter`, Float64Array.of(pixelSizeUm, pixelSizeUm));
    // Sensors were scaled to the first one's ADU.
    if (first.absGain !== null) this.#writer.numbers(`${info}/absolute_gain`, Float64Array.of(first.absGain), []);
  }

  #badPixels(path: string, { id, ysize, xsize }: DetectorInfo): void {
    const reasons = this.#plan.badPixels.get(id);
    if (reasons === undefined) return;
    const storage = { filter: this.#filter ?? gzip(4), chunks: [ysize, xsize] };
    this.#writer.numbers(`${path}/${BAD_PIXELS}`, reasons, [ysize, xsize], storage);
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
