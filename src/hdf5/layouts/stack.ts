import { EV_PER_ELECTRON, HC_EV_ANGSTROM } from "../../core/constants.ts";
import type { DetectorInfo, SensorGeometry } from "../../core/detector.ts";
import { familyOf } from "../../core/detector-families.ts";
import { SaclaError } from "../../core/errors.ts";
import { asImage } from "../../core/ndarray.ts";
import { badPixels, type SensorMask, toCrystfelGeom, usable } from "../../ip/index.ts";
import type { ConvertPlan, Item } from "../convert/plan.ts";
import { UNITS_PER_PHOTON } from "../convert/read.ts";
import { gzipLevel } from "../convert/request.ts";
import type { H5Numbers, H5Writer } from "../convert/writer.ts";
import { type Layout, tagNumbers } from "./dataconvert.ts";

/** What the stacked layouts have in common: sensors under each other, in tenths of photons. */
abstract class StackLayout implements Layout {
  protected readonly writer: H5Writer;
  protected readonly plan: ConvertPlan;
  protected readonly item: Item;
  protected readonly energiesEv: number[] = [];

  constructor(writer: H5Writer, plan: ConvertPlan) {
    const [item] = plan.items;
    if (item === undefined) throw new SaclaError("INTERNAL", "A stacked file has no item.");
    this.writer = writer;
    this.plan = plan;
    this.item = item;
  }

  abstract begin(): void;
  abstract shot(tag: number, energyEv: number, images: readonly (H5Numbers | null)[]): void;

  end(tags: Uint32Array, times: Float64Array): void {
    this.writer.numbers("/sacla/event_info/tag_number_list", tagNumbers(tags));
    this.writer.numbers("/sacla/event_info/time_stamp", times);
  }

  /** The CrystFEL geometry that goes with the file. */
  geom(): string {
    const { sensors, request } = this.plan;
    const photonEnergyEv = this.energiesEv.reduce((a, b) => a + b, 0) / this.energiesEv.length;
    // The pixels are in tenths of photons of every sensor alike: the gain that gives so many units per eV.
    const absGain = photonEnergyEv / (UNITS_PER_PHOTON * EV_PER_ELECTRON);
    return toCrystfelGeom(
      sensors.map((info) => ({ ...info, absGain })),
      { photonEnergyEv, cameraLengthMm: request.cameraLengthMm, masks: this.masks(), dataPath: this.dataPath },
    );
  }

  protected abstract readonly dataPath: string;

  /** Pixels to use, by sensor, of what is stored of them. */
  protected masks(): SensorMask[] {
    const { sensors, wholeSizes, request } = this.plan;
    return sensors.map(({ id, ysize, xsize }, i) => {
      const whole = usable(badPixels(id, request.bl, request.run, wholeSizes[i] ?? [ysize, xsize]));
      const [top, left] = request.roi === null ? [0, 0] : [request.roi.rows[0], request.roi.columns[0]];
      const cut = new Uint8Array(ysize * xsize);
      for (let r = 0; r < ysize; r++) for (let c = 0; c < xsize; c++) cut[r * xsize + c] = whole.get(top + r, left + c);
      return asImage(cut, ysize, xsize);
    });
  }

  /** Bad pixels of the whole stack: `bad` where one is not to be used, else 0. */
  protected badStack<T extends Uint16Array | Uint32Array>(out: T, bad: number): T {
    let to = 0;
    for (const mask of this.masks()) {
      const { data } = mask as { data: Uint8Array };
      for (const use of data) out[to++] = use === 0 ? bad : 0;
    }
    return out;
  }

  /** Rows of a chunk: readers take a shot sensor by sensor, and a chunk of all of them would be unpacked for each. */
  protected get sensorRows(): number {
    return this.plan.sensors[0]?.ysize ?? this.item.rows;
  }

  protected get gzip(): number | undefined {
    return gzipLevel(this.plan.request.compression);
  }

  protected geometries(): SensorGeometry[] {
    return this.plan.sensors.map(({ id, geometry }: DetectorInfo) => {
      if (geometry === null) throw new SaclaError("BAD_GEOMETRY", `${id} has no geometry.`);
      return geometry;
    });
  }
}

/**
 * Cheetah's files at SACLA: one group a tag (dxtbx FormatHDF5SaclaMPCCD; prepare-cheetah-sacla-api2.py for /metadata).
 */
export class CheetahLayout extends StackLayout {
  protected readonly dataPath = "/%/data";

