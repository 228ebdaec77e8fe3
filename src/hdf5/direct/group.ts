import { expectLetters, type Hdf5Bytes, UnsupportedStructure, uint64, uintOf } from "./bytes.ts";
import { eachInHeap } from "./heap.ts";

/** What a group calls its members, and the address of their object header; NaN for a soft or external link. */
type GroupLink = readonly [name: string, address: number];

/** Message types of an object header that are looked at. */
export const DATASPACE = 0x01;
const LINK_INFO = 0x02;
export const DATATYPE = 0x03;
const LINK = 0x06;
export const EXTERNAL_FILES = 0x07;
export const LAYOUT = 0x08;
export const FILTERS = 0x0b;
const CONTINUATION = 0x10;
const SYMBOL_TABLE = 0x11;
const SHARED = 0x02;

/** Address of the object header of the object at a path. @throws UnsupportedStructure when it is not there */
export function objectAt(file: Hdf5Bytes, path: string): number {
  return path
    .split("/")
    .filter((name) => name !== "")
    .reduce((address, name) => {
      const found = linksOf(file, address).find(([link]) => link === name)?.[1] ?? NaN;
      if (Number.isNaN(found)) throw new UnsupportedStructure(`no ${name} of ${path}`);
      return found;
    }, rootOf(file));
}

/** Members of a group, in the order of its table. */
export function linksOf(file: Hdf5Bytes, address: number): GroupLink[] {
  const links: GroupLink[] = [];
  let isGroup = false;
  eachMessage(file, address, (type, view) => {
    isGroup ||= type === SYMBOL_TABLE || type === LINK_INFO;
    if (type === SYMBOL_TABLE) linksInTree(file, uint64(view, 0), namesOf(file, uint64(view, 8)), links);
    else if (type === LINK) links.push(linkIn(view));
    else if (type === LINK_INFO) {
      const at = (view.getUint8(1) & 1) === 0 ? 2 : 10;
      const [heap, index] = [uint64(view, at), uint64(view, at + 8)];
      // Few links stand in messages of their own, many in a heap.
      if (file.has(heap, 1)) eachInHeap(file, heap, index, (object) => links.push(linkIn(object)));
    }
  });
  if (!isGroup) throw new UnsupportedStructure("not a group");
  return links;
}

/**
 * The messages of an object header, of either version ("Data Object Headers" in the HDF5 File Format Specification).
 * A message that stands elsewhere, shared by several objects, is not understood.
 */
export function eachMessage(file: Hdf5Bytes, address: number, visit: (type: number, view: DataView) => void): void {
  const start = file.view(address, 16);
  if (start.getUint8(0) === 1) {
    messagesIn(file, address + 16, start.getUint32(8, true), 8, false, visit);
    return;
  }
  expectLetters(start, "OHDR");
  const flags = start.getUint8(5);
  const at = 6 + ((flags & 0x20) === 0 ? 0 : 16) + ((flags & 0x10) === 0 ? 0 : 4);
  const sizeBytes = 1 << (flags & 3);
  const head = file.view(address, at + sizeBytes);
  messagesIn(file, address + at + sizeBytes, uintOf(head, at, sizeBytes), (flags & 4) === 0 ? 4 : 6, true, visit);
}

function messagesIn(
  file: Hdf5Bytes,
  address: number,
  length: number,
  head: number,
  isNew: boolean,
  visit: (type: number, view: DataView) => void,
): void {
  const block = file.view(address, length);
  const next: [address: number, length: number][] = [];
  const found: [type: number, at: number, size: number][] = [];
  for (let at = 0; at + head <= length; ) {
    const type = isNew ? block.getUint8(at) : block.getUint16(at, true);
    const size = block.getUint16(at + (isNew ? 1 : 2), true);
    const flags = block.getUint8(at + (isNew ? 3 : 4));
    if (at + head + size > length) throw new UnsupportedStructure("a message is longer than its header");
    if (type === CONTINUATION) next.push([uint64(block, at + head), uint64(block, at + head + 8)]);
    else if (wanted.has(type)) {
      if ((flags & SHARED) !== 0) throw new UnsupportedStructure("a shared message");
      found.push([type, at + head, size]);
    }
    at += head + size;
  }
  // Viewed again: a visit may have read other tables in its place.
  for (const [type, at, size] of found) visit(type, file.view(address + at, size));
  for (const [more, bytes] of next) {
    if (!isNew) messagesIn(file, more, bytes, head, false, visit);
    else {
      expectLetters(file.view(more, 4), "OCHK");
      messagesIn(file, more + 4, bytes - 8, head, true, visit);
    }
  }
}

