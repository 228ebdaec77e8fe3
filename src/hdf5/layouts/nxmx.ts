import { HC_EV_ANGSTROM } from "../../core/constants.ts";
import type { SensorGeometry } from "../../core/detector.ts";
import { familyOf } from "../../core/detector-families.ts";
import type { H5File } from "../read/h5file.ts";
import { StackSource } from "../read/stack-source.ts";
import { gzip } from "../write/compression.ts";
import type { H5Numbers } from "../write/writer.ts";
import type { FileLayout, LayoutWriter } from "./layout.ts";
import { nxmxContent, nxmxTags } from "./nxmx-content.ts";
import { error, type FindingBook } from "./rules.ts";
import { checkStackImages, STACK_TAG_LIST, type StackPaths, StackWriter, stackRules, stackWriting } from "./stack.ts";
import { isStack, STACK_SHAPES, stackShape } from "./stack-content.ts";

export const nxmxRules = {
  ...stackRules,
  "stack-tags": error("Images and tags belong together one to one."),
  "nxmx-definition": error("NeXus readers look for the definition NXmx."),
  "nxmx-modules": error("The modules cover the rows of an image, each once."),
};

type Book = Pick<FindingBook<keyof typeof nxmxRules>, "add" | "check" | "read">;

/** NXmx of stacked sensors (manual.nexusformat.org, application definition NXmx). */
export const nxmx = {
  name: "nxmx",
  title: "NXmx",
  sign: "/entry",
  recognises: (file) => file.keys("/").includes("entry"),
  rules: nxmxRules,
  check: checkNxmx,
  tagListPath: () => STACK_TAG_LIST,
  read: (path, file, options) => new StackSource(path, file, nxmxContent(file), options),
  write: {
    ...stackWriting,
    // Both keep what is below zero and above 65535 too.
    stackTypes: { photons: "float32", tenths: "int32" },
    begin: (writer, plan): LayoutWriter => new NxmxWriter(writer, plan),
  },
} as const satisfies FileLayout;

export function checkNxmx(file: H5File, book: Book): void {
  book.check("nxmx-definition", "/entry/definition", () => {
    const definition = file.text("/entry/definition");
    return definition === "NXmx" ? null : `is ${definition ?? "not there"}`;
  });
  const found = file.shape("/entry/data/data") ?? [];
  const shape = stackShape(found);
  const [images = 0] = shape;
  const [rows = 0, columns = 0] = shape.slice(-2);
  if (!isStack(shape) || shape.includes(0))
    book.add("stack-image", "/entry/data/data", `has shape [${found.join(", ")}], ${STACK_SHAPES}`);
  else checkStackImages(file, "/entry/data/data", book);
  const tagShape = file.shape("/entry/data/tag_id");
  const tags = tagShape?.length === 0 ? 1 : tagShape?.[0];
  if (tags !== images) book.add("stack-tags", "/entry/data/tag_id", `has ${tags ?? "no"} tags for ${images} images`);
  else book.check("stack-tags", "/entry/data/tag_id", () => nxmxTags(file, images).why?.replace(/^\S+ /, "") ?? null);
  const energyPath = "/entry/instrument/beam/incident_energy";
  book.check("stack-energy", energyPath, () => {
    const energies = file.numbers(energyPath);
    if (energies === undefined) return "is not there";
    if (energies.length !== images) return `has ${energies.length} values for ${images} images`;
    return energies.every((energyEv) => energyEv > 0) ? null : "has values that are not above zero";
  });
  const mask = file.shape("/entry/instrument/detector/pixel_mask");
  const isOfImages = mask?.length === 2 ? shape.length === 3 || shape[1] === 1 : mask?.[0] === shape[1];
  if (mask === undefined || mask.at(-2) !== rows || mask.at(-1) !== columns || !isOfImages) {
    book.add(
      "stack-mask",
      "/entry/instrument/detector/pixel_mask",
      `has shape [${mask?.join(", ") ?? ""}], the images [${rows}, ${columns}]`,
    );
  }
  if (shape.length !== 4) checkModules(file, rows, columns, book);
}

