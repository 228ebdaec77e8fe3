import fc from "fast-check";
import ndarray from "ndarray";
import { describe, expect, it } from "vitest";
import type { DetectorInfo } from "../../../src/core/detector.ts";
import { AreaResampler } from "../../../src/ip/area.ts";
import { AreaKernel } from "../../../src/ip/area-kernel.ts";
import { resolveAssembly } from "../../../src/ip/assembler-options.ts";
import { Assembler, type PixelArray } from "../../../src/ip/index.ts";
import { suitsKernel } from "../../../src/ip/kernel.ts";
import { NearestResampler } from "../../../src/ip/nearest.ts";
import { NearestKernel } from "../../../src/ip/nearest-kernel.ts";
import type { Placement, View } from "../../../src/ip/placement.ts";
import { RectangleFinder } from "../../../src/ip/rectangles.ts";
import type { Resampler, SensorInput } from "../../../src/ip/resampler.ts";
import { cases, rounds } from "../../support/full.ts";
import { octal, sensor } from "../../unit/ip/octal.ts";

/** Uniform in [0, 1), the same for the same seed. */
function uniform(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const makers = { uint16: Uint16Array, float32: Float32Array, float64: Float64Array };
type Kind = keyof typeof makers;

function randomImage(kind: Kind, length: number, seed: number, offset = 0): PixelArray {
  const next = uniform(seed);
  const image = new makers[kind](offset + length);
  for (let i = 0; i < image.length; i++)
    image[i] = kind === "uint16" ? next() * 65535 : next() < 0.02 ? NaN : (next() - 0.3) * 9999;
  return image;
}

function randomDark(length: number, seed: number): Float32Array {
  const next = uniform(seed);
  return Float32Array.from({ length }, () => next() * 300);
}

/** Single hot pixels, an edge, or neither. */
function randomMask(rows: number, columns: number, kind: "none" | "spots" | "edge", seed: number): Uint8Array | null {
  const next = uniform(seed);
  if (kind === "none") return null;
  return Uint8Array.from({ length: rows * columns }, (_, i) =>
    Number(kind === "spots" ? next() > 0.1 : i % columns > 2 && i > 2 * columns),
  );
}

interface Scene {
  readonly placements: readonly Placement[];
  readonly kernel: Resampler;
  readonly plain: Resampler;
  readonly paints: SensorInput[];
  readonly gap: number;
  readonly width: number;
  readonly height: number;
}

interface SensorCase {
  readonly posXUm: number;
  readonly posYUm: number;
  readonly rotationDeg: number;
  readonly pixelSizeXUm: number;
  readonly pixelSizeYUm: number;
  readonly xsize: number;
  readonly ysize: number;
  readonly mask: "none" | "spots" | "edge";
  readonly kind: Kind;
  readonly offset: number;
  readonly read: boolean;
  readonly dark: boolean;
  readonly gain: number;
}

function sensorsOf(cases: readonly SensorCase[]): DetectorInfo[] {
  return cases.map(({ posXUm, posYUm, rotationDeg, pixelSizeXUm, pixelSizeYUm, xsize, ysize }, i) =>
    sensor(`s${i}`, { posXUm, posYUm, rotationDeg, pixelSizeXUm, pixelSizeYUm, xsize, ysize }),
  );
}

function scene(method: "nearest" | "area", cases: readonly SensorCase[], view: View, gap: number, seed: number): Scene {
  const sensors = sensorsOf(cases);
  const { canvas, placements } = resolveAssembly(sensors, { view, width: 83, height: 70, pixelSizeUm: 50 });
  const uses = cases.map(({ mask, xsize, ysize }, i) => randomMask(ysize, xsize, mask, seed + i));
  const [Kernel, Plain] = method === "nearest" ? [NearestKernel, NearestResampler] : [AreaKernel, AreaResampler];
  const kernel = new Kernel(canvas, placements, uses);
  const plain = new Plain(canvas, placements, uses);
  const paints = cases.map(({ kind, offset, read, dark, gain, xsize, ysize }, i) => {
    const values = randomDark(xsize * ysize, seed + 77 * i);
    kernel.setDark(i, values);
    plain.setDark(i, values);
    return { pixels: read ? randomImage(kind, xsize * ysize, seed + 31 * i, offset) : null, offset, dark, gain };
  });
  return { placements, kernel, plain, paints, gap, width: canvas.width, height: canvas.height };
}

const pixelSize = (near: number): fc.Arbitrary<number> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(50) }, fc.double({ min: 50 - near, max: 50 + near, noNaN: true }));
/** Anywhere, or on or near the borders and centres of output pixels. */
const position = fc.oneof(
  fc.double({ min: -2000, max: 2000, noNaN: true }),
  fc
    .tuple(fc.integer({ min: -80, max: 80 }), fc.constantFrom(0, 0, 1e-10, -1e-10, 1e-5, -1e-4))
    .map(([n, rest]) => n * 25 + rest),
);
const sensorCase = (sizeRange: number): fc.Arbitrary<SensorCase> =>
  fc.record({
    posXUm: position,
    posYUm: position,
    rotationDeg: fc
      .tuple(
        fc.constantFrom(-90, 0, 90, 180),
        fc.oneof(
          fc.constant(0),
          fc.double({ min: -0.3, max: 0.3, noNaN: true }),
          fc.double({ min: -3, max: 3, noNaN: true }),
        ),
      )
      .map(([quarter, rest]) => quarter + rest),
    pixelSizeXUm: sizeRange === 0 ? fc.constant(50) : pixelSize(sizeRange),
    pixelSizeYUm: sizeRange === 0 ? fc.constant(50) : pixelSize(sizeRange),
    xsize: fc.integer({ min: 4, max: 50 }),
    ysize: fc.integer({ min: 4, max: 50 }),
    mask: fc.constantFrom("none", "spots", "edge"),
    kind: fc.constantFrom("uint16", "float32", "float64"),
    offset: fc.constantFrom(0, 3),
    read: fc.boolean().map((missing) => !missing),
    dark: fc.boolean(),
    gain: fc.constantFrom(1, 1.0709),
  });
