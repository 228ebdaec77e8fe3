import type { H5File } from "../read/h5file.ts";
import type { FindingBook } from "./rules.ts";

const perSensor = ["posx_in_um", "posy_in_um", "posz_in_um", "angle_in_rad", "pixelsizex_in_um", "pixelsizey_in_um"];

/** Checks Cheetah's layout at SACLA (dxtbx FormatHDF5SaclaMPCCD; prepare-cheetah-sacla-api2.py). */
export function checkCheetah(file: H5File, book: FindingBook): void {
  let expected: string | undefined;
  for (const name of file.keys("/").filter((key) => /^tag-\d+$/.test(key))) {
    const path = `/${name}/data`;
    const shape = file.shape(path);
    const text = shape === undefined ? "" : `[${shape.join(", ")}]`;
    if (shape === undefined) book.add("stack-image", path, "is not there");
    else if (shape.length !== 2 || (expected !== undefined && text !== expected))
      book.add("stack-image", path, `has shape ${text}${expected === undefined ? "" : `, the first ${expected}`}`);
    else expected = text;
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

/** Checks the NXmx layout (manual.nexusformat.org, application definition NXmx) of stacked sensors. */
export function checkNxmx(file: H5File, book: FindingBook): void {
  book.check("nxmx-definition", "/entry/definition", () => {
    const definition = file.text("/entry/definition");
    return definition === "NXmx" ? null : `is ${definition ?? "not there"}`;
  });
  const shape = file.shape("/entry/data/data") ?? [];
  const [images = 0, rows = 0, columns = 0] = shape;
  if (shape.length !== 3 || shape.includes(0))
    book.add("stack-image", "/entry/data/data", `has shape [${shape.join(", ")}], not [images, rows, columns]`);
  const tags = file.shape("/entry/data/tag_id")?.[0];
  if (tags !== images) book.add("stack-tags", "/entry/data/tag_id", `has ${tags ?? "no"} tags for ${images} images`);
  const energyPath = "/entry/instrument/beam/incident_energy";
  book.check("stack-energy", energyPath, () => {
    const energies = file.numbers(energyPath);
    if (energies === undefined) return "is not there";
    if (energies.length !== images) return `has ${energies.length} values for ${images} images`;
    return energies.every((energyEv) => energyEv > 0) ? null : "has values that are not above zero";
  });
  const mask = file.shape("/entry/instrument/detector/pixel_mask");
  if (mask === undefined || mask[0] !== rows || mask[1] !== columns) {
    book.add(
      "stack-mask",
      "/entry/instrument/detector/pixel_mask",
      `has shape [${mask?.join(", ") ?? ""}], the images [${rows}, ${columns}]`,
    );
  }
  checkModules(file, rows, columns, book);
}

function checkModules(file: H5File, rows: number, columns: number, book: FindingBook): void {
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
        return `has a module at row ${row}, column ${column}, ${width} wide, where row ${next} and ${columns} columns are next`;
      next += height;
    }
    return next === rows ? null : `has modules for ${next} of ${rows} rows`;
  });
}
