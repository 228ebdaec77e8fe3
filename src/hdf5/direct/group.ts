import {
  DamagedStructure,
  expectLetters,
  type Hdf5Bytes,
  isUndefined,
  UnsupportedStructure,
  uint64,
  uintOf,
} from "./bytes.ts";
import { eachInHeap } from "./heap.ts";
import { eachMessage, LINK, SYMBOL_TABLE } from "./object-header.ts";
import { type TreeNode, treeNode } from "./tree.ts";

/** What a group calls its members, and the address of their object header; NaN for a soft or external link. */
type GroupLink = readonly [name: string, address: number];

/** Address of the object header of the object at a path. @throws UnsupportedStructure when it is not there */
export function objectAt(file: Hdf5Bytes, path: string): number {
  return path
    .split("/")
    .filter((name) => name !== "")
    .reduce((address, name) => {
      const found = memberOf(file, address, name);
      if (Number.isNaN(found)) throw new UnsupportedStructure(`no ${name} of ${path}`);
      return found;
    }, rootOf(file));
}

/** Groups that are kept, and members of one: paths have groups in common. Of larger groups the last one is kept. */
const [MOST_GROUPS, MOST_MEMBERS] = [64, 1024];

/** Address of a member; NaN where there is none. */
function memberOf(file: Hdf5Bytes, address: number, name: string): number {
  const known = file.groups.get(address);
  if (known !== undefined) return known.get(name) ?? NaN;
  const links = linksOf(file, address);
  if (file.writer !== "none") return links.find(([link]) => link === name)?.[1] ?? NaN;
  const members = new Map(links);
  if (file.groups.size >= MOST_GROUPS) file.groups.clear();
  if (links.length > MOST_MEMBERS)
    for (const [other, { size }] of file.groups) if (size > MOST_MEMBERS) file.groups.delete(other);
  file.groups.set(address, members);
  return members.get(name) ?? NaN;
}

/** Members of a group, in the order of its table. */
export function linksOf(file: Hdf5Bytes, address: number): GroupLink[] {
  const links: GroupLink[] = [];
  let isGroup = false;
  eachMessage(file, address, "group", (type, view) => {
    if (type === LINK) {
      links.push(linkIn(view));
      return;
    }
    if (isGroup) throw new UnsupportedStructure("two tables of one group");
    isGroup = true;
    if (type === SYMBOL_TABLE) {
      const [tree, heap] = [uint64(view, 0), uint64(view, 8)];
      linksInTree(file, tree, undefined, textsIn(file, heap), links);
    } else {
      if (view.getUint8(0) !== 0 || (view.getUint8(1) & ~3) !== 0) throw new UnsupportedStructure("other links");
      const at = (view.getUint8(1) & 1) === 0 ? 2 : 10;
      const [heap, index, isDense] = [uint64(view, at), uint64(view, at + 8), !isUndefined(view, at)];
      // Few links stand in messages of their own, many in a heap.
      if (isDense) eachInHeap(file, heap, index, (object) => links.push(linkIn(object)));
    }
  });
  if (!isGroup) throw new UnsupportedStructure("not a group");
  return links;
}

/**
 * Finds members by name without a look at all the others, where names stand in a tree; undefined for other groups. The
 * address found is NaN for a soft or external link, 0 where there is no such member.
 */
export function finderIn(file: Hdf5Bytes, address: number): ((name: string) => number) | undefined {
  const tables: (readonly [tree: number, heap: number] | undefined)[] = [];
  eachMessage(file, address, "group", (type, view) => {
    tables.push(type === SYMBOL_TABLE ? [uint64(view, 0), uint64(view, 8)] : undefined);
  });
  const [table, ...others] = tables;
  if (table === undefined || others.length > 0) return undefined;
  const [tree, heap] = table;
  const nameAt = textsIn(file, heap);
  // Tags are mostly asked for in their order: a table has several of them.
  let last: ReadonlyMap<string, number> = new Map();
  return (name) => {
    if (!last.has(name)) last = new Map(tableWith(file, tree, undefined, nameAt, name));
    return last.get(name) ?? 0;
  };
}

function rootOf(file: Hdf5Bytes): number {
  const version = file.view(8, 1).getUint8(0);
  const [sizes, root] = version <= 1 ? [13, version === 0 ? 64 : 68] : [9, 36];
  const view = file.view(0, root + 8);
  if (version > 3 || view.getUint8(sizes) !== 8 || view.getUint8(sizes + 1) !== 8)
    throw new UnsupportedStructure("another superblock");
  return uint64(view, root);
}

/**
 * Texts of the local heap at `address`. HDF5 refuses a heap whose list of free places is not in order, so this does.
 */