const views = fc.constantFrom("source" as const, "detector" as const);
const gaps = fc.constantFrom(NaN, -1, 0);

/** Pictures of both painters, from memory full of something else. */
function draw({ kernel, plain, paints, gap, width, height }: Scene): { fast: Float32Array; slow: Float32Array } {
  const fast = new Float32Array(width * height).fill(12345);
  const slow = fast.slice();
  // What an earlier shot left in the kernel's memory must not show either.
  kernel.resample(
    paints.map((paint) => ({
      ...paint,
      pixels: paint.pixels?.map((v) => v + 7) ?? new Float32Array(2500),
      offset: paint.pixels === null ? 0 : paint.offset,
    })),
    999,
    fast,
  );
  kernel.resample(paints, gap, fast);
  plain.resample(paints, gap, slow);
  return { fast, slow };
}

describe("the nearest kernel", () => {
  it("paints what the plain painter paints, to the bit", () => {
    fc.assert(
      fc.property(
        fc.array(sensorCase(30), { minLength: 1, maxLength: 3 }),
        views,
        gaps,
        fc.nat(1e6),
        (cases, view, gap, seed) => {
          const { fast, slow } = draw(scene("nearest", cases, view, gap, seed));
          expect(firstDifference(fast, slow)).toBeNull();
        },
      ),
      { numRuns: rounds(120, 10) },
    );
  });

  it("covers what the plain painter covers", () => {
    fc.assert(
      fc.property(fc.array(sensorCase(30), { minLength: 1, maxLength: 3 }), views, fc.nat(1e6), (cases, view, seed) => {
        const { kernel, plain, width, height } = scene("nearest", cases, view, 0, seed);
        const [fast, slow] = [new Float32Array(width * height), new Float32Array(width * height)];
        kernel.coverage(fast);
        plain.coverage(slow);
        expect(firstDifference(fast, slow)).toBeNull();
      }),
      { numRuns: rounds(40, 5) },
    );
  });
});

