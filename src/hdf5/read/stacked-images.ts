import { isSaclaError } from "../../core/errors.ts";
import { TagRows } from "../../core/tag-rows.ts";
import { imageShape } from "../direct/dataset.ts";
import { type Absence, absenceOf } from "./absence.ts";
import type { H5File } from "./h5file.ts";
import { surplusAxes, unlessOdd } from "./h5types.ts";
import { unsignedTag } from "./tag-lists.ts";

/** Images of several shots in one array of a detector's group, where DataConvert has one group a tag. */
export interface StackedImages {
  readonly path: string;
  readonly rows: number;
  readonly columns: number;
  /** Of one of them, with all axes of the array. */
  readonly imageShape: readonly number[];
  /** Place of the image of a tag in the array; undefined where it has none. */
  placeOf(tag: number): number | undefined;
  /** Why the image at a place is none; undefined where it is there. */
  absenceAt(place: number): Absence | undefined;
  /** Where no list of tags stands beside the array: a sentence that says whose order it has. */
  readonly note?: string;
}

/** The array of images of a group without groups of tags, or in words what of it is not certain; undefined for none. */
export function stackedImagesIn(file: H5File, group: string, run: TagRows): StackedImages | string | undefined {
  const members = file.keys(group);
  if (members.some((name) => /^tag_\d+$/.test(name))) return undefined;
  const arrays = members.filter((name) => isStack(file, `${group}/${name}`));
  const name = arrays.includes("detector_data") ? "detector_data" : arrays[0];
  if (name === undefined) return otherImages(file, `${group}/detector_data`);
  const path = `${group}/${name}`;
  const [images = 0, ...axes] = file.shape(path) ?? [];
  const ofOne = [1, ...axes];
  const [rows = 0, columns = 0] = imageShape(ofOne);
  const found = `${path} is ${file.described(path)}, images of ${images} shots in one array`;
  if (arrays.length > 1 && name !== "detector_data")
    return `${found}, and ${arrays.slice(1).join(", ")} beside it too: name the one of images detector_data`;
  const order = orderOf(file, group, images, run);
  if (typeof order === "string") return `${found}, and ${order}`;
  const absence = absenceIn(file, path);
  const status = file.numbersOrNone(`${group}/detector_status`);
  return {
    path,
    rows,
    columns,
    imageShape: ofOne,
    placeOf: (tag) => {
      const place = order.tags.rowOf(tag);
      return place !== undefined && status?.length === images && status[place] !== 1 ? undefined : place;
    },
    absenceAt: (place) => (absence?.written?.[place] === 1 ? undefined : absence),
    ...(order.isOfRun ? { note: `images of ${path} are read in the order of event_info/tag_number_list` } : {}),
  };
}

/** The tags of the places of an array, or in words why they are not certain. */
function orderOf(
  file: H5File,
  group: string,
  images: number,
  run: TagRows,
): { readonly tags: TagRows; readonly isOfRun: boolean } | string {
  const lists = file.keys(group).filter((name) => unlessOdd(() => file.shape(`${group}/${name}`))?.length === 1);
  const beside = lists.flatMap((name): [string, TagRows][] => {
    const tags = tagsIn(file, `${group}/${name}`, images, run);
    return tags === undefined ? [] : [[name, tags]];
  });
  const [first, ...others] = beside;
  const differs = others.find(([, { listed }]) => !listed.every((tag, i) => tag === first?.[1].listed[i]));
  if (first !== undefined && differs !== undefined) return `${first[0]} and ${differs[0]} beside it differ`;
  if (first !== undefined) return { tags: first[1], isOfRun: false };
  const other = lists.find((name) => /tag/i.test(name));
  if (other !== undefined)
    return `${other} beside it is no list of ${images} tags of the run, each once: it must say the tag of each image`;
  if (images === run.listed.length) return { tags: run, isOfRun: true };
  return (
    `nothing beside it says their tags (the run has ${run.listed.length}): ` +
    `put a list of ${images} tags of the run there, named tag_number_list`
  );
}

function absenceIn(file: H5File, path: string): Absence | undefined {
  try {
    return absenceOf(file, path);
  } catch (error) {
    if (!isSaclaError(error, "FILE_DAMAGED")) throw error;
    return { reason: "damaged", what: error.message.replace(/\.$/, "") };
  }
}

function isStack(file: H5File, path: string): boolean {
  const shape = unlessOdd(() => file.shape(path)) ?? [];
  const isImage = imageShape([1, ...shape.slice(1)]).length === 2;
  return shape.length > 2 && isImage && shape.every((length) => length > 0) && file.hasNumbers(path);
}

/** What stands where the images should, in words; undefined where there is nothing. */
function otherImages(file: H5File, path: string): string | undefined {
  const found = unlessOdd(() => file.described(path));
  const [, ...axes] = unlessOdd(() => file.shape(path)) ?? [];
  return found && `${path} is ${found}${surplusAxes([1, ...axes])}`;
}

/** A list of tags of the run, each once; undefined for any other. */
function tagsIn(file: H5File, path: string, length: number, run: TagRows): TagRows | undefined {
  const numbers = file.numbersOrNone(path);
  if (numbers?.length !== length || unlessOdd(() => absenceOf(file, path) === undefined) !== true) return undefined;
  const listed = numbers.map(unsignedTag);
  if (!listed.every((tag) => run.rowOf(tag) !== undefined)) return undefined;
  const rows = new TagRows(Uint32Array.from(listed));
  return rows.hasTwice ? undefined : rows;
}
