import { describe, expect, it } from "vitest";
import { Arena, instantiateKernel } from "../../../src/core/wasm.ts";

describe("Arena", () => {
  it("hands out zeroed memory at multiples of 64 bytes that does not overlap", () => {
    const arena = new Arena(Arena.bytesFor([4, 80, 8]));
    const [a, b, c] = [arena.float32(1), arena.float64(10), arena.uint32(2)];
    expect([a, b, c].map(({ byteOffset }) => byteOffset % 64)).toEqual([0, 0, 0]);
    a.fill(1);
    c.fill(3);
    expect([...b]).toEqual(Array<number>(10).fill(0));
    expect(Arena.bytesFor([4, 80, 8])).toBe(64 + 128 + 64);
  });

  it("gives zeroed memory again after a rewind, and refuses more than it has", () => {
    const arena = new Arena(64);
    const { mark } = arena;
    arena.uint16(10).fill(9);
    arena.rewind(mark);
    expect([...arena.int32(4)]).toEqual([0, 0, 0, 0]);
    expect(() => arena.allocate(10 * 65_536)).toThrow("too small");
    expect(() => new Arena(2 ** 33)).toThrow("above 4 GiB");
  });
});

it("instantiateKernel calls compiled code over the memory it is given", () => {
  // (module (import "env" "memory" (memory 1)) (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
  const bytes = [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 2, 15, 1, 3, 101, 110, 118, 6, 109, 101, 109, 111,
    114, 121, 2, 0, 1, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11,
  ];
  const { memory } = new Arena(64);
  const { add } = instantiateKernel(btoa(String.fromCharCode(...bytes)), memory);
  if (typeof add !== "function") throw new Error("no function");
  expect(add(2, 40)).toBe(42);
});