/** The first place where two pictures differ in any bit that is a number's. */
function firstDifference(a: Float32Array, b: Float32Array): string | null {
  const at = a.findIndex((value, i) => !Object.is(value, b[i]));
  return at < 0 ? null : `at ${at}: ${a[at]} and ${b[at]}`;
}

/**
 * Sum over the sensors of the largest calibrated value among the pixels under, or next to those under, each output
 * pixel.
 */
function magnitudes(
  { placements, paints, width, height }: Scene,
  assembler: (sensor: number, row: number, column: number) => { row: number; column: number },
): Float64Array {
  const out = new Float64Array(width * height);
  for (const [i, { pixels, offset, gain }] of paints.entries()) {
    const { rows = 0, columns = 0 } = placements[i] ?? {};
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const value = Math.abs(pixels?.[offset + r * columns + c] ?? 0);
        const place = assembler(i, r + 0.5, c + 0.5);
        // A dark of up to 300 is added to every value.
        for (let y = Math.floor(place.row) - 1; y <= place.row + 1; y++) {
          for (let x = Math.floor(place.column) - 1; x <= place.column + 1; x++) {
            if (y >= 0 && y < height && x >= 0 && x < width)
              out[y * width + x] = Math.max(out[y * width + x] ?? 0, ((Number.isNaN(value) ? 0 : value) + 300) * gain);
          }
        }
      }
    }
  }
  // As many sensors may add up.
  return out.map((value) => value * paints.length);
}

describe("the area kernel", () => {
  it("paints what the plain painter paints, within 10⁻⁶ of the largest value under a pixel", () => {
    fc.assert(
      fc.property(
        fc.array(sensorCase(0), { minLength: 1, maxLength: 3 }),
        views,
        gaps,
        fc.nat(1e6),
        (cases, view, gap, seed) => {
          const drawn = scene("area", cases, view, gap, seed);
          const { fast, slow } = draw(drawn);
          const sensors = sensorsOf(cases);
          const places = new Assembler(sensors, { view, width: drawn.width, height: drawn.height, pixelSizeUm: 50 });
          const largest = magnitudes(drawn, (i, row, column) => places.toImage(i, row, column));
          const wrong = fast.findIndex((value, i) => {
            const expected = slow[i] ?? 0;
            return (
              Number.isNaN(value) !== Number.isNaN(expected) || Math.abs(value - expected) > 1e-6 * (largest[i] ?? 0)
            );
          });
          expect(
            wrong < 0 ? null : `at ${wrong}: ${fast[wrong]} and ${slow[wrong]}, values up to ${largest[wrong]}`,
          ).toBeNull();
        },
      ),
      { numRuns: rounds(120, 10) },
    );
  });

  it("covers what the plain painter covers, and leaves the picture alone", () => {
    fc.assert(
      fc.property(fc.array(sensorCase(0), { minLength: 1, maxLength: 3 }), views, fc.nat(1e6), (cases, view, seed) => {
        const { kernel, plain, paints, width, height } = scene("area", cases, view, 0, seed);
        const [fast, slow, picture] = [
          new Float32Array(width * height),
          new Float32Array(width * height),
          new Float32Array(width * height),
        ];
        kernel.resample(paints, 0, picture);
        kernel.coverage(fast);
        plain.coverage(slow);
        const wrong = fast.findIndex(
          (value, i) => Math.abs(value - (slow[i] ?? 0)) > 1e-6 || (value === 0) !== (slow[i] === 0),
        );
        expect(wrong < 0 ? null : `at ${wrong}: ${fast[wrong]} and ${slow[wrong]}`).toBeNull();
        if (kernel instanceof AreaKernel) expect(firstDifference(kernel.memory.output, picture)).toBeNull();
      }),
      { numRuns: rounds(40, 5) },
    );
  });
});

