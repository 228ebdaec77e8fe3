/**
 * Checksum of HDF5's metadata: Bob Jenkins's lookup3 (`hashlittle` of lookup3.c, public domain) with the initial value
 * 0, as "H5_checksum_lookup3" of the HDF5 library.
 */
export function lookup3(view: DataView, length: number): number {
  let a = (0xdeadbeef + length) | 0;
  let [b, c] = [a, a];
  let at = 0;
  for (; length - at > 12; at += 12) {
    a = (a + view.getInt32(at, true)) | 0;
    b = (b + view.getInt32(at + 4, true)) | 0;
    c = (c + view.getInt32(at + 8, true)) | 0;
    a = (a - c) ^ turned(c, 4);
    c = (c + b) | 0;
    b = (b - a) ^ turned(a, 6);
    a = (a + c) | 0;
    c = (c - b) ^ turned(b, 8);
    b = (b + a) | 0;
    a = (a - c) ^ turned(c, 16);
    c = (c + b) | 0;
    b = (b - a) ^ turned(a, 19);
    a = (a + c) | 0;
    c = (c - b) ^ turned(b, 4);
    b = (b + a) | 0;
  }
  if (at === length) return c >>> 0;
  a = (a + tail(view, at, length)) | 0;
  b = (b + tail(view, at + 4, length)) | 0;
  c = (c + tail(view, at + 8, length)) | 0;
  c = (c ^ b) - turned(b, 14);
  a = (a ^ c) - turned(c, 11);
  b = (b ^ a) - turned(a, 25);
  c = (c ^ b) - turned(b, 16);
  a = (a ^ c) - turned(c, 4);
  b = (b ^ a) - turned(a, 14);
  c = (c ^ b) - turned(b, 24);
  return c >>> 0;
}

function turned(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** Up to four bytes, what lies past the end as 0. */
function tail(view: DataView, at: number, length: number): number {
  let value = 0;
  for (let i = 0; i < 4 && at + i < length; i++) value |= view.getUint8(at + i) << (8 * i);
  return value;
}
