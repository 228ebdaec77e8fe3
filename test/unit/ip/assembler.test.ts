import fc from "fast-check";
import ndarray from "ndarray";
import ops from "ndarray-ops";
import { describe, expect, it } from "vitest";
import type { DetectorInfo } from "../../../src/core/detector.ts";
import type { Image } from "../../../src/core/ndarray.ts";
import { Assembler } from "../../../src/ip/index.ts";
import { rounds } from "../../support/full.ts";
import { sensor } from "./octal.ts";

/** First and last column and row that hold a number. */
function occupied(image: Image): { columns: [number, number]; rows: [number, number] } {
  const [rows = 0, columns = 0] = image.shape;
  const found = { columns: [Infinity, -1] as [number, number], rows: [Infinity, -1] as [number, number] };
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      if (Number.isNaN(image.get(r, c))) continue;
      found.columns = [Math.min(found.columns[0], c), Math.max(found.columns[1], c)];
      found.rows = [Math.min(found.rows[0], r), Math.max(found.rows[1], r)];
    }
  }
  return found;
}

describe("nearest", () => {
  const image = (rows: number, columns: number): Image =>
    ndarray(
      Float32Array.from({ length: rows * columns }, (_, i) => i + 1),
      [rows, columns],
    );
  const options = { view: "source", width: 12, height: 10, gapValue: 0 } as const;

  it("pastes an unturned sensor at its corner, as ndarray-ops does", () => {
    const assembler = new Assembler([sensor("a", { xsize: 4, ysize: 3, posXUm: -100, posYUm: 150 })], options);
    const expected = ndarray(new Float32Array(120), [10, 12]);
    // Beam at column 6, row 5: the corner is 2 columns left of it and 3 rows above.
    ops.assign(expected.lo(2, 4).hi(3, 4), image(3, 4));
    expect(assembler.assemble([image(3, 4)])).toEqual(expected);
  });

  it("turns a sensor at 90°: columns run up, rows run right", () => {
    const assembler = new Assembler([sensor("a", { xsize: 4, ysize: 3, rotationDeg: 90 })], options);
    const expected = ndarray(new Float32Array(120), [10, 12]);
    ops.assign(expected.lo(1, 6).hi(4, 3), image(3, 4).transpose(1, 0).step(-1, 1));
    expect(assembler.assemble([image(3, 4)])).toEqual(expected);
  });

  it("draws −90° and 270° alike, to the bit, with pixel borders on output centres", () => {
    const at = (rotationDeg: number): Image =>
      new Assembler([sensor("a", { xsize: 40, ysize: 50, posXUm: 25, posYUm: -75, rotationDeg })], {
        view: "source",
        width: 150,
        height: 150,
      }).assemble([image(50, 40)]);
    expect(at(-90)).toEqual(at(270));
    // Rows run left from X = 25 µm (column 75.5), columns run down from Y = −75 µm (row 76.5): a centre on the first
    // border is in, on the last out.
    expect(occupied(at(270))).toEqual({ columns: [26, 75], rows: [76, 115] });
  });

  const anySensor = fc.record({
    posXUm: fc.double({ min: -700, max: 700, noNaN: true }),
    posYUm: fc.double({ min: -700, max: 700, noNaN: true }),
    rotationDeg: fc.double({ min: -360, max: 360, noNaN: true }),
    pixelSizeXUm: fc.double({ min: 20, max: 90, noNaN: true }),
    pixelSizeYUm: fc.double({ min: 20, max: 90, noNaN: true }),
    xsize: fc.integer({ min: 1, max: 14 }),
    ysize: fc.integer({ min: 1, max: 14 }),
  });

  it("shows, for any sensors, what a naive search per pixel shows; the detector view is its mirror image", () => {
    fc.assert(
      fc.property(
        fc.array(anySensor, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 5, max: 30 }),
        fc.integer({ min: 5, max: 30 }),
        (fields, width, height) => {
          const sensors = fields.map((f, i) => sensor(`s${i}`, f));
          const images = sensors.map(({ xsize, ysize }, i) =>
            Float32Array.from({ length: xsize * ysize }, (_, k) => 1000 * (i + 1) + k),
          );
          const shape = { width, height, pixelSizeUm: 50, gapValue: -1 };
          const picture = new Assembler(sensors, { view: "source", ...shape }).assemble(images);
          const mirror = new Assembler(sensors, { view: "detector", ...shape }).assemble(images);
          for (let r = 0; r < height; r++) {
            for (let c = 0; c < width; c++) {
              const expected = naive(sensors, images, (c + 0.5 - width / 2) * 50, (height / 2 - r - 0.5) * 50);
              if (expected !== "on a border") expect(picture.get(r, c)).toBe(expected);
              expect(mirror.get(r, width - 1 - c)).toBe(picture.get(r, c));
            }
          }
        },
      ),
      { numRuns: rounds(150) },
    );
  });

  /** Solves the forward map for the place instead of inverting it; the last sensor is on top. */
  function naive(
    sensors: readonly DetectorInfo[],
    images: readonly Float32Array[],
    x: number,
    y: number,
  ): number | "on a border" {
    for (let i = sensors.length - 1; i >= 0; i--) {
      const info = sensors[i];
      const g = info?.geometry;
      if (info === undefined || g === null || g === undefined) continue;
      const a = (g.rotationDeg * Math.PI) / 180;
      const fast = [g.pixelSizeXUm * Math.cos(a), g.pixelSizeXUm * Math.sin(a)] as const;
      const slow = [g.pixelSizeYUm * Math.sin(a), -g.pixelSizeYUm * Math.cos(a)] as const;
      const determinant = fast[0] * slow[1] - fast[1] * slow[0];
      const column = ((x - g.posXUm) * slow[1] - (y - g.posYUm) * slow[0]) / determinant;
      const row = ((y - g.posYUm) * fast[0] - (x - g.posXUm) * fast[1]) / determinant;
      if (Math.min(Math.abs(column - Math.round(column)), Math.abs(row - Math.round(row))) < 1e-9) return "on a border";
      if (row >= 0 && row < info.ysize && column >= 0 && column < info.xsize)
        return images[i]?.[Math.floor(row) * info.xsize + Math.floor(column)] ?? NaN;
    }
    return -1;
  }
});