export function textsIn(file: Hdf5Bytes, address: number): (at: number) => string {
  const head = file.view(address, 32);
  expectLetters(head, "HEAP");
  const [length, free, at] = [uint64(head, 8), uint64(head, 16), uint64(head, 24)];
  if (head.getUint8(4) !== 0) throw new UnsupportedStructure("another local heap");
  const bytes = file.bytes(at, length);
  checkFree(new DataView(bytes.buffer, bytes.byteOffset, length), free);
  return (place) => {
    const end = bytes.indexOf(0, place);
    if (place >= length || end < 0) throw new DamagedStructure("a name that does not end");
    return bytes.toString("latin1", place, end);
  };
}

/** Free places of a local heap are linked, each to one behind it or before it, the last one to 1. */
function checkFree(heap: DataView, first: number): void {
  const NONE = 1;
  let left = Math.ceil(heap.byteLength / 16);
  for (let at = first; at !== NONE; at = uint64(heap, at)) {
    const isInside = at % 8 === 0 && at + 16 <= heap.byteLength && at + uint64(heap, at + 8) <= heap.byteLength;
    if (!isInside || uint64(heap, at + 8) < 16 || left-- <= 0) throw new DamagedStructure("a heap out of order");
  }
}

/**
 * Adds what a version 1 B-tree of symbol tables holds. HDF5 searches it by name: all is found only where names ascend,
 * and stand between the keys of each node.
 */
function linksInTree(
  file: Hdf5Bytes,
  address: number,
  above: number | undefined,
  nameAt: (at: number) => string,
  links: GroupLink[],
): void {
  const node = treeNode(file, address, 0, 8, above);
  for (let i = 0; i < node.length; i++) {
    const before = links.length;
    if (node.level > 0) linksInTree(file, node.child(i), node.level, nameAt, links);
    else linksInTable(file, node.child(i), nameAt, links);
    const [first, last] = [links[before]?.[0] ?? "", links.at(-1)?.[0] ?? ""];
    if (keyOf(node, i, nameAt) >= first || keyOf(node, i + 1, nameAt) < last)
      throw new DamagedStructure("names out of order");
  }
}

/** The name before a child of a node. */
function keyOf(node: TreeNode, index: number, nameAt: (at: number) => string): string {
  return nameAt(uint64(node.view, node.keyAt(index)));
}

/** The table in which a name must be, by the keys that it stands between; [] where there can be none. */
function tableWith(
  file: Hdf5Bytes,
  address: number,
  above: number | undefined,
  nameAt: (at: number) => string,
  name: string,
): GroupLink[] {
  const node = treeNode(file, address, 0, 8, above);
  let index = 0;
  while (index < node.length && keyOf(node, index + 1, nameAt) < name) index++;
  if (index === node.length || keyOf(node, index, nameAt) >= name) return [];
  if (node.level > 0) return tableWith(file, node.child(index), node.level, nameAt, name);
  const links: GroupLink[] = [];
  linksInTable(file, node.child(index), nameAt, links);
  return links;
}

function linksInTable(file: Hdf5Bytes, address: number, nameAt: (at: number) => string, links: GroupLink[]): void {
  const head = file.view(address, 8);
  expectLetters(head, "SNOD");
  const symbols = head.getUint16(6, true);
  if (head.getUint8(4) !== 1 || symbols === 0) throw new UnsupportedStructure("another symbol table");
  const most = 2 * (file.widths?.table ?? symbols);
  if (symbols > most || (file.widths !== undefined && !file.has(address, 8 + 40 * most)))
    throw new DamagedStructure("a symbol table of another size");
  const view = file.view(address + 8, 40 * symbols);
  const SOFT = 2;
  for (let at = 0; at < 40 * symbols; at += 40) {
    const [name, kind] = [nameAt(uint64(view, at)), view.getUint32(at + 16, true)];
    if (kind > SOFT || name === "" || name <= (links.at(-1)?.[0] ?? ""))
      throw new DamagedStructure("names out of order");
    links.push([name, kind === SOFT ? NaN : uint64(view, at + 8)]);
  }
}

/** A link message, which a fractal heap holds too. */
function linkIn(view: DataView): GroupLink {
  const flags = view.getUint8(1);
  if (view.getUint8(0) !== 1 || (flags & 0xe0) !== 0) throw new UnsupportedStructure("another link message");
  let at = 2;
  const [HARD, SOFT, FIRST_OF_USERS, UTF8] = [0, 1, 64, 1];
  const type = (flags & 8) === 0 ? HARD : view.getUint8(at++);
  at += (flags & 4) === 0 ? 0 : 8;
  if ((type > SOFT && type < FIRST_OF_USERS) || ((flags & 16) !== 0 && view.getUint8(at++) > UTF8))
    throw new UnsupportedStructure("another link message");
  const sizeBytes = 1 << (flags & 3);
  const length = uintOf(view, at, sizeBytes);
  at += sizeBytes;
  if (length === 0 || at + length > view.byteLength) throw new UnsupportedStructure("a link without name");
  const name = Buffer.from(view.buffer, view.byteOffset + at, length).toString("latin1");
  return [name, type === HARD ? uint64(view, at + length) : NaN];
}