describe("the real octal through the kernels", () => {
  const length = 512 * 1024;
  const masks = octal.map((_, i) => randomMask(1024, 512, i % 2 === 0 ? "edge" : "spots", i));
  const darks = octal.map((_, i) => randomDark(length, i));
  const images = octal.map((_, i) => Uint16Array.from(randomDark(length, i + 50), (v) => v * 20));

  it.each(cases(["nearest", "area"] as const, 0))("%s: agrees with the plain painter", (method) => {
    // The plain area painter takes a second to make; the random geometries have both views.
    for (const view of method === "nearest" ? (["source", "detector"] as const) : (["detector"] as const)) {
      const { canvas, placements, gains } = resolveAssembly(octal, { view, method });
      const [Kernel, Plain] = method === "nearest" ? [NearestKernel, NearestResampler] : [AreaKernel, AreaResampler];
      const [fast, slow] = [new Kernel(canvas, placements, masks), new Plain(canvas, placements, masks)];
      for (const [i, dark] of darks.entries()) for (const painter of [fast, slow]) painter.setDark(i, dark);
      const paints = images.map((pixels, i) => ({
        pixels: i === 5 ? null : pixels,
        offset: 0,
        dark: i !== 2,
        gain: gains[i] ?? 1,
      }));
      const [a, b] = [new Float32Array(2399 * 2399), new Float32Array(2399 * 2399)];
      fast.resample(paints, NaN, a);
      slow.resample(paints, NaN, b);
      if (method === "nearest") expect(firstDifference(a, b)).toBeNull();
      else {
        const wrong = a.findIndex(
          (value, i) =>
            Number.isNaN(value) !== Number.isNaN(b[i] ?? 0) || Math.abs(value - (b[i] ?? 0)) > 6000 * 1.1e-6,
        );
        expect(wrong < 0 ? null : `at ${wrong}: ${a[wrong]} and ${b[wrong]}`).toBeNull();
      }
    }
  });

  const mapBytes: readonly [method: "nearest" | "area", bytes: number][] = [
    ["nearest", 0.2e6],
    ["area", 3e6],
  ];
  it.each(cases(mapBytes, 0))("%s: takes few and long pieces, which is what makes it fast", (method, bytes) => {
    expect(new Assembler(octal, { view: "source", method }).mapBytes).toBeLessThan(bytes);
  });

  it.each(cases(["nearest", "area"] as const, 0))(
    "%s: paints the same from and to any memory, and reads inputs where they are",
    (method) => {
      const assembler = new Assembler(octal, { view: "source", method, masks });
      const expected = assembler.assemble(images, { dark: darks });
      const inputs = assembler.inputs("uint16");
      for (const [i, input] of inputs.entries()) input.set(images[i] ?? []);
      const painted = assembler.assemble(inputs, { dark: darks, out: assembler.output });
      expect(painted).toBe(assembler.output);
      expect(Buffer.from(expected.data.buffer).equals(Buffer.from(painted.data.slice().buffer))).toBe(true);
      expect(inputs[3]).toEqual(images[3]);
      // By id, from float64 darks in arrays and float32 images behind others, into an own picture.
      const behind = images.map((image) =>
        ndarray(Float32Array.from([...[9, 9, 9], ...image]), [1024, 512], [512, 1], 3),
      );
      const doubles = Object.fromEntries(
        octal.map(({ id }, i) => [id, ndarray(Float64Array.from(darks[i] ?? []), [1024, 512])]),
      );
      const own = ndarray(new Float32Array(2399 * 2399), [2399, 2399]);
      assembler.assemble(behind, { dark: doubles, out: own });
      expect(Buffer.from(expected.data.buffer).equals(Buffer.from(own.data.buffer))).toBe(true);
    },
  );

  it("reads inputs of another sensor where they are, beside images from elsewhere", () => {
    const assembler = new Assembler(octal, { view: "source", relativeGain: false });
    const inputs = assembler.inputs("float32");
    inputs[0]?.fill(1);
    const elsewhere = new Uint16Array(length).fill(2);
    // The same memory once more, as a place further on in a view that begins earlier.
    const both = new Float32Array(inputs[0]?.buffer ?? new ArrayBuffer(0), inputs[0]?.byteOffset, 2 * length);
    inputs[1]?.fill(3);
    const { data } = assembler.assemble([
      elsewhere,
      inputs[0],
      ndarray(both, [1024, 512], [512, 1], length),
      null,
      null,
      null,
      null,
      null,
    ]);
    const at = (i: number): number | undefined => {
      const { row, column } = assembler.toImage(i, 500, 250);
      return data[Math.floor(row) * 2399 + Math.floor(column)];
    };
    expect([at(0), at(1), at(2), at(3)]).toEqual([2, 1, 3, NaN]);
  });

  it("allocates nothing per shot but its picture", () => {
    const assembler = new Assembler(octal, { view: "source" });
    assembler.assemble(images, { dark: darks, out: assembler.output });
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 5; i++) assembler.assemble(images, { dark: darks, out: assembler.output });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e5);
  });
});