describe("assemble", () => {
  const pair = [
    sensor("a", { xsize: 4, ysize: 4, posXUm: -200, posYUm: 100, absGain: 10 }),
    sensor("b", { xsize: 4, ysize: 4, posYUm: 100, absGain: 15 }),
  ];
  const twos = new Float32Array(16).fill(2);

  it("takes the smallest square around the beam that holds all sensors", () => {
    const { width, height } = new Assembler(pair, { view: "source" });
    expect([width, height]).toEqual([8, 8]);
    expect(new Assembler(pair, { view: "source", pixelSizeUm: 100 }).width).toBe(4);
  });

  it("brings all sensors to the first one's ADU, unless told not to", () => {
    const { data } = new Assembler(pair, { view: "source" }).assemble([twos, twos]);
    expect(new Set(data)).toEqual(new Set([NaN, 2, 3]));
    expect(new Set(new Assembler(pair, { view: "source", relativeGain: false }).assemble([twos, twos]).data)).toEqual(
      new Set([NaN, 2]),
    );
  });

  it.each(["nearest", "area"] as const)("%s: takes images by id, as f64, u16 and strided views alike", (method) => {
    const values = Float32Array.from({ length: 16 }, (_, i) => i);
    const assembler = new Assembler(pair, { view: "source", method });
    const expected = assembler.assemble([values, values]);
    expect(assembler.assemble({ b: values, a: ndarray(values, [4, 4]) })).toEqual(expected);
    expect(assembler.assemble([Float64Array.from(values), Uint16Array.from(values)])).toEqual(expected);
    const wide = ndarray(new Float64Array(64), [8, 8]);
    const view = wide.lo(3, 2).hi(4, 4);
    ops.assign(view, ndarray(Float64Array.from(values), [4, 4]));
    expect(assembler.assemble([view, values])).toEqual(expected);
    const behind = ndarray(Float32Array.from([9, 9, 9, ...values]), [4, 4], [4, 1], 3);
    expect(assembler.assemble([values, behind])).toEqual(expected);
  });

  it.each(["nearest", "area"] as const)(
    "%s: leaves a gap where a sensor was not read, whatever was painted before",
    (method) => {
      const assembler = new Assembler(pair, { view: "source", method });
      const out = assembler.assemble([twos, twos]);
      const again = assembler.assemble({ b: twos, a: null }, { out });
      expect(again).toBe(out);
      expect(out).toEqual(assembler.assemble([undefined, twos]));
      expect([out.get(3, 2), out.get(3, 5)]).toEqual([NaN, 3]);
      expect(new Set(assembler.assemble([null, null]).data)).toEqual(new Set([NaN]));
    },
  );

  it.each(["nearest", "area"] as const)("%s: a masked pixel is a gap, and what it holds cannot leak", (method) => {
    const mask = new Uint8Array(16).fill(1);
    mask[5] = 0;
    const values = twos.slice();
    values[5] = NaN;
    const assembler = new Assembler(pair, { view: "source", method, gapValue: -1, masks: { a: mask } });
    const out = assembler.assemble([values, twos]);
    expect(out.get(3, 1)).toBe(-1);
    expect(assembler.coverage().get(3, 1)).toBe(0);
    expect([...out.data].filter((v) => v === 2)).toHaveLength(15);
  });

  it("keeps the gap value apart from values by coverage", () => {
    const assembler = new Assembler(pair, { view: "detector", gapValue: 0 });
    const cover = assembler.coverage();
    expect(ops.sum(cover)).toBe(32);
    expect(occupied(new Assembler(pair, { view: "detector" }).assemble([twos, twos]))).toEqual({
      columns: [0, 7],
      rows: [2, 5],
    });
  });

  it.each(["nearest", "area"] as const)("%s: allocates no image when it has one to paint into", (method) => {
    const assembler = new Assembler(pair, { view: "source", method, width: 1000, height: 1000 });
    const out = assembler.assemble([twos, twos]);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 5; i++) assembler.assemble([twos, twos], { out });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6);
  });
});

