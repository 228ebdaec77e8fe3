import type { SensorGeometry } from "../../core/detector.ts";
import type { SaclaError } from "../../core/errors.ts";
import { imageShape } from "../direct/dataset.ts";
import { FIRST_IMAGES, mostFrequent } from "../read/first-images.ts";
import type { H5File } from "../read/h5file.ts";
import { surplusAxes } from "../read/h5types.ts";
import { readProvenance } from "../read/provenance.ts";
import { CXI_BITS, maskAt } from "../read/stack-mask.ts";
import type { StackContent } from "../read/stack-source.ts";
import { isTag } from "../read/tag-lists.ts";
import { placed } from "./module-geometry.ts";
import { lacks, recordedSensors, unitsIn } from "./stack-content.ts";

/** Cheetah at SACLA, and ostrich's files of that layout. @throws NOT_DATACONVERT */
export function cheetahContent(file: H5File): StackContent {
  const layout = "Cheetah layout (tag-<n> groups)";
  const { names, tags, notes } = shotsIn(file);
  const shape = shapeOfMost(file, names);
  const [rows = 0, columns = 0] = shape ?? [];
  const [first] = names;
  if (first === undefined) throw lacks(file, layout, "/", "has no tag of 32 bits");
  if (shape === undefined) throw noImage(file, layout, `/${first}/data`);
  const provenance = readProvenance(file);
  const ids = file.texts("/metadata/sensor_id") ?? [];
  const count = provenance?.constants.sensors.length ?? file.shape("/metadata/sensor_id")?.[0] ?? 0;
  if (count === 0 || rows % count !== 0) {
    const what = count === 0 ? "has not the sensors" : `has ${count} sensors, and images ${rows} rows`;
    throw lacks(file, layout, "/metadata/sensor_id", what);
  }
  const list = (name: string): Float64Array => file.numbersOrNone(`/metadata/${name}`) ?? new Float64Array(0);
  const [x, y, z, turn] = [list("posx_in_um"), list("posy_in_um"), list("posz_in_um"), list("angle_in_rad")];
  const [wide, high] = [list("pixelsizex_in_um"), list("pixelsizey_in_um")];
  const recorded = recordedSensors(provenance);
  const ysize = rows / count;
  const mask = maskAt(file, CXI_BITS, "/metadata/pixelmask");
  const parts = Array.from({ length: count }, (_, i) => {
    const geometry: SensorGeometry = {
      posXUm: x[i] ?? NaN,
      posYUm: y[i] ?? NaN,
      posZUm: z[i] ?? 0,
      // In degrees, whatever its name says.
      rotationDeg: turn[i] ?? NaN,
      pixelSizeXUm: wide[i] ?? NaN,
      pixelSizeYUm: high[i] ?? NaN,
      manipulatorShiftUm: 0,
    };
    const own = ids[i] ?? "";
    const isName = own !== "" && ids.indexOf(own) === i;
    const info = {
      id: isName ? own : `cheetah-${i + 1}`,
      xsize: columns,
      ysize,
      absGain: null,
      geometry: placed(geometry),
    };
    return { info: { ...(recorded[i] ?? info), pixelType: "float32" as const }, row: i * ysize, column: 0, mask };
  });
  return {
    title: "Cheetah",
    tags,
    images: tags.length,
    energiesEv: names.map((name) => file.numberOrNone(`/${name}/photon_energy_ev`) ?? NaN),
    parts,
    imageShape: shape,
    unitsPerPhoton: unitsIn(file, "/metadata/adu_per_photon", 10),
    place: (shot) => ({ path: `/${names[shot]}/data`, index: null }),
    bl: null,
    run: null,
    comment: file.textOrNone("/metadata/run_comment") ?? "",
    startTime: null,
    notes,
  };
}

/** The groups of shots with their tags, and those that have none: above 32 bits, or that of another group. */
function shotsIn(file: H5File) {
  const shots = new Map<number, string>();
  const notes: string[] = [];
  for (const name of file.keys("/").filter((one) => /^tag-\d+$/.test(one))) {
    const tag = Number(name.slice(4));
    if (!isTag(tag)) notes.push(`/${name} is left out: a tag has 32 bits`);
    else if (shots.has(tag)) notes.push(`/${name} is left out: /${shots.get(tag)} has the same tag`);
    else shots.set(tag, name);
  }
  return { names: [...shots.values()], tags: [...shots.keys()], notes };
}

/** The shape that most of the first images have, without axes of 1; undefined where there is none of two axes. */
function shapeOfMost(file: H5File, names: readonly string[]): readonly number[] | undefined {
  const found: (readonly number[])[] = [];
  for (const name of names) {
    if (found.length === FIRST_IMAGES) break;
    const path = `/${name}/data`;
    const shape = imageShape(file.shape(path) ?? []);
    if (shape.length === 2 && !shape.includes(0) && file.hasNumbers(path)) found.push(shape);
  }
  return mostFrequent(found);
}

function noImage(file: H5File, layout: string, path: string): SaclaError {
  const shape = file.shape(path);
  if (shape === undefined) return lacks(file, layout, path);
  return lacks(file, layout, path, `is ${file.described(path)}, not numbers of [rows, columns]${surplusAxes(shape)}`);
}
