import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import {
  type LinePlotOptions,
  linePlot,
  type PlotSeries,
  renderLinePlot,
  renderLinePlots,
} from "../../../src/plot/index.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";
import { decode, type Picture, places } from "./picture.ts";

const BLUE = "#0066aa";
const ORANGE = "#d1540a";
const GREEN = "#00805f";
const FRAME = "#5c636e";

function draw(series: readonly PlotSeries[], options: LinePlotOptions = {}): Picture {
  return decode(renderLinePlot(series, options));
}

/** First and last pixel inside the frame, along x and y: from the frame's own ink, the longest lines of its colour. */
function insideOf(picture: Picture): { left: number; right: number; top: number; bottom: number } {
  const ink = places(picture, FRAME);
  const full = (at: 0 | 1, most: number): number[] => {
    const counts = new Map<number, number>();
    for (const place of ink) counts.set(place[at], (counts.get(place[at]) ?? 0) + 1);
    return [...counts].filter(([, n]) => n > most).map(([position]) => position);
  };
  const [columns, rows] = [full(0, picture.height / 2), full(1, picture.width / 2)];
  return {
    left: Math.min(...columns) + 1,
    right: Math.max(...columns) - 1,
    top: Math.min(...rows) + 1,
    bottom: Math.max(...rows) - 1,
  };
}

/** The pixel where a value must lie when the axis runs from `low` to `high` with this room at both ends. */
function expected(value: number, low: number, high: number, room: number, first: number, last: number): number {
  const span = (high - low) * (1 + 2 * room);
  return first + ((value - low + room * (high - low)) / span) * (last - first + 1);
}

