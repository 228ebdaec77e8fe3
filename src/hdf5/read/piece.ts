import { type Hdf5Bytes, UnsupportedStructure } from "../direct/bytes.ts";
import { byteLengthOf, datasetAt } from "../direct/dataset.ts";
import { objectAt } from "../direct/group.ts";
import { arrays, type NumberArray, type NumberType } from "./h5types.ts";

/** Bytes of a list for which it pays to look where it lies. */
export const LONG_LIST: number = 2 ** 16;

/** A list of numbers that lies in one piece of the file, as it is in memory; undefined for any other. */
export function listInPiece(file: Hdf5Bytes, path: string, type: NumberType, length: number): NumberArray | undefined {
  let list: NumberArray;
  try {
    const header = datasetAt(file, objectAt(file, path));
    const { element, layout } = header;
    if (type === "f2" || element === undefined || element.bigEndian || `${element.kind}${element.bytes}` !== type)
      return undefined;
    const bytes = length * arrays[type].BYTES_PER_ELEMENT;
    if (layout.kind !== "contiguous" || layout.address === undefined || byteLengthOf(header) !== bytes)
      return undefined;
    if (!file.has(layout.address, bytes)) return undefined;
    list = new arrays[type](length);
    file.read(new Uint8Array(list.buffer), layout.address);
  } catch (error) {
    // The library reads it, or says what is wrong.
    if (error instanceof UnsupportedStructure || error instanceof RangeError) return undefined;
    throw error;
  }
  file.checkUnchanged();
  return list;
}
