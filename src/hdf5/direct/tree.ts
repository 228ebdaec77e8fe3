import { DamagedStructure, expectLetters, type Hdf5Bytes, UnsupportedStructure, uint64, uintOf } from "./bytes.ts";

/** HDF5's trees are never near it, but a damaged one could lead in circles. */
const MOST_LEVELS = 16;
const MOST_BYTES = 2 ** 24;

/** A node of a version 1 B-tree: a key stands before and after each child. */
export class TreeNode {
  readonly level: number;
  /** Number of children. */
  readonly length: number;
  /** Its bytes, with the keys in them. */
  readonly view: DataView;
  readonly #keyBytes: number;

  constructor(level: number, length: number, view: DataView, keyBytes: number) {
    this.level = level;
    this.length = length;
    this.view = view;
    this.#keyBytes = keyBytes;
  }

  /** Where the key before a child begins in {@link view}; that of the child after the last one is the last key. */
  keyAt(index: number): number {
    return NODE_START + index * (this.#keyBytes + 8);
  }

  /** Address of a child. */
  child(index: number): number {
    return uint64(this.view, this.keyAt(index) + this.#keyBytes);
  }
}

/** Bytes of a node before its first key. */
const NODE_START = 24;

/**
 * A node of a version 1 B-tree, with keys of this many bytes. These nodes have no checksum: whoever reads them compares
 * the keys.
 * @param kind - 0 of groups, 1 of chunks
 * @param above - level of the node that leads here; undefined for the root
 */
export function treeNode(
  file: Hdf5Bytes,
  address: number,
  kind: 0 | 1,
  keyBytes: number,
  above: number | undefined,
): TreeNode {
  const head = file.view(address, NODE_START);
  expectLetters(head, "TREE");
  const [level, entries, step] = [head.getUint8(5), head.getUint16(6, true), keyBytes + 8];
  const isExpected = above === undefined ? level <= MOST_LEVELS : level === above - 1;
  const isEmptyTree = above === undefined && level === 0;
  if (head.getUint8(4) !== kind || !isExpected || (entries === 0 && !isEmptyTree))
    throw new DamagedStructure("a tree that does not hang together");
  const width = kind === 0 ? file.widths?.groups : file.widths?.chunks;
  // HDF5 reads the room for all entries, used or not.
  if (width !== undefined && (entries > 2 * width || !file.has(address, NODE_START + step * 2 * width + keyBytes)))
    throw new DamagedStructure("a node of another size");
  // To keep, because what the children hold is read before the next one is taken.
  const { buffer, byteOffset, length } = file.bytes(address, NODE_START + step * entries + keyBytes);
  return new TreeNode(level, entries, new DataView(buffer, byteOffset, length), keyBytes);
}

/** Of a block of a version 2 B-tree: four letters, version and type before the records, a checksum after them. */
const NODE_HEAD = 6;
const NODE_OVERHEAD = 10;

/**
 * Visits the records of a version 2 B-tree, leaf and inner ones ("Version 2 B-trees" in the HDF5 File Format
 * Specification).
 * @param type - of its records
 * @param leastBytes - of a record
 */
export function eachRecord(
  file: Hdf5Bytes,
  address: number,
  type: number,
  leastBytes: number,
  visit: (view: DataView, at: number, bytes: number) => void,
): void {
  const head = file.checked(address, 38, "BTHD");
  if (head.getUint8(5) !== type) throw new UnsupportedStructure("an index of another kind");
  const [nodeBytes, recordBytes, depth] = [head.getUint32(6, true), head.getUint16(10, true), head.getUint16(12, true)];
  if (recordBytes < leastBytes || nodeBytes > MOST_BYTES || depth > MOST_LEVELS)
    throw new UnsupportedStructure("records of another size");
  const [root, records, all] = [uint64(head, 16), head.getUint16(24, true), uint64(head, 26)];
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
  let visited = 0;
  const walk = (node: number, count: number, height: number): void => {
    visited += count;
    if (visited > all || count > most) throw new DamagedStructure("more records than a tree has");
    const pointer = height === 0 ? 0 : 8 + countBytes + (totalBytes[height - 1] ?? 0);
    const pointers = height === 0 ? 0 : pointer * (count + 1);
    const length = NODE_OVERHEAD + count * recordBytes + pointers;
    const view = file.checked(node, length, height === 0 ? "BTLF" : "BTIN");
    const children = Array.from({ length: height === 0 ? 0 : count + 1 }, (_, i) => {
      const at = NODE_HEAD + count * recordBytes + i * pointer;
      return [uint64(view, at), uintOf(view, at + 8, countBytes)] as const;
    });
    for (let i = 0; i < count; i++) visit(view, NODE_HEAD + i * recordBytes, recordBytes);
    for (const [child, below] of children) walk(child, below, height - 1);
  };
  if (records > 0) walk(root, records, depth);
  if (visited !== all) throw new UnsupportedStructure(`${visited} of ${all} records`);
}

/** Bytes that hold numbers up to a limit, as HDF5 counts them. */
function bytesFor(limit: number): number {
  return Math.floor(Math.floor(Math.log2(limit)) / 8) + 1;
}
