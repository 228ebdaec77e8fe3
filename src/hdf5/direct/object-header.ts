import { DamagedStructure, expectLetters, type Hdf5Bytes, UnsupportedStructure, uint64, uintOf } from "./bytes.ts";

/** Message types of an object header that are looked at. */
const NIL = 0x00;
export const DATASPACE = 0x01;
const LINK_INFO = 0x02;
export const DATATYPE = 0x03;
export const OLD_FILL = 0x04;
export const FILL = 0x05;
export const LINK = 0x06;
export const EXTERNAL_FILES = 0x07;
export const LAYOUT = 0x08;
const GROUP_INFO = 0x0a;
export const FILTERS = 0x0b;
const ATTRIBUTE = 0x0c;
const CONTINUATION = 0x10;
export const SYMBOL_TABLE = 0x11;
const TIME = 0x12;

const ofGroups = new Set([LINK_INFO, LINK, SYMBOL_TABLE]);
const ofDatasets = new Set([DATASPACE, DATATYPE, OLD_FILL, FILL, EXTERNAL_FILES, LAYOUT, FILTERS]);
/**
 * What the headers of DataConvert, h5py and h5wasm have; what HDF5 makes of any other is left to it. A group gets the
 * messages of links with its first external one.
 */
const knownInOld = new Set([...ofDatasets, ...ofGroups, GROUP_INFO, NIL, ATTRIBUTE, CONTINUATION, TIME]);
/**
 * What no group or dataset has: messages of other parts of a file, and types that HDF5 does not know. HDF5 passes over
 * them, and a list of filters that became one of them would leave compressed bytes as values.
 */
const isForeign = (type: number): boolean =>
  type > 0x16 || type === 0x09 || type === 0x0f || type === 0x13 || type === 0x14;
/** All others say nothing of where members or numbers are. */
const isRead = (type: number): boolean => ofDatasets.has(type) || ofGroups.has(type);
/** Flags of a message: its content never changes; it stands elsewhere, shared by several objects. */
const [CONSTANT, SHARED] = [1, 2];
const MOST_BLOCKS = 64;
const MOST_BYTES = 2 ** 24;

interface Message {
  readonly type: number;
  readonly address: number;
  readonly size: number;
}

/**
 * The messages of a group or of a dataset, whose header is of either version ("Data Object Headers" in the HDF5 File
 * Format Specification). Checksums are compared. Old headers have none: there everything must be as it is usually
 * written.
 * @throws UnsupportedStructure when it is the header of something else, or of another form
 * @throws DamagedStructure when it has what no header has
 */
export function eachMessage(
  file: Hdf5Bytes,
  address: number,
  of: "group" | "dataset",
  visit: (type: number, view: DataView) => void,
): void {
  const start = file.view(address, 16);
  const messages = start.getUint8(0) === 1 ? oldMessages(file, address, start) : newMessages(file, address, start);
  const [wanted, others] = of === "group" ? [ofGroups, ofDatasets] : [ofDatasets, ofGroups];
  let seen = 0;
  for (const { type, address: at, size } of messages) {
    if (others.has(type)) throw new UnsupportedStructure(`not a ${of}`);
    if (!wanted.has(type)) continue;
    // HDF5 takes the first.
    if (type !== LINK && (seen & (1 << type)) !== 0) throw new DamagedStructure("two messages of one type");
    seen |= 1 << type;
    visit(type, file.view(at, size));
  }
}

/** @param start - the first 16 bytes of the header */
function oldMessages(file: Hdf5Bytes, address: number, start: DataView): Message[] {
  const count = start.getUint16(2, true);
  const blocks = [{ address: address + 16, length: start.getUint32(8, true) }];
  const messages: Message[] = [];
  let found = 0;
  for (const { address: from, length } of blocks) {
    if (blocks.length > MOST_BLOCKS || length > MOST_BYTES || length === 0)
      throw new UnsupportedStructure("a header of another size");
    const block = file.view(from, length);
    for (let at = 0; at < length; ) {
      if (at + 8 > length) throw new UnsupportedStructure("a header that ends inside a message");
      const [type, size] = [block.getUint16(at, true), block.getUint16(at + 2, true)];
      if (isForeign(type)) throw new DamagedStructure("a message that no object has");
      const isUsual = size % 8 === 0 && (block.getUint8(at + 4) & ~CONSTANT) === 0 && knownInOld.has(type);
      if (!isUsual || at + 8 + size > length) throw new UnsupportedStructure("an unusual message");
      if (type === CONTINUATION) blocks.push({ address: uint64(block, at + 8), length: uint64(block, at + 16) });
      if (isRead(type)) messages.push({ type, address: from + at + 8, size });
      found++;
      at += 8 + size;
    }
  }
  if (found !== count) throw new UnsupportedStructure(`${found} of ${count} messages`);
  return messages;
}

/** @param start - the first 16 bytes of the header */
function newMessages(file: Hdf5Bytes, address: number, start: DataView): Message[] {
  expectLetters(start, "OHDR");
  if (start.getUint8(4) !== 2) throw new UnsupportedStructure("a header of another version");
  const flags = start.getUint8(5);
  const at = 6 + ((flags & 0x20) === 0 ? 0 : 16) + ((flags & 0x10) === 0 ? 0 : 4);
  const sizeBytes = 1 << (flags & 3);
  const messageHead = (flags & 4) === 0 ? 4 : 6;
  const head = at + sizeBytes;
  const length = uintOf(file.view(address, head), at, sizeBytes);
  const messages: Message[] = [];
  const blocks = [{ address, head, length: head + length + 4 }];
  for (const [n, block] of blocks.entries()) {
    if (blocks.length > MOST_BLOCKS || block.length > MOST_BYTES)
      throw new UnsupportedStructure("a header of another size");
    const view = file.checked(block.address, block.length, n === 0 ? "OHDR" : "OCHK");
    const end = block.length - 4;
    // What is left is a gap, too small for a message.
    for (let p = block.head; p + messageHead <= end; ) {
      const [type, size, flag] = [view.getUint8(p), view.getUint16(p + 1, true), view.getUint8(p + 3)];
      const from = p + messageHead;
      if (from + size > end) throw new UnsupportedStructure("a message is longer than its header");
      if (type === CONTINUATION) blocks.push({ address: uint64(view, from), head: 4, length: uint64(view, from + 8) });
      else {
        if ((flag & SHARED) !== 0 && isRead(type)) throw new UnsupportedStructure("a shared message");
        if (isRead(type)) messages.push({ type, address: block.address + from, size });
      }
      p = from + size;
    }
  }
  return messages;
}
