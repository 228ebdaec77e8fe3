import { type Hdf5Bytes, isUndefined, UnsupportedStructure, uint64 } from "./bytes.ts";

/**
 * Visits the entries of an extensible array, in order, that were written ("Extensible Array" in the HDF5 File Format
 * Specification): the first few stand in its index block, the next in data blocks that it names, and all others in data
 * blocks that secondary blocks name. Each level has blocks twice as many or twice as large as the one before.
 * @param count - entries to look at; later ones are of places that the dataset does not have
 */
export function eachInExtensibleArray(
  file: Hdf5Bytes,
  address: number,
  isFiltered: boolean,
  count: number,
  visit: (n: number, view: DataView, at: number, entryBytes: number) => void,
): void {
  const head = file.checked(address, 72, "EAHD");
  const byte = (at: number): number => head.getUint8(at);
  const [entryBytes, bits, inIndex, least, pointers, pageBits] = [
    byte(6),
    byte(7),
    byte(8),
    byte(9),
    byte(10),
    byte(11),
  ];
  const isPower = Number.isInteger(Math.log2(least)) && Number.isInteger(Math.log2(pointers));
  const isExpected = byte(4) === 0 && byte(5) === Number(isFiltered) && isPower && bits <= 64;
  if (!isExpected || (isFiltered ? entryBytes < 13 : entryBytes !== 8))
    throw new UnsupportedStructure("an array of another size");
  if (isUndefined(head, 60)) return;
  const HEAD = 14;
  const offsetBytes = Math.ceil(bits / 8);
  const page = 2 ** pageBits;
  const entriesIn = (view: DataView, from: number, first: number, length: number): void => {
    for (let i = 0; i < length && first + i < count; i++) {
      const at = from + i * entryBytes;
      if (!isUndefined(view, at)) visit(first + i, view, at, entryBytes);
    }
  };
  const dataBlock = (at: number, first: number, length: number, isPageWritten: (n: number) => boolean): void => {
    const start = HEAD + offsetBytes;
    if (length <= page) {
      entriesIn(file.checked(at, start + length * entryBytes + 4, "EADB"), start, first, length);
      return;
    }
    file.checked(at, start + 4, "EADB");
    const pageBytes = page * entryBytes + 4;
    for (let n = 0; n < length / page && first + n * page < count; n++)
      if (isPageWritten(n))
        entriesIn(file.checked(at + start + 4 + n * pageBytes, pageBytes, ""), 0, first + n * page, page);
  };
  const levels = 1 + bits - Math.log2(least);
  const inIndexLevels = 2 * Math.log2(pointers);
  const direct = 2 * (pointers - 1);
  const addresses = HEAD + inIndex * entryBytes;
  const indexBytes = addresses + 8 * (direct + levels - inIndexLevels) + 4;
  const index = copyOf(file.checked(uint64(head, 60), indexBytes, "EAIB"));
  entriesIn(index, HEAD, 0, inIndex);
  let first = inIndex;
  let named = addresses;
  for (let level = 0; level < levels && first < count; level++) {
    const [blocks, length] = [2 ** (level >> 1), 2 ** ((level + 1) >> 1) * least];
    if (level < inIndexLevels) {
      if (length > page) throw new UnsupportedStructure("pages named by an index block");
      for (let n = 0; n < blocks; n++, named += 8)
        if (!isUndefined(index, named)) dataBlock(uint64(index, named), first + n * length, length, () => true);
    } else {
      if (!isUndefined(index, named)) {
        const bitmap = length > page ? Math.ceil(length / page / 8) : 0;
        const start = HEAD + offsetBytes + blocks * bitmap;
        const block = copyOf(file.checked(uint64(index, named), start + 8 * blocks + 4, "EASB"));
        for (let n = 0; n < blocks && first + n * length < count; n++) {
          const at = start + 8 * n;
          // One bit a page, counted on from data block to data block.
          const isWritten = (i: number): boolean => {
            const bit = (n * length) / page + i;
            return (block.getUint8(HEAD + offsetBytes + (bit >> 3)) & (0x80 >> (bit & 7))) !== 0;
          };
          if (!isUndefined(block, at)) dataBlock(uint64(block, at), first + n * length, length, isWritten);
        }
      }
      named += 8;
    }
    first += blocks * length;
  }
}

/** To keep while other tables are read. */
function copyOf({ buffer, byteOffset, byteLength }: DataView): DataView {
  return new DataView(buffer.slice(byteOffset, byteOffset + byteLength));
}