  begin(): void {
    const { info, sensors, request } = this.plan;
    const { writer } = this;
    const geometries = this.geometries();
    const list = (pick: (g: SensorGeometry) => number): Float64Array => Float64Array.from(geometries, pick);
    writer.numbers("/metadata/pipeline_version", Int32Array.of(1), []);
    writer.text("/metadata/run_comment", info.comment);
    writer.numbers("/metadata/adu_per_photon", Float64Array.of(UNITS_PER_PHOTON), []);
    writer.texts(
      "/metadata/sensor_id",
      sensors.map(({ id }) => id),
    );
    writer.numbers(
      "/metadata/posx_in_um",
      list((g) => g.posXUm),
    );
    writer.numbers(
      "/metadata/posy_in_um",
      list((g) => g.posYUm),
    );
    writer.numbers(
      "/metadata/posz_in_um",
      list((g) => g.posZUm),
    );
    // Degrees, whatever the name says: so it is in Cheetah's files, and so dxtbx reads it.
    writer.numbers(
      "/metadata/angle_in_rad",
      list((g) => g.rotationDeg),
    );
    writer.numbers(
      "/metadata/pixelsizex_in_um",
      list((g) => g.pixelSizeXUm),
    );
    writer.numbers(
      "/metadata/pixelsizey_in_um",
      list((g) => g.pixelSizeYUm),
    );
    writer.numbers("/metadata/distance_in_mm", Float64Array.of(request.cameraLengthMm), []);
    const { rows, columns } = this.item;
    writer.numbers("/metadata/pixelmask", this.badStack(new Uint16Array(rows * columns), 1), [rows, columns], {
      chunks: [rows, columns],
      gzip: 1,
    });
  }

  shot(tag: number, energyEv: number, images: readonly (H5Numbers | null)[]): void {
    const [image] = images;
    if (image === undefined || image === null) return;
    this.energiesEv.push(energyEv);
    const { rows, columns } = this.item;
    const group = `/tag-${tag}`;
    this.writer.numbers(
      `${group}/data`,
      image,
      [rows, columns],
      this.gzip === undefined ? {} : { chunks: [this.sensorRows, columns], gzip: this.gzip },
    );
    this.writer.numbers(`${group}/photon_energy_ev`, Float64Array.of(energyEv), []);
    this.writer.numbers(`${group}/photon_wavelength_A`, Float64Array.of(HC_EV_ANGSTROM / energyEv), []);
  }
}

/**
 * NXmx (manual.nexusformat.org, application definition NXmx) with one module a sensor, as ostrich writes it. NeXus has
 * z along the beam and y up, so x points to the left looking from the source.
 */
export class NxmxLayout extends StackLayout {
  protected readonly dataPath = "/entry/data/data";
  readonly #tags: number[] = [];

  begin(): void {
    const { info, tags, tagStep } = this.plan;
    const { writer } = this;
    const { rows, columns } = this.item;
    // What silx and h5web show first.
    writer.attribute("/", "default", "entry");
    this.#group("/entry", "NXentry");
    writer.attribute("/entry", "default", "data");
    writer.text("/entry/definition", "NXmx");
    writer.text("/entry/title", info.comment);
    writer.text("/entry/start_time", isoTime(info.starttime));
    writer.text("/entry/end_time", isoTime(info.stoptime));
    writer.text("/entry/end_time_estimated", isoTime(info.stoptime));
    this.#group("/entry/data", "NXdata");
    writer.attribute("/entry/data", "signal", "data");
    writer.stack("/entry/data/data", new Int32Array(0), rows, columns, tags.length, this.sensorRows, this.gzip);
    writer.numbers("/entry/data/data_scale_factor", Float64Array.of(1 / UNITS_PER_PHOTON), []);
    this.#group("/entry/sample", "NXsample");
    writer.text("/entry/sample/name", info.comment);
    writer.text("/entry/sample/depends_on", ".");
    this.#group("/entry/instrument", "NXinstrument");
    writer.text("/entry/instrument/name", `SACLA BL${this.plan.request.bl}`);
    this.#group("/entry/source", "NXsource");
    writer.text("/entry/source/name", "SACLA");
    writer.text("/entry/source/type", "Free-Electron Laser");
    if (tagStep > 0) this.#value("/entry/source/frequency", 60 / tagStep, "Hz");
    this.#detector();
  }

  shot(tag: number, energyEv: number, images: readonly (H5Numbers | null)[]): void {
    const [image] = images;
    if (image === undefined || image === null) return;
    this.energiesEv.push(energyEv);
    this.#tags.push(tag);
    this.writer.append("/entry/data/data", image, this.item.rows, this.item.columns);
  }