function checkModules(file: H5File, rows: number, columns: number, book: Book): void {
  const path = "/entry/instrument/detector";
  const names = file
    .keys(path)
    .filter((name) => file.kind(`${path}/${name}`) === "group" && file.keys(`${path}/${name}`).includes("data_origin"));
  book.check("nxmx-modules", path, () => {
    const parts = names.map((name) => [
      ...(file.numbers(`${path}/${name}/data_origin`) ?? []),
      ...(file.numbers(`${path}/${name}/data_size`) ?? []),
    ]);
    let next = 0;
    for (const [row = NaN, column = NaN, height = NaN, width = NaN] of parts.toSorted(
      (a, b) => (a[0] ?? 0) - (b[0] ?? 0),
    )) {
      if (row !== next || column !== 0 || width !== columns)
        return (
          `has a module at row ${row}, column ${column}, ${width} wide, ` +
          `where row ${next} and ${columns} columns are next`
        );
      next += height;
    }
    return next === rows ? null : `has modules for ${next} of ${rows} rows`;
  });
}

/**
 * NXmx (manual.nexusformat.org, application definition NXmx) with one module a sensor, as ostrich writes it. NeXus has
 * z along the beam and y up, so x points to the left looking from the source.
 */
export class NxmxWriter extends StackWriter {
  readonly imagePaths: readonly string[] = ["/entry/data/data"];
  protected readonly paths: StackPaths = {
    dataPath: "/entry/data/data",
    hasShotAxis: true,
    maskPath: "/entry/instrument/detector/pixel_mask",
    photonEnergyPath: "/entry/instrument/beam/incident_energy",
  };
  readonly #tags: number[] = [];

  begin(): void {
    const { info, tags, tagStep } = this.plan;
    const { writer } = this;
    const { rows, columns } = this.image;
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
    const sample = this.image.type === "float32" ? new Float32Array(0) : new Int32Array(0);
    writer.stack("/entry/data/data", sample, rows, columns, tags.length, this.sensorRows, this.filter);
    writer.attribute("/entry/data/data", "units", this.unitsPerPhoton === 1 ? "photons" : "0.1 photon");
    // Photons = data × this factor. dxtbx reads neither it nor a gain: for DIALS the data must be photons.
    writer.numbers("/entry/data/data_scale_factor", Float64Array.of(1 / this.unitsPerPhoton), []);
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
    this.writer.append("/entry/data/data", image, this.image.rows, this.image.columns);
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
    const [low, high] = this.trustedRange();
    // Whole numbers: dxtbx makes them such.
    writer.numbers("/entry/instrument/detector/underload_value", Int32Array.of(low), []);
    writer.numbers("/entry/instrument/detector/saturation_value", Int32Array.of(high), []);
  }

  #detector(): void {
    const { writer } = this;
    const { sensors, request } = this.plan;
    const { rows, columns } = this.image;
    const geometries = this.geometries();
    const path = "/entry/instrument/detector";
    this.#group(path, "NXdetector");
    writer.text(`${path}/description`, this.image.id);
    writer.text(`${path}/type`, "CCD");
    writer.text(`${path}/depends_on`, `${path}/transformations/distance`);
    writer.text(`${path}/sensor_material`, "Si");
    this.#value(`${path}/sensor_thickness`, (familyOf(sensors[0]?.id ?? "")?.thicknessUm ?? 50) * 1e-6, "m");
    this.#value(`${path}/distance`, request.cameraLengthMm / 1000, "m");
    this.#value(`${path}/x_pixel_size`, (geometries[0]?.pixelSizeXUm ?? NaN) * 1e-6, "m");
    this.#value(`${path}/y_pixel_size`, (geometries[0]?.pixelSizeYUm ?? NaN) * 1e-6, "m");
    // Bit 0 is a gap, bit 1 dead, bit 5 "other" in NXdetector's pixel_mask; here a pixel is only good or not.
    writer.numbers(`${path}/pixel_mask`, this.badStack(new Uint32Array(rows * columns), 1), [rows, columns], {
      chunks: [rows, columns],
      filter: gzip(1),
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
