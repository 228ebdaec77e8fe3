import { DamagedStructure, expectLetters, type Hdf5Bytes, UnsupportedStructure, uint64, uintOf } from "./bytes.ts";
import { lookup3 } from "./checksum.ts";
import { eachRecord } from "./tree.ts";

/** A record of the index of a heap: hash, then the heap's id of an object. */
const NAME_INDEX = 5;
const HASH_BYTES = 4;
/** No heap of links is near them, but a damaged header can say anything. */
const [MOST_BYTES, MOST_ROWS] = [2 ** 26, 64];
/**
 * Visits every object that the name index of a fractal heap leads to, in the order of the heap: the links of a group
 * with many members ("Fractal Heap" and "Version 2 B-trees" in the HDF5 File Format Specification).
 */
export function eachInHeap(file: Hdf5Bytes, heap: number, index: number, visit: (object: DataView) => void): void {
  const table = new DoublingTable(file, heap);
  const objects: { readonly offset: number; readonly length: number }[] = [];
  eachRecord(file, index, NAME_INDEX, HASH_BYTES + table.idBytes, (view, at) =>
    objects.push(table.placeOf(view, at + HASH_BYTES)),
  );
  objects.sort((a, b) => a.offset - b.offset);
  for (const { offset, length } of objects) visit(file.view(table.addressOf(offset), length));
}

/** Where the blocks of a fractal heap lie. */
class DoublingTable {
  readonly #file: Hdf5Bytes;
  readonly idBytes: number;
  readonly #offsetBytes: number;
  readonly #width: number;
  readonly #first: number;
  readonly #largest: number;
  readonly #hasChecksums: boolean;
  /** Direct blocks, in the order of the heap. */
  readonly #blocks: { readonly start: number; readonly end: number; readonly address: number }[] = [];

  constructor(file: Hdf5Bytes, heap: number) {
    this.#file = file;
    const head = file.checked(heap, 146, "FRHP");
    if (head.getUint16(7, true) !== 0) throw new UnsupportedStructure("a compressed heap");
    this.idBytes = head.getUint16(5, true);
    this.#width = head.getUint16(110, true);
    this.#first = uint64(head, 112);
    this.#largest = uint64(head, 120);
    this.#offsetBytes = Math.ceil(head.getUint16(128, true) / 8);
    this.#hasChecksums = (head.getUint8(9) & 2) !== 0;
    const [root, rows] = [uint64(head, 132), head.getUint16(140, true)];
    if (this.#first === 0 || this.#width === 0 || this.#largest > MOST_BYTES || rows > MOST_ROWS)
      throw new UnsupportedStructure("a heap of another size");
    if (rows === 0) this.#addBlock(0, this.#first, root);
    else this.#addBlocks(root, rows, 0);
  }

  /** What an id says: only objects that lie in the heap's blocks themselves are understood. */
  placeOf(view: DataView, at: number): { offset: number; length: number } {
    if ((view.getUint8(at) & 0xf0) !== 0) throw new UnsupportedStructure("a huge or tiny object of a heap");
    const length = uintOf(view, at + 1 + this.#offsetBytes, this.idBytes - 1 - this.#offsetBytes);
    return { offset: uintOf(view, at + 1, this.#offsetBytes), length };
  }

  addressOf(offset: number): number {
    let [low, high] = [0, this.#blocks.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#blocks[middle]?.start ?? 0) <= offset) low = middle;
      else high = middle;
    }
    const block = this.#blocks[low];
    if (block === undefined || offset < block.start || offset >= block.end)
      throw new UnsupportedStructure(`no block for ${offset} in a heap`);
    return block.address + offset - block.start;
  }

  /** The first two rows have blocks of the first size; from then on each row doubles it. */
  #rowSize(row: number): number {
    return this.#first * 2 ** Math.max(0, row - 1);
  }

  #addBlock(start: number, size: number, address: number): void {
    const bytes = this.#file.bytes(address, size);
    const view = new DataView(bytes.buffer, bytes.byteOffset, size);
    expectLetters(view, "FHDB");
    if (this.#hasChecksums) {
      const at = 13 + this.#offsetBytes;
      const checksum = view.getUint32(at, true);
      view.setUint32(at, 0);
      if (lookup3(view, size) !== checksum) throw new DamagedStructure("a block of a heap has another checksum");
    }
    this.#blocks.push({ start, end: start + size, address });
  }

  #addBlocks(indirect: number, rows: number, start: number): void {
    const head = 13 + this.#offsetBytes;
    const view = this.#file.checked(indirect, head + 8 * rows * this.#width + 4, "FHIB");
    const addresses = Array.from({ length: rows * this.#width }, (_, i) => uint64(view, head + 8 * i));
    let at = start;
    for (const [i, address] of addresses.entries()) {
      const size = this.#rowSize(Math.floor(i / this.#width));
      if (this.#file.has(address, 1)) {
        if (size <= this.#largest) this.#addBlock(at, size, address);
        else this.#addBlocks(address, Math.log2(size / (this.#first * this.#width)) + 1, at);
      }
      at += size;
    }
  }
}