describe("renderLinePlot", () => {
  it("has the size asked for, white paper and a frame", () => {
    expect(draw([{ x: [1, 2], y: [1, 2] }])).toMatchObject({ width: 800, height: 500 });
    const picture = draw([{ x: [1, 2], y: [1, 2] }], { width: 640, height: 360, title: "t", xLabel: "x", yLabel: "y" });
    expect(picture).toMatchObject({ width: 640, height: 360 });
    for (const [x, y] of [
      [0, 0],
      [639, 0],
      [0, 359],
      [639, 359],
    ] as const)
      expect(picture.at(x, y)).toBe("#ffffff");
    const { left, right, top, bottom } = insideOf(picture);
    expect(right - left).toBeGreaterThan(500);
    expect(bottom - top).toBeGreaterThan(250);
  });

  it("puts ink on the pixel of each point, and none between points", () => {
    const [x, y] = [
      [0, 1, 2, 3, 4],
      [0, 10, 5, 20, 15],
    ];
    const picture = draw([{ x, y, style: "points", error: x.map(() => NaN) }]);
    const { left, right, top, bottom } = insideOf(picture);
    const found = places(picture, BLUE);
    for (const [i, value] of x.entries()) {
      const px = expected(value, 0, 4, 0.02, left, right);
      const py = bottom + top + 1 - expected(y[i] ?? NaN, 0, 20, 0.06, top, bottom);
      expect(picture.at(Math.floor(px), Math.floor(py))).toBe(BLUE);
      const near = found.filter(([a, b]) => Math.hypot(a + 0.5 - px, b + 0.5 - py) < 8);
      // A dot of 6 pixels has 28 of area; its rim is paler.
      expect(near.length).toBeGreaterThan(12);
      expect(near.length).toBeLessThan(30);
      expect(near.reduce((sum, [a]) => sum + a + 0.5, 0) / near.length).toBeCloseTo(px, 0);
      expect(near.reduce((sum, [, b]) => sum + b + 0.5, 0) / near.length).toBeCloseTo(py, 0);
    }
    expect(found.filter(([, b]) => b > top).length).toBeLessThan(5 * 30);
  });

  it("draws error bars as long as they are, also beyond the points, and none where there is no error", () => {
    const picture = draw([{ x: [0, 1, 2], y: [10, 10, 10], error: [5, NaN, 0], style: "points" }]);
    const { left, right, top, bottom } = insideOf(picture);
    const columnOf = (value: number): number => expected(value, 0, 2, 0.02, left, right);
    const isInk = (x: number, y: number): boolean =>
      picture.at(Math.floor(x), Math.floor(y)) !== "#ffffff" && picture.at(Math.floor(x), Math.floor(y)) !== "#e4e7eb";
    const height = (value: number): number => bottom + top + 1 - expected(value, 5, 15, 0.06, top, bottom);
    for (const value of [5.5, 8, 12, 14.5]) expect(isInk(columnOf(0), height(value))).toBe(true);
    for (const value of [4.7, 15.3]) expect(isInk(columnOf(0), height(value))).toBe(false);
    for (const at of [1, 2]) {
      expect(isInk(columnOf(at), height(10))).toBe(true);
      for (const value of [8, 12]) expect(isInk(columnOf(at) + 0.4, height(value))).toBe(false);
    }
  });

  it("draws an error bar that reaches 0 on a logarithmic axis down to the edge", () => {
    const picture = draw([{ x: [1, 2], y: [1, 1000], error: [3, NaN], style: "points" }], { yScale: "log" });
    const { bottom } = insideOf(picture);
    const bar = places(picture, BLUE).concat(places(picture, FRAME)); // exact colours only where the line covers a pixel
    expect(bar.length).toBeGreaterThan(0);
    const row = Array.from({ length: picture.width }, (_, x) => picture.at(x, bottom - 2));
    expect(row.some((colour) => colour !== "#ffffff" && colour !== "#e4e7eb" && colour !== FRAME)).toBe(true);
  });

  it("breaks a line at NaN", () => {
    const gap = draw([{ x: [0, 1, 2, 3, 4], y: [1, 1, NaN, 1, 1], style: "line" }]);
    const { left, right, top, bottom } = insideOf(gap);
    const middle = Math.floor((top + bottom) / 2);
    const inked = (value: number): boolean => {
      const x = Math.floor(expected(value, 0, 4, 0.02, left, right));
      return [-1, 0, 1, 2].some((step) => parseInt(gap.at(x, middle + step).slice(1, 3), 16) < 128);
    };
    expect([0.5, 3.5].map(inked)).toEqual([true, true]);
    expect([1.5, 2, 2.5].map(inked)).toEqual([false, false, false]);
  });

  it("keeps what lies outside yRange out of frame and margins", () => {
    const picture = draw([{ x: [0, 1, 2], y: [-1e6, 5, 1e6], error: [1, 1e9, 1] }], { yRange: [0, 10] });
    const { left, right, top, bottom } = insideOf(picture);
    const outside = places(picture, BLUE).filter(([x, y]) => x < left || x > right || y < top || y > bottom);
    expect(outside).toEqual([]);
  });

  it.each<[string, readonly number[], readonly number[]]>([
    ["one point", [5], [3]],
    ["equal values", [1, 2, 3], [7, 7, 7]],
    ["zeros", [0, 0, 0], [0, 0, 0]],
    ["huge numbers", [1, 2], [-1e307, 1e307]],
    ["tiny numbers", [1e-300, 2e-300], [1e-300, 3e-300]],
    ["numbers that differ in their last bit", [1, 2], [1, 1 + Number.EPSILON]],
    ["tags", [219412345, 219412347], [1e15, 1e15 + 1]],
  ])("shows %s", (_, x, y) => {
    const picture = draw([{ x, y, error: y.map(() => 0), style: "line-and-points" }], {
      xLabel: "x",
      yLabel: "y",
      title: "t",
    });
    const { left, right, top, bottom } = insideOf(picture);
    const inFrame = places(picture, BLUE).filter(([a, b]) => a >= left && a <= right && b >= top && b <= bottom);
    expect(inFrame.length).toBeGreaterThan(12);
  });

  it.each<[string, PlotSeries[]]>([
    ["no series", []],
    ["no value", [{ x: [1, 2], y: [NaN, Infinity] }]],
    ["only numbers beyond what has a span", [{ x: [1, 2], y: [-Number.MAX_VALUE, Number.MAX_VALUE] }]],
  ])("says that there is no data: %s", (_, series) => {
    const picture = draw(series);
    const { left, right, top, bottom } = insideOf(picture);
    const words = places(picture, FRAME).filter(([x, y]) => x > left && x < right && y > top && y < bottom);
    expect(words.length).toBeGreaterThan(20);
    expect(linePlot(series)).toContain(">no data</text>");
  });

  it("stacks plots with frames in line and a colour for each curve", () => {
    const x = [0, 1, 2];
    const picture = decode(
      renderLinePlots([
        { series: [on(x, 1e-9), on(x, 2e-9)], title: "scan", yLabel: "diode (V)" },
        { series: [on(x, 1)], xLabel: "delay (ps)" },
      ]),
    );
    expect(picture).toMatchObject({ width: 800, height: 600 });
    for (const colour of [BLUE, ORANGE])
      expect(Math.max(...places(picture, colour).map(([, y]) => y))).toBeLessThan(300);
    expect(Math.min(...places(picture, GREEN).map(([, y]) => y))).toBeGreaterThanOrEqual(300);
    const lefts = [150, 450].map((y) => Array.from({ length: 800 }, (_, at) => picture.at(at, y)).indexOf(FRAME));
    expect(lefts[0]).toBeGreaterThan(0);
    expect(lefts[0]).toBe(lefts[1]);
  });

  it("has a legend of named series only", () => {
    const above = (picture: Picture): number => {
      const { top } = insideOf(picture);
      return places(picture, BLUE).filter(([, y]) => y < top - 2).length;
    };
    const series = { x: [0, 1], y: [0, 1] };
    expect(above(draw([series]))).toBe(0);
    expect(above(draw([{ ...series, label: "pumped" }]))).toBeGreaterThan(20);
  });

  it("refuses what linePlot refuses", () => {
    const refused = (call: () => unknown, words: string): void =>
      expect(call).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining(words) }));
    refused(() => renderLinePlot([{ x: [1], y: [1, 2] }]), "that of x: 1");
    refused(() => renderLinePlot([{ x: [1], y: [1], error: [1, 2] }]), "series[0].error");
    refused(() => linePlot([{ x: [1], y: [1], error: [] }]), "series[0].error");
    refused(() => renderLinePlot([], { width: 3 }), "width is 3");
    refused(() => renderLinePlot([], { ylabel: "x" } as object), "ylabel");
    refused(() => renderLinePlots([]), "at least one plot");
  });
});