const wanted = new Set([DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL_FILES, LAYOUT, FILTERS, SYMBOL_TABLE]);

function rootOf(file: Hdf5Bytes): number {
  const version = file.view(8, 1).getUint8(0);
  const [sizes, root] = version <= 1 ? [13, version === 0 ? 64 : 68] : [9, 36];
  const view = file.view(0, root + 8);
  if (version > 3 || view.getUint8(sizes) !== 8 || view.getUint8(sizes + 1) !== 8)
    throw new UnsupportedStructure("another superblock");
  return uint64(view, root);
}

/** Gives the text at a place of the local heap at `address`. */
function namesOf(file: Hdf5Bytes, address: number): (at: number) => string {
  const head = file.view(address, 32);
  expectLetters(head, "HEAP");
  const bytes = file.bytes(uint64(head, 24), uint64(head, 8));
  return (at) => bytes.toString("latin1", at, bytes.indexOf(0, at));
}

/** Adds what a version 1 B-tree of symbol tables holds. */
function linksInTree(file: Hdf5Bytes, address: number, nameAt: (at: number) => string, links: GroupLink[]): void {
  const { level, children } = treeNode(file, address, 8);
  for (const { child } of children) {
    if (level > 0) linksInTree(file, child, nameAt, links);
    else linksInTable(file, child, nameAt, links);
  }
}

/** A node of a version 1 B-tree: between its children stand keys, in this many bytes. */
export function treeNode(
  file: Hdf5Bytes,
  address: number,
  keyBytes: number,
): { level: number; children: { child: number; key: DataView }[] } {
  const head = file.view(address, 24);
  expectLetters(head, "TREE");
  const [level, entries, step] = [head.getUint8(5), head.getUint16(6, true), keyBytes + 8];
  // To keep, because what the children hold is read before the next one is taken.
  const { buffer, byteOffset } = file.bytes(address, 24 + step * entries);
  const children = Array.from({ length: entries }, (_, i) => {
    const key = new DataView(buffer, byteOffset + 24 + step * i, step);
    return { child: uint64(key, keyBytes), key };
  });
  return { level, children };
}

function linksInTable(file: Hdf5Bytes, address: number, nameAt: (at: number) => string, links: GroupLink[]): void {
  const head = file.view(address, 8);
  expectLetters(head, "SNOD");
  const symbols = head.getUint16(6, true);
  const view = file.view(address + 8, 40 * symbols);
  const SOFT = 2;
  for (let at = 0; at < 40 * symbols; at += 40) {
    links.push([nameAt(uint64(view, at)), view.getUint32(at + 16, true) === SOFT ? NaN : uint64(view, at + 8)]);
  }
}

/** A link message, which a fractal heap holds too. */
function linkIn(view: DataView): GroupLink {
  const flags = view.getUint8(1);
  if (view.getUint8(0) !== 1) throw new UnsupportedStructure("another link message");
  let at = 2;
  const HARD = 0;
  const type = (flags & 8) === 0 ? HARD : view.getUint8(at++);
  at += ((flags & 4) === 0 ? 0 : 8) + ((flags & 16) === 0 ? 0 : 1);
  const sizeBytes = 1 << (flags & 3);
  const length = uintOf(view, at, sizeBytes);
  at += sizeBytes;
  const name = Buffer.from(view.buffer, view.byteOffset + at, length).toString("latin1");
  return [name, type === HARD ? uint64(view, at + length) : NaN];
}