describe("what Assembler refuses", () => {
  const good = sensor("a", { xsize: 4, ysize: 4 });
  const pixels = new Float32Array(16);
  const view = "source" as const;
  const make = (info: DetectorInfo): Assembler => new Assembler([info], { view });
  const code = (work: () => unknown): unknown => {
    try {
      return work();
    } catch (error) {
      return error instanceof Error && "code" in error ? `${String(error.code)}: ${error.message}` : error;
    }
  };

  it.each([
    ["no sensors", () => new Assembler([], { view }), /^BAD_ARGUMENT.*at least one/],
    ["a sensor twice", () => new Assembler([good, good], { view }), /^BAD_ARGUMENT.*each sensor once/],
    ["NaN position", () => make(sensor("a", { posXUm: NaN })), /^BAD_GEOMETRY.*posXUm of sensor a is NaN/],
    ["infinite angle", () => make(sensor("a", { rotationDeg: Infinity })), /^BAD_GEOMETRY.*rotationDeg/],
    ["pixels of no size", () => make(sensor("a", { pixelSizeYUm: 0 })), /^BAD_GEOMETRY.*pixelSizeYUm.*positive/],
    ["no geometry", () => make({ ...good, geometry: null }), /^BAD_GEOMETRY.*a has no geometry/],
    [
      "open halves",
      () => make(sensor("a", { manipulatorShiftUm: 1500 })),
      /^BAD_GEOMETRY.*open by 1500 µm.*shift weight/,
    ],
    [
      "a sensor on the moon",
      () => make(sensor("a", { posXUm: 4e14 })),
      /^BAD_GEOMETRY.*Sensor a reaches.*give width and height/,
    ],
    ["a fractional size", () => make({ ...good, xsize: 3.5 }), /^BAD_ARGUMENT.*xsize of sensor a is 3.5/],
    [
      "half the gains",
      () => new Assembler([good, sensor("b", { absGain: 3 })], { view }),
      /^BAD_ARGUMENT.*absGain of sensor a is null.*relativeGain: false/,
    ],
    ["a gain of 0", () => make(sensor("a", { absGain: 0 })), /^BAD_ARGUMENT.*absGain of sensor a is 0/],
    [
      "a misspelt option",
      () => new Assembler([good], { view, gap: 0 } as never),
      /^BAD_ARGUMENT.*no option "gap".*gapValue/,
    ],
    ["no view", () => new Assembler([good], {} as never), /^BAD_ARGUMENT.*view is not given.*source, detector/],
    ["a width of 0", () => new Assembler([good], { view, width: 0 }), /^BAD_ARGUMENT.*width is 0/],
    [
      "a mask of reasons",
      () => new Assembler([good], { view, masks: [new Uint8Array(16).fill(4)] }),
      /^BAD_ARGUMENT.*mask of a.*is 4.*usable\(mask\)/,
    ],
    [
      "a mask of another shape",
      () => new Assembler([good], { view, masks: [new Uint8Array(15)] }),
      /^BAD_ARGUMENT.*15 pixels.*4 × 4/,
    ],
    [
      "a mask for nobody",
      () => new Assembler([good], { view, masks: { z: new Uint8Array(16) } }),
      /^BAD_ARGUMENT.*masks is "z".*one of a/,
    ],
    [
      "an id for a list of ids",
      () => new Assembler([good], { view, unplaced: "b" as never }),
      /^BAD_ARGUMENT.*unplaced is "b".*a list of sensor ids/,
    ],
    ["too few images", () => make(good).assemble([]), /^BAD_ARGUMENT.*0 entries.*1 sensors/],
    ["an image for nobody", () => make(good).assemble({ z: pixels }), /^BAD_ARGUMENT.*images is "z"/],
    ["an image of another length", () => make(good).assemble([new Float32Array(17)]), /^BAD_ARGUMENT.*a has 17 pixels/],
    [
      "a transposed image",
      () => make(sensor("a", { xsize: 2, ysize: 8 })).assemble([ndarray(pixels, [2, 8])]),
      /^BAD_ARGUMENT.*shape \[2, 8\].*\[8, 2\]/,
    ],
    ["a stack", () => make(good).assemble([ndarray(pixels, [4, 2, 2])]), /^BAD_ARGUMENT.*must be 2-D/],
    [
      "another kind of number",
      () => make(good).assemble([ndarray(new Int32Array(16), [4, 4])] as never),
      /^BAD_ARGUMENT.*memory of a.*Float32Array/,
    ],
    [
      "out of another shape",
      () => make(good).assemble([pixels], { out: ndarray(new Float32Array(9), [3, 3]) }),
      /^BAD_ARGUMENT.*out has shape \[3, 3\]/,
    ],
    ["a NaN place", () => make(good).toSensor(NaN, 1), /^BAD_ARGUMENT.*column is NaN/],
    ["an unknown sensor", () => make(good).toImage("z", 1, 1), /^BAD_ARGUMENT.*sensor is "z".*one of a/],
    ["sensor number −1", () => make(good).toImage(-1, 1, 1), /^BAD_ARGUMENT.*sensor is -1/],
    [
      "a region outside",
      () => make(good).regionToSensors({ rows: [0, 3], columns: [0, 900] }),
      /^BAD_ARGUMENT.*roi.columns/,
    ],
  ])("%s", (_, work, message) => {
    expect(code(work)).toMatch(message);
  });

  it("does not keep the caller's images after a failure", () => {
    const assembler = new Assembler([good, sensor("b", { xsize: 4, ysize: 4, posXUm: -300 })], { view });
    expect(code(() => assembler.assemble([pixels.fill(1), new Float32Array(3)]))).toMatch(/^BAD_ARGUMENT/);
    expect(new Set(assembler.assemble([null, null]).data)).toEqual(new Set([NaN]));
  });
});
