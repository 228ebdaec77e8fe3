/** What {@link encodeMsgpack} takes. */
type Packable = string | number | null | readonly Packable[] | { readonly [key: string]: Packable };

/** A value as MessagePack (msgpack.org, spec of 2017): whole numbers as integers, other numbers as float 64. */
export function encodeMsgpack(value: Packable): Uint8Array {
  const bytes: number[] = [];
  write(bytes, value);
  return Uint8Array.from(bytes);
}

function write(bytes: number[], value: Packable): void {
  if (value === null) bytes.push(0xc0);
  else if (typeof value === "number") writeNumber(bytes, value);
  else if (typeof value === "string") {
    const text = new TextEncoder().encode(value);
    writeHead(bytes, text.length, { fix: 0xa0, fixLimit: 32, wide: 0xda, widest: 0xdb });
    for (const byte of text) bytes.push(byte);
  } else if (isList(value)) {
    writeHead(bytes, value.length, { fix: 0x90, fixLimit: 16, wide: 0xdc, widest: 0xdd });
    for (const item of value) write(bytes, item);
  } else {
    const entries = Object.entries(value);
    writeHead(bytes, entries.length, { fix: 0x80, fixLimit: 16, wide: 0xde, widest: 0xdf });
    for (const [key, item] of entries) {
      write(bytes, key);
      write(bytes, item);
    }
  }
}

function isList(value: object): value is readonly Packable[] {
  return Array.isArray(value);
}

function writeHead(
  bytes: number[],
  length: number,
  code: { fix: number; fixLimit: number; wide: number; widest: number },
): void {
  if (length < code.fixLimit) bytes.push(code.fix | length);
  else if (length <= 0xffff) bytes.push(code.wide, length >>> 8, length & 0xff);
  else bytes.push(code.widest, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff);
}

function writeNumber(bytes: number[], value: number): void {
  const view = new DataView(new ArrayBuffer(9));
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    view.setUint8(0, 0xd3);
    view.setBigInt64(1, BigInt(value));
    if (value >= 0 && value < 0x80) bytes.push(value);
    else if (value >= 0 && value <= 0xffff_ffff) bytes.push(0xce, ...new Uint8Array(view.buffer, 5));
    else bytes.push(...new Uint8Array(view.buffer));
  } else {
    view.setUint8(0, 0xcb);
    view.setFloat64(1, value);
    bytes.push(...new Uint8Array(view.buffer));
  }
}
