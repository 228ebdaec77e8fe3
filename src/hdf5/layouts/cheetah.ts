import { HC_EV_ANGSTROM } from "../../core/constants.ts";
import type { SensorGeometry } from "../../core/detector.ts";
import { imageShape } from "../direct/dataset.ts";
import type { H5File } from "../read/h5file.ts";
import { StackSource } from "../read/stack-source.ts";
import { gzip } from "../write/compression.ts";
import type { H5Numbers } from "../write/writer.ts";
import { cheetahContent } from "./cheetah-content.ts";
import type { FileLayout, LayoutWriter } from "./layout.ts";
import { error, type FindingBook } from "./rules.ts";
import { checkStackImages, STACK_TAG_LIST, StackWriter, stackRules, stackWriting } from "./stack.ts";

const rules = {
  ...stackRules,
  "stack-metadata": error("Every sensor of the stack has its id, place, angle and pixel size."),
};

/** Cheetah's layout at SACLA: one group a tag (dxtbx FormatHDF5SaclaMPCCD; prepare-cheetah-sacla-api2.py). */
export const cheetah = {
  name: "cheetah",
  title: "Cheetah",
  sign: "tag-<n> groups",
  recognises: (file) => file.keys("/").some(isShot),
  rules,
  check,
  tagListPath: () => STACK_TAG_LIST,
  read: (path, file, options) => new StackSource(path, file, cheetahContent(file), options),
  write: {
    ...stackWriting,
    // As Cheetah's files: what is below 0 or above 65535 does not fit.
    stackTypes: { tenths: "uint16" },
    begin: (writer, plan): LayoutWriter => new CheetahWriter(writer, plan),
  },
} as const satisfies FileLayout;

function isShot(name: string): boolean {
  return /^tag-\d+$/.test(name);
}

const perSensor = ["posx_in_um", "posy_in_um", "posz_in_um", "angle_in_rad", "pixelsizex_in_um", "pixelsizey_in_um"];

function check(file: H5File, book: FindingBook<keyof typeof rules>): void {
  let expected: string | undefined;
  for (const name of file.keys("/").filter(isShot)) {
    const path = `/${name}/data`;
    const stored = file.shape(path);
    const shape = stored && imageShape(stored);
    const text = shape === undefined ? "" : `[${shape.join(", ")}]`;
    if (shape === undefined) book.add("stack-image", path, "is not there");
    else if (shape.length !== 2 || (expected !== undefined && text !== expected))
      book.add("stack-image", path, `has shape ${text}${expected === undefined ? "" : `, the first ${expected}`}`);
    else expected = text;
    if (shape !== undefined) checkStackImages(file, path, book);
    book.check("stack-energy", `/${name}/photon_energy_ev`, () => {
      const energyEv = file.number(`/${name}/photon_energy_ev`);
      return energyEv !== undefined && energyEv > 0 ? null : `is ${energyEv ?? "not there"}`;
    });
  }
  const sensors = file.shape("/metadata/sensor_id")?.[0] ?? 0;
  if (sensors === 0) book.add("stack-metadata", "/metadata/sensor_id", "is not there, or empty");
  for (const name of perSensor) {
    const path = `/metadata/${name}`;
    book.check("stack-metadata", path, () => {
      const values = file.numbers(path);
      if (values === undefined) return "is not there";
      if (values.length !== sensors) return `has ${values.length} values for ${sensors} sensors`;
      return values.every(Number.isFinite) ? null : `is [${values.join(", ")}]`;
    });
  }
  const mask = file.shape("/metadata/pixelmask");
  if (mask !== undefined && expected !== undefined && `[${mask.join(", ")}]` !== expected) {
    book.add("stack-mask", "/metadata/pixelmask", `has shape [${mask.join(", ")}], the images ${expected}`);
  }
}

class CheetahWriter extends StackWriter {
  readonly imagePaths: readonly string[] = ["/tag-{tag}/data"];
  protected readonly paths = {
    dataPath: "/%/data",
    maskPath: "/metadata/pixelmask",
    photonEnergyPath: "/%/photon_energy_ev",
  };

  begin(): void {
    const { info, sensors, request } = this.plan;
    const { writer } = this;
    const geometries = this.geometries();
    const list = (pick: (g: SensorGeometry) => number): Float64Array => Float64Array.from(geometries, pick);
    writer.numbers("/metadata/pipeline_version", Int32Array.of(1), []);
    writer.text("/metadata/run_comment", info.comment);
    writer.numbers("/metadata/adu_per_photon", Float64Array.of(this.unitsPerPhoton), []);
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
    const { rows, columns } = this.image;
    writer.numbers("/metadata/pixelmask", this.badStack(new Uint16Array(rows * columns), 1), [rows, columns], {
      chunks: [rows, columns],
      filter: gzip(1),
    });
  }

  shot(tag: number, energyEv: number, images: readonly (H5Numbers | null)[]): void {
    const [image] = images;
    if (image === undefined || image === null) return;
    this.energiesEv.push(energyEv);
    const { rows, columns } = this.image;
    const group = `/tag-${tag}`;
    this.writer.numbers(
      `${group}/data`,
      image,
      [rows, columns],
      this.filter === undefined ? {} : { filter: this.filter, chunks: [this.sensorRows, columns] },
    );
    this.writer.numbers(`${group}/photon_energy_ev`, Float64Array.of(energyEv), []);
    this.writer.numbers(`${group}/photon_wavelength_A`, Float64Array.of(HC_EV_ANGSTROM / energyEv), []);
  }
}
