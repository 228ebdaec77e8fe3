import ndarray from "ndarray";
import { describe, expect, it } from "vitest";
import { badPixels, usable } from "../../../src/ip/index.ts";
import { areSamePixelsBad } from "../../../src/ip/masks.ts";

const MPCCD = [1024, 512] as const;

/** How many columns from the left and right, rows from the top and bottom, are wholly bad. */
function borders(id: string, shape: readonly [number, number] = MPCCD): number[] {
  const mask = badPixels(id, 2, 1, shape);
  const [rows, columns] = shape;
  const allBad = (at: (k: number) => number, n: number): boolean =>
    Array.from({ length: n }, (_, k) => at(k)).every((v) => v !== 0);
  const count = (n: number, bad: (k: number) => boolean): number => {
    let k = 0;
    while (k < n && bad(k)) k++;
    return k;
  };
  const column = (c: number): boolean => allBad((r) => mask.get(r, c), rows);
  const row = (r: number): boolean => allBad((c) => mask.get(r, c), columns);
  return [
    count(columns, column),
    count(columns, (c) => column(columns - 1 - c)),
    count(rows, row),
    count(rows, (r) => row(rows - 1 - r)),
  ];
}

describe("badPixels", () => {
  // Columns first and last, rows first and last: ostrich's border table.
  it.each([
    ["MPCCD-8B0-2-004-1", [5, 5, 5, 23]],
    ["MPCCD-8B0-2-005-3", [5, 5, 5, 35]],
    ["MPCCD-8B0-2-006-3", [5, 5, 5, 30]],
    ["MPCCD-8B0-2-007-8", [5, 5, 5, 33]],
    ["MPCCD-8B0-2-008-1", [5, 5, 5, 30]],
    ["MPCCD-8B0-2-009-1", [5, 5, 5, 23]],
    ["MPCCD-8B0-2-010-1", [5, 5, 5, 32]],
    ["MPCCD-8N0-3-002-6", [0, 0, 0, 22]],
    ["MPCCD-8-2-001-1", [0, 0, 0, 0]],
    ["MPCCD-2B1-M03-001-1", [0, 0, 0, 0]],
    ["MPCCD-1N0-M06-002", [0, 0, 0, 0]],
  ])("%s has borders %j", (id, expected) => {
    expect(borders(id)).toEqual(expected);
  });

  it.each([
    ["CITIUS-20.2M-1-001", [1, 1, 1, 14]],
    ["CITIUS-2.2M-1-001", [5, 5, 1, 5]],
  ])("%s has borders %j", (id, expected) => {
    expect(borders(id, [728, 384])).toEqual(expected);
  });

  const deadColumns = (id: string, bl: number, run: number): number[] => {
    const mask = badPixels(id, bl, run, MPCCD);
    return Array.from({ length: 512 }, (_, c) => c).filter((c) => (mask.get(500, c) & 2) !== 0);
  };
  const columns = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

  it("knows the damage of MPCCD-8B0-2-003, and its dead ports from BL2 run 73832 on", () => {
    expect(deadColumns("MPCCD-8B0-2-003-2", 2, 73831)).toEqual(columns(501, 511));
    expect(deadColumns("MPCCD-8B0-2-003-3", 2, 73831)).toEqual(columns(0, 12));
    expect(deadColumns("MPCCD-8B0-2-003-6", 2, 73831)).toEqual([]);
    expect(deadColumns("MPCCD-8B0-2-003-2", 2, 73832)).toEqual(columns(448, 511));
    expect(deadColumns("MPCCD-8B0-2-003-3", 2, 73832)).toEqual(columns(0, 63));
    expect(deadColumns("MPCCD-8B0-2-003-6", 2, 73832)).toEqual(columns(0, 63));
    expect(deadColumns("MPCCD-8B0-2-003-7", 2, 73832)).toEqual(columns(448, 511));
    for (const n of [1, 4, 5, 8]) expect(deadColumns(`MPCCD-8B0-2-003-${n}`, 2, 99999)).toEqual([]);
    // Run numbers count per beamline.
    expect(deadColumns("MPCCD-8B0-2-003-7", 3, 99999)).toEqual([]);
  });

  it("tells edges (4) from dead ports (2), and both where both hold", () => {
    const mask = badPixels("MPCCD-8B0-2-003-2", 2, 80000, MPCCD);
    expect([mask.get(500, 250), mask.get(500, 0), mask.get(500, 460), mask.get(1023, 460)]).toEqual([0, 4, 2, 6]);
  });

  it("marks every binned pixel that holds a bad one", () => {
    expect(borders("MPCCD-8B0-2-007-1", [512, 256])).toEqual([3, 3, 3, 17]);
    const dead = badPixels("MPCCD-8B0-2-003-3", 2, 1, [512, 256]);
    expect([dead.get(100, 6) & 2, dead.get(100, 7) & 2]).toEqual([2, 0]);
  });

  it("refuses a whole octal, and a shape its sensors cannot have", () => {
    expect(() => badPixels("MPCCD-8B0-2-008", 2, 1, MPCCD)).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringMatching(/MPCCD-8B0-2-008-1 to/) }),
    );
    expect(() => badPixels("MPCCD-8B0-2-008-1", 2, 1, [512, 1024])).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringMatching(/\[1024, 512\]/) }),
    );
    expect(() => badPixels("MPCCD-8B0-2-008-1", 2, 1, [1000, 500])).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
    expect(() => badPixels("MPCCD-8B0-2-008-1", 2, NaN, MPCCD)).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
    expect(() => badPixels("", 2, 1, MPCCD)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });

  it("has nothing against a camera it does not know, of any size", () => {
    expect(new Set(badPixels("OPAL-234363", 3, 1, [100, 333]).data)).toEqual(new Set([0]));
  });
});

describe("usable", () => {
  it("is 1 where there is no reason", () => {
    const mask = ndarray(Uint8Array.of(0, 1, 2, 4, 0, 16), [2, 3]);
    expect(usable(mask)).toEqual(ndarray(Uint8Array.of(1, 0, 0, 0, 1, 0), [2, 3]));
    expect(usable(mask.transpose(1, 0)).data).toEqual(Uint8Array.of(1, 0, 0, 1, 0, 0));
    expect(() => usable(ndarray(new Uint8Array(3)))).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});

it("tells whether two runs have the same bad pixels", () => {
  for (const [id, bl, run, other] of [
    ["MPCCD-8B0-2-003-2", 2, 73_831, 73_832],
    ["MPCCD-8B0-2-003-2", 2, 73_832, 80_000],
    ["MPCCD-8B0-2-003-2", 3, 1, 80_000],
    ["MPCCD-8B0-2-003-1", 2, 1, 80_000],
  ] as const) {
    const [a, b] = [badPixels(id, bl, run, MPCCD).data, badPixels(id, bl, other, MPCCD).data];
    expect(areSamePixelsBad(id, bl, run, other)).toBe(Buffer.from(a).equals(Buffer.from(b)));
  }
});