describe("the dark", () => {
  const info = sensor("a", { xsize: 4, ysize: 4, posXUm: -100, posYUm: 100, absGain: 10 });
  const other = sensor("b", { xsize: 4, ysize: 4, posXUm: 1000, absGain: 15 });
  const image = Uint16Array.from({ length: 16 }, (_, i) => 100 + i);
  const dark = (offset: number): Float64Array => Float64Array.from({ length: 16 }, (_, i) => offset + i / 4);
  const options = { view: "source", width: 60, height: 4 } as const;

  it.each(["nearest", "area"] as const)("%s: is subtracted before the gain", (method) => {
    const assembler = new Assembler([info, other], { ...options, method });
    const { data } = assembler.assemble([image, image], { dark: { a: dark(20), b: ndarray(dark(10), [4, 4]) } });
    expect([...data.slice(28, 32)]).toEqual([80, 80.75, 81.5, 82.25]);
    // Its upper left corner is 20 columns right of the beam and in the middle row.
    expect([...data.slice(120 + 50, 120 + 54)]).toEqual([90, 90.75, 91.5, 92.25].map((v) => v * 1.5));
  });

  it.each(["nearest", "area"] as const)("%s: is remembered as the object it is, and only used when given", (method) => {
    const assembler = new Assembler([info], { ...options, method });
    const first = (given?: Float64Array): number | undefined =>
      assembler.assemble([image], given === undefined ? {} : { dark: [given] }).data[28];
    const twenty = dark(20);
    expect([first(), first(twenty), first(), first(dark(30)), first(twenty)]).toEqual([100, 80, 100, 70, 80]);
  });

  const code = (work: () => unknown): string => {
    try {
      work();
    } catch (error) {
      return error instanceof Error && "code" in error ? `${String(error.code)}: ${error.message}` : String(error);
    }
    return "no error";
  };

  it("must be there for each sensor that was read, and fit", () => {
    const assembler = new Assembler([info, other], options);
    const assemble = (given: object): string =>
      code(() => assembler.assemble([image, image], { dark: given as never }));
    expect(assemble([dark(1), null])).toMatch(/^NO_DARK.*no dark for b/);
    expect(code(() => assembler.assemble([image, null], { dark: [dark(1), null] }))).toBe("no error");
    expect(assemble([dark(1)])).toMatch(/^BAD_ARGUMENT.*dark is "1 entries".*2 sensors/);
    expect(assemble({ z: dark(1) })).toMatch(/^BAD_ARGUMENT.*sensor in dark is "z"/);
    expect(assemble([dark(1), new Float32Array(15)])).toMatch(/^BAD_ARGUMENT.*dark of b has 15 pixels/);
    expect(assemble([dark(1), ndarray(dark(1), [2, 8])])).toMatch(/^BAD_ARGUMENT.*dark of b has shape \[2, 8\]/);
    expect(assemble([dark(1), ndarray(new Uint16Array(16), [4, 4])])).toMatch(
      /^BAD_ARGUMENT.*memory of the dark of b.*Float32Array/,
    );
  });
});