  override end(tags: Uint32Array, times: Float64Array): void {
    super.end(tags, times);
    const { writer } = this;
    writer.numbers("/entry/data/tag_id", Uint32Array.from(this.#tags));
    this.#group("/entry/instrument/beam", "NXbeam");
    const energies = Float64Array.from(this.energiesEv);
    writer.numbers("/entry/instrument/beam/incident_energy", energies);
    writer.attribute("/entry/instrument/beam/incident_energy", "units", "eV");
    writer.numbers(
      "/entry/instrument/beam/incident_wavelength",
      energies.map((energyEv) => HC_EV_ANGSTROM / energyEv),
    );
    writer.attribute("/entry/instrument/beam/incident_wavelength", "units", "angstrom");
  }

  override geom(): string {
    return super
      .geom()
      .replace(`data = ${this.dataPath}\n`, `data = ${this.dataPath}\ndim0 = %\ndim1 = ss\ndim2 = fs\n`);
  }

  #detector(): void {
    const { writer } = this;
    const { sensors, request } = this.plan;
    const { rows, columns } = this.item;
    const geometries = this.geometries();
    const path = "/entry/instrument/detector";
    this.#group(path, "NXdetector");
    writer.text(`${path}/description`, this.item.id);
    writer.text(`${path}/type`, "CCD");
    writer.text(`${path}/depends_on`, `${path}/transformations/distance`);
    writer.text(`${path}/sensor_material`, "Si");
    this.#value(`${path}/sensor_thickness`, (familyOf(sensors[0]?.id ?? "")?.thicknessUm ?? 50) * 1e-6, "m");
    this.#value(`${path}/distance`, request.cameraLengthMm / 1000, "m");
    this.#value(`${path}/x_pixel_size`, (geometries[0]?.pixelSizeXUm ?? NaN) * 1e-6, "m");
    this.#value(`${path}/y_pixel_size`, (geometries[0]?.pixelSizeYUm ?? NaN) * 1e-6, "m");
    this.#value(`${path}/saturation_value`, 0x7fff_ffff, "");
    // Bit 0 is a gap, bit 1 dead, bit 5 "other" in NXdetector's pixel_mask; here a pixel is only good or not.
    writer.numbers(`${path}/pixel_mask`, this.badStack(new Uint32Array(rows * columns), 1), [rows, columns], {
      chunks: [rows, columns],
      gzip: 1,
    });
    this.#group(`${path}/transformations`, "NXtransformations");
    this.#translation(`${path}/transformations/distance`, request.cameraLengthMm / 1000, [0, 0, 1], [0, 0, 0], ".");
    for (const [i, { ysize, xsize }] of sensors.entries()) {
      const g = geometries[i];
      if (g !== undefined)
        this.#module(`${path}/q${i + 1}`, g, i * ysize, ysize, xsize, `${path}/transformations/distance`);
    }
  }

  #module(path: string, g: SensorGeometry, firstRow: number, rows: number, columns: number, after: string): void {
    const angle = (g.rotationDeg * Math.PI) / 180;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const corner = [-g.posXUm * 1e-6, g.posYUm * 1e-6, -g.posZUm * 1e-6] as const;
    this.#group(path, "NXdetector_module");
    this.writer.numbers(`${path}/data_origin`, Int32Array.of(firstRow, 0));
    this.writer.numbers(`${path}/data_size`, Int32Array.of(rows, columns));
    this.#translation(`${path}/module_offset`, 0, [0, 0, 1], corner, after);
    this.#translation(
      `${path}/fast_pixel_direction`,
      g.pixelSizeXUm * 1e-6,
      [-cos, sin, 0],
      [0, 0, 0],
      `${path}/module_offset`,
    );
    this.#translation(
      `${path}/slow_pixel_direction`,
      g.pixelSizeYUm * 1e-6,
      [-sin, -cos, 0],
      [0, 0, 0],
      `${path}/module_offset`,
    );
  }

  #translation(
    path: string,
    metres: number,
    vector: readonly number[],
    offset: readonly number[],
    after: string,
  ): void {
    this.#value(path, metres, "m");
    this.writer.attribute(path, "transformation_type", "translation");
    this.writer.numbersAttribute(path, "vector", Float64Array.from(vector));
    this.writer.numbersAttribute(path, "offset", Float64Array.from(offset));
    this.writer.attribute(path, "offset_units", "m");
    this.writer.attribute(path, "depends_on", after);
  }

  #value(path: string, value: number, unit: string): void {
    this.writer.numbers(path, Float64Array.of(value), []);
    if (unit !== "") this.writer.attribute(path, "units", unit);
  }

  #group(path: string, nexusClass: string): void {
    this.writer.group(path);
    this.writer.attribute(path, "NX_class", nexusClass);
  }
}

function isoTime(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toISOString();
}