function on(x: number[], scale: number): PlotSeries {
  return { label: "on", x, y: x.map((value) => value * scale), style: "line-and-points" };
}

describe("linePlot", () => {
  it("draws the same error bars", () => {
    const svg = linePlot([{ x: [0, 1], y: [0, 0], error: [1, 2], style: "line-and-points" }], { yRange: [-4, 4] });
    const bars = [...svg.slice(svg.indexOf("overflow=")).matchAll(/M([\d.]+) ([\d.]+)L\1 ([\d.]+)(?=M)/g)].map(
      ([, , top, bottom]) => Number(bottom) - Number(top),
    );
    const height = Number(/<rect width="[\d.]+" height="([\d.]+)" fill="none"/.exec(svg)?.[1]);
    const [one, two] = bars.filter((length) => length > 0 && length < 0.6 * height);
    expect(one).toBeCloseTo(height / 4, 0);
    expect(two).toBeCloseTo(height / 2, 0);
  });
});

const python = pythonWith("PIL");

itNeeding(python !== undefined, "needs Python with PIL", "another decoder sees the same picture", () => {
  const png = renderLinePlot([{ label: "on", x: [0, 1, 2], y: [0, 2, 1], style: "line" }], { title: "日本 Δθ (±…)" });
  const script = `
import sys, json, io
from PIL import Image
image = Image.open(io.BytesIO(sys.stdin.buffer.read())); image.load()
print(json.dumps([image.size[0], image.size[1], image.mode, sum(p == (0, 102, 170) for p in image.getdata())]))`;
  const seen: unknown = JSON.parse(execFileSync(python ?? "", ["-c", script], { input: png, encoding: "utf8" }));
  expect(seen).toEqual([800, 500, "RGB", places(decode(png), BLUE).length]);
});

describe("renderLinePlots", () => {
  it("has the same colours in plots whose curves have the same names", () => {
    const named = (label: string) => ({ label, x: [0, 1, 2], y: [0, 1, 2], style: "line-and-points" as const });
    const both = { series: [named("pumped"), named("unpumped")] };
    const picture = decode(renderLinePlots([both, { series: [named("pumped − unpumped")] }, both]));
    const third = (colour: string): number[] =>
      places(picture, colour)
        .filter(([, y]) => y > 600)
        .map(([, y]) => y);
    expect(third(ORANGE).length).toBeGreaterThan(20);
    expect(third(GREEN)).toEqual([]);
  });
});