describe("which painter paints", () => {
  const suits = (info: DetectorInfo, tolerance: number): boolean => {
    const { canvas, placements } = resolveAssembly([info], {
      view: "source",
      width: 2000,
      height: 2000,
      pixelSizeUm: 50,
    });
    return suitsKernel(canvas, placements, tolerance);
  };

  it.each([
    ["90°", {}, true, true],
    ["2.9° off", { rotationDeg: -92.9 }, true, true],
    ["3.1° off", { rotationDeg: -93.1 }, false, false],
    ["45°", { rotationDeg: 45 }, false, false],
    ["pixels 0.5 % larger", { pixelSizeXUm: 50.25 }, true, false],
    ["pixels of twice the size", { pixelSizeYUm: 100 }, false, false],
    ["few pixels", { xsize: 100, ysize: 100 }, false, false],
    ["a line", { xsize: 3, ysize: 100_000 }, false, false],
  ])("%s", (_, fields, nearest, area) => {
    const info = sensor("a", { rotationDeg: 90, ...fields });
    expect([suits(info, 0.01), suits(info, 0)]).toEqual([nearest, area]);
  });

  it.each(["nearest", "area"] as const)("%s: has inputs and an output also where the plain one paints", (method) => {
    const assembler = new Assembler([sensor("a", { xsize: 4, ysize: 4, posXUm: -100, posYUm: 100 })], {
      view: "source",
      method,
    });
    const [input] = assembler.inputs("uint16");
    input?.fill(3);
    expect(assembler.inputs("uint16")[0]?.[5]).toBe(3);
    expect(assembler.assemble(assembler.inputs("uint16"), { out: assembler.output })).toBe(assembler.output);
    expect(assembler.output.get(1, 1)).toBe(3);
    expect(() => assembler.inputs("int8" as never)).toThrow(/type is "int8".*uint16, float32/);
  });
});

describe("RectangleFinder", () => {
  const places = fc.record({
    width: fc.integer({ min: 1, max: 40 }),
    rows: fc.integer({ min: 1, max: 40 }),
    perColumn: fc.constantFrom(1, -1, 50, -50),
    shift: fc.double({ min: 0, max: 0.2, noNaN: true }),
    seed: fc.nat(1000),
  });

  it("covers only what follows at constant steps, of one map after the other", () => {
    const finder = new RectangleFinder(1600);
    fc.assert(
      fc.property(places, ({ width, rows, perColumn, shift, seed }) => {
        const perRow = Math.abs(perColumn) === 1 ? 50 : 1;
        const next = uniform(seed);
        const from = Int32Array.from({ length: width * rows }, (_, i) => {
          const [r, c] = [Math.floor(i / width), i % width];
          return next() < 0.003
            ? -1
            : 5000 + (c + Math.floor(r * shift)) * perColumn + (r + Math.floor(c * shift)) * perRow;
        });
        const { found, done } = finder.find(from, width, { perColumn, perRow });
        const seen = new Uint8Array(from.length);
        for (const { row, column, rows: high, columns } of found) {
          expect(Math.min(high, columns)).toBeGreaterThanOrEqual(4);
          for (let r = row; r < row + high; r++) {
            for (let c = column; c < column + columns; c++) {
              seen[r * width + c] = 1;
              const step = (from[r * width + c] ?? -1) - (from[row * width + column] ?? -1);
              if (step !== (r - row) * perRow + (c - column) * perColumn || (from[r * width + c] ?? -1) < 0)
                throw new Error(`not regular at ${r}, ${c}`);
            }
          }
        }
        expect(done).toEqual(seen);
      }),
    );
  });

  it("takes nearly all of a sensor turned by a hair in a few pieces", () => {
    const [rows, width] = [300, 400];
    const from = Int32Array.from({ length: rows * width }, (_, i) => {
      const [r, c] = [Math.floor(i / width), i % width];
      return 10_000 + Math.floor(c + r * 0.002) + 1000 * Math.floor(r - c * 0.002);
    });
    const { found, done } = new RectangleFinder(from.length).find(from, width, { perColumn: 1, perRow: 1000 });
    expect(found.length).toBeLessThan(8);
    expect(done.reduce((sum, v) => sum + v, 0) / done.length).toBeGreaterThan(0.98);
  });
});
