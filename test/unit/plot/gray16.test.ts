import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { PNG } from "pngjs";
import { describe, expect, it } from "vitest";
import { asImage } from "../../../src/core/ndarray.ts";
import { renderGray16, renderImage } from "../../../src/plot/index.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";
import { temporaryFolder } from "../../support/temporary.ts";

function levels(png: Uint8Array): number[] {
  const { data, depth } = PNG.sync.read(Buffer.from(png), { skipRescale: true }) as unknown as {
    data: Uint16Array;
    depth: number;
  };
  expect(depth).toBe(16);
  return Array.from(data).filter((_, i) => i % 4 === 0);
}

describe("renderGray16", () => {
  it("maps low to 0 and high to 65535, clips outside, and writes NaN as 0", () => {
    const data = Float32Array.from([0, 100, 50, -1, 101, NaN, Infinity, -Infinity]);
    const { png, low, high } = renderGray16(asImage(data, 2, 4), { range: [0, 100] });
    expect([low, high]).toEqual([0, 100]);
    expect(levels(png)).toEqual([0, 65535, 32768, 0, 65535, 0, 65535, 0]);
  });

  it("gives every value back within half a level by the stated formula", () => {
    fc.assert(
      // Sixteenths: values so near to each other that doubles cannot tell their levels apart are no picture.
      fc.property(
        fc.array(
          fc.integer({ min: -1_000_000, max: 1_000_000 }).map((n) => n / 16),
          { minLength: 1, maxLength: 40 },
        ),
        (values) => {
          const { png, low, high } = renderGray16(asImage(Float64Array.from(values), 1, values.length));
          // Whether a zero is −0 says nothing here.
          expect([low + 0, high + 0]).toEqual([Math.min(...values) + 0, Math.max(...values) + 0]);
          levels(png).forEach((p, i) => {
            const value = low + (p / 65535) * (high - low);
            expect(Math.abs(value - (values[i] ?? NaN))).toBeLessThanOrEqual((0.5001 / 65535) * (high - low));
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it("reads a constant image back as the constant", () => {
    const { png, low, high } = renderGray16(asImage(new Float32Array(9).fill(4), 3, 3));
    expect(levels(png).map((p) => low + (p / 65535) * (high - low))).toEqual(Array(9).fill(4));
  });

  it("draws an image without any finite value as black", () => {
    expect(levels(renderGray16(asImage(new Float32Array(4).fill(NaN), 2, 2)).png)).toEqual([0, 0, 0, 0]);
  });

  it("refuses a range that is none and an unknown option", () => {
    const image = asImage(new Float32Array(4), 2, 2);
    expect(() => renderGray16(image, { range: [1, 1] })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => renderGray16(image, { scale: "log" } as object)).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
  });
});

const python = pythonWith("PIL");
const folder = temporaryFolder();

function inPython(script: string, ...args: string[]): unknown {
  return JSON.parse(execFileSync(python ?? "", ["-c", script, ...args], { encoding: "utf8" }));
}

describe("another reader", () => {
  itNeeding(
    python !== undefined,
    "needs Python with PIL",
    "reads the 16-bit picture: size, mode, levels and the text entries",
    () => {
      const path = join(folder, "gray.png");
      const data = Float32Array.from({ length: 12 }, (_, i) => i * 1.5 - 3);
      writeFileSync(path, renderGray16(asImage(data, 3, 4)).png);
      const script = `
import json, sys
from PIL import Image
im = Image.open(sys.argv[1]); im.load()
print(json.dumps([im.size, im.mode, [im.getpixel((c, r)) for r in range(3) for c in range(4)], im.text]))`;
      const [size, mode, pixels, text] = inPython(script, path) as [number[], string, number[], Record<string, string>];
      expect(size).toEqual([4, 3]);
      expect(mode).toMatch(/^I/);
      expect(pixels).toEqual(Array.from({ length: 12 }, (_, i) => Math.round((i / 11) * 65535)));
      expect(text).toEqual({ "sacla:low": "-3", "sacla:high": "13.5" });
    },
  );

  itNeeding(python !== undefined, "needs Python with PIL", "reads the colour-mapped picture", () => {
    const path = join(folder, "colour.png");
    writeFileSync(
      path,
      renderImage(asImage(new Float32Array(360 * 360).fill(1), 360, 360), { range: [1, 2], title: "µ" }),
    );
    const script = `
import json, sys
from PIL import Image
im = Image.open(sys.argv[1]); im.load()
print(json.dumps([im.mode, sum(1 for p in im.getdata() if p == (0x44, 0x01, 0x54))]))`;
    const [mode, lowest] = inPython(script, path) as [string, number];
    expect(mode).toBe("RGB");
    expect(lowest).toBeGreaterThanOrEqual(360 * 360);
  });
});
