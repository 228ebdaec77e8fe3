import { expectLetters, type Hdf5Bytes, UnsupportedStructure, uint64, uintOf } from "./bytes.ts";

/** A record of the index of a heap: hash, then the heap's id of an object. */
const NAME_INDEX = 5;
const HASH_BYTES = 4;
/** Of a block of a version 2 B-tree: four letters, version and type before the records, a checksum after them. */
const NODE_HEAD = 6;
const NODE_OVERHEAD = 10;

/**
 * Visits every object that the name index of a fractal heap leads to, in the order of the heap: the links of a group
 * with many members ("Fractal Heap" and "Version 2 B-trees" in the HDF5 File Format Specification).
 */
export function eachInHeap(file: Hdf5Bytes, heap: number, index: number, visit: (object: DataView) => void): void {
  const table = new DoublingTable(file, heap);
  const objects: { readonly offset: number; readonly length: number }[] = [];
  eachRecord(file, index, (view, at) => objects.push(table.placeOf(view, at + HASH_BYTES)));
  objects.sort((a, b) => a.offset - b.offset);
  for (const { offset, length } of objects) visit(file.view(table.addressOf(offset), length));
}

/** Where the blocks of a fractal heap lie. */
class DoublingTable {
  readonly #file: Hdf5Bytes;
  readonly #idBytes: number;
  readonly #offsetBytes: number;
  readonly #width: number;
  readonly #first: number;
  readonly #largest: number;
  /** Direct blocks, in the order of the heap. */
  readonly #blocks: { readonly start: number; readonly end: number; readonly address: number }[] = [];

  constructor(file: Hdf5Bytes, heap: number) {
    this.#file = file;
    const head = file.view(heap, 144);
    expectLetters(head, "FRHP");
    if (head.getUint16(7, true) !== 0) throw new UnsupportedStructure("a compressed heap");
    this.#idBytes = head.getUint16(5, true);
    this.#width = head.getUint16(110, true);
    this.#first = uint64(head, 112);
    this.#largest = uint64(head, 120);
    this.#offsetBytes = Math.ceil(head.getUint16(128, true) / 8);
    const [root, rows] = [uint64(head, 132), head.getUint16(140, true)];
    if (rows === 0) this.#blocks.push({ start: 0, end: this.#first, address: root });
    else this.#addBlocks(root, rows, 0);
  }

  /** What an id says: only objects that lie in the heap's blocks themselves are understood. */
  placeOf(view: DataView, at: number): { offset: number; length: number } {
    if ((view.getUint8(at) & 0xf0) !== 0) throw new UnsupportedStructure("a huge or tiny object of a heap");
    const length = uintOf(view, at + 1 + this.#offsetBytes, this.#idBytes - 1 - this.#offsetBytes);
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

  #addBlocks(indirect: number, rows: number, start: number): void {
    const head = 13 + this.#offsetBytes;
    const view = this.#file.view(indirect, head + 8 * rows * this.#width);
    expectLetters(view, "FHIB");
    const addresses = Array.from({ length: rows * this.#width }, (_, i) => uint64(view, head + 8 * i));
    let at = start;
    for (const [i, address] of addresses.entries()) {
      const size = this.#rowSize(Math.floor(i / this.#width));
      if (this.#file.has(address, 1)) {
        if (size <= this.#largest) this.#blocks.push({ start: at, end: at + size, address });
        else this.#addBlocks(address, Math.log2(size / (this.#first * this.#width)) + 1, at);
      }
      at += size;
    }
  }
}

/** Visits the records of a version 2 B-tree, leaf and inner ones. */
function eachRecord(file: Hdf5Bytes, address: number, visit: (view: DataView, at: number) => void): void {
  const head = file.view(address, 34);
  expectLetters(head, "BTHD");
  if (head.getUint8(5) !== NAME_INDEX) throw new UnsupportedStructure("an index of another kind");
  const [nodeBytes, recordBytes, depth] = [head.getUint32(6, true), head.getUint16(10, true), head.getUint16(12, true)];
  if (recordBytes < HASH_BYTES) throw new UnsupportedStructure("records of another size");
  const most = Math.floor((nodeBytes - NODE_OVERHEAD) / recordBytes);
  const countBytes = bytesFor(most);
  // How many bytes the number of all records below a node takes, by the height of the node.
  const totalBytes = [0];
  let total = most;
  for (let height = 1; height < depth; height++) {
    const pointer = 8 + countBytes + (totalBytes[height - 1] ?? 0);
    const here = Math.floor((nodeBytes - NODE_OVERHEAD - pointer) / (recordBytes + pointer));
    total = (here + 1) * total + here;
    totalBytes.push(bytesFor(total));
  }
  const walk = (node: number, records: number, height: number): void => {
    const view = file.view(node, nodeBytes);
    expectLetters(view, height === 0 ? "BTLF" : "BTIN");
    for (let i = 0; i < records; i++) visit(view, NODE_HEAD + i * recordBytes);
    if (height === 0) return;
    const pointer = 8 + countBytes + (totalBytes[height - 1] ?? 0);
    const children = Array.from({ length: records + 1 }, (_, i) => {
      const at = NODE_HEAD + records * recordBytes + i * pointer;
      return [uint64(view, at), uintOf(view, at + 8, countBytes)] as const;
    });
    for (const [child, count] of children) walk(child, count, height - 1);
  };
  const [root, records] = [uint64(head, 16), head.getUint16(24, true)];
  if (records > 0) walk(root, records, depth);
}

/** Bytes that hold numbers up to a limit, as HDF5 counts them. */
function bytesFor(limit: number): number {
  return Math.floor(Math.floor(Math.log2(limit)) / 8) + 1;
}
