import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PackedReader, packParts, unpackParts } from "../../../src/transport/packed.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const someParts = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 9 });

/** Gives `all` in pieces cut where `sizes` say. */
async function* inPieces(all: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let i = 0; at < all.byteLength; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    // In memory of its own that is gone afterwards, as a socket's.
    const piece = all.slice(at, at + size);
    yield piece;
    piece.fill(0xee);
    at += size;
  }
}

const joined = (...all: Uint8Array[]): Uint8Array => Uint8Array.from(all.flatMap((one) => [...one]));

describe("packed messages", () => {
  it("have the bytes that docs/protocol.md says", () => {
    expect([...packParts([bytes(1, 2, 3), bytes(9)])]).toEqual(
      // 2 parts, of 3 and 1 bytes; the table padded to 16; each part at a multiple of 8.
      [2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0],
    );
  });

  it("come back as they were, alone and one after another in pieces of any size", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(someParts, { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 }),
        async (messages, sizes) => {
          for (const parts of messages) expect(unpackParts(packParts(parts))).toEqual(parts);
          const reader = new PackedReader(inPieces(joined(...messages.map(packParts)), sizes));
          for (const parts of messages) expect((await reader.next())?.map((part) => part.slice())).toEqual(parts);
          expect(await reader.next()).toBeUndefined();
        },
      ),
    );
  });

  it("are refused wherever they are cut", async () => {
    const whole = packParts([bytes(1, 2, 3), new Uint8Array(20)]);
    for (let length = 0; length < whole.byteLength; length++) {
      const cut = whole.subarray(0, length);
      expect(() => unpackParts(cut)).toThrow(expect.objectContaining({ code: "BAD_MESSAGE" }));
      const reader = new PackedReader(inPieces(cut, [7]));
      if (length === 0) expect(await reader.next()).toBeUndefined();
      else await expect(reader.next()).rejects.toMatchObject({ code: "BAD_MESSAGE" });
    }
    expect(() => unpackParts(joined(whole, bytes(0)))).toThrow(/1 bytes follow/);
  });

  it("do not make a reader take memory for lengths that they only claim", async () => {
    const claim = new Uint32Array([1, 2 ** 30 - 64, 0, 0]);
    const before = process.memoryUsage().arrayBuffers;
    await expect(new PackedReader(inPieces(new Uint8Array(claim.buffer), [16])).next()).rejects.toMatchObject({
      code: "BAD_MESSAGE",
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
    for (const wrong of [[0], [65_537], [1, 2 ** 30 + 1], [3, 2 ** 29, 2 ** 29, 2 ** 29]]) {
      const head = new Uint8Array(16 + 65_538 * 4);
      new Uint32Array(head.buffer).set(wrong);
      await expect(new PackedReader(inPieces(head, [100_000])).next(), String(wrong)).rejects.toMatchObject({
        code: "BAD_MESSAGE",
      });
      expect(() => unpackParts(head)).toThrow(expect.objectContaining({ code: "BAD_MESSAGE" }));
    }
  });

  it("give parts that arrays can look into: each begins at a multiple of 8 bytes", async () => {
    const reader = new PackedReader(inPieces(packParts([bytes(1), bytes(1, 2, 3), new Uint8Array(16)]), [5]));
    for (const part of (await reader.next()) ?? []) expect(part.byteOffset % 8).toBe(0);
  });
});
