import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { histogramPlot, linePlot } from "../../../src/plot/index.ts";
import { fitTicks, fraction } from "../../../src/plot/ticks.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";

/** Labels of one side with their place, from the picture alone. */
function ticksOf(svg: string, side: "x" | "y"): { at: number; label: string }[] {
  const group = new RegExp(`<g class="${side}-ticks"[^>]*>(.*?)</g>`).exec(svg)?.[1] ?? "";
  return [...group.matchAll(/<text x="([^"]*)" y="([^"]*)">([^<]*)<\//g)].map(([, x, y, label = ""]) => ({
    at: side === "x" ? Number(x) : Number(y) - 4,
    label,
  }));
}

/** The number a label stands for: `−5×10⁻⁹`, `10³`, `0.2`. */
function numberOf(label: string): number {
  const [, factor = "", exponent] = /^(.*?)(?:×?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?$/.exec(label.replace("−", "-")) ?? [];
  if (exponent === undefined) return Number(label.replace("−", "-"));
  const power = [...exponent].map((c) => (c === "⁻" ? "-" : String("⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(c)))).join("");
  return Number(`${factor === "" ? "1" : factor}e${power}`);
}

/** The `d` of the curves, in order. */
function curvesOf(svg: string): string[] {
  const inner = svg.slice(svg.indexOf("overflow="), svg.lastIndexOf("</svg>"));
  return [...inner.matchAll(/<path d="([^"]*)"/g)].map((match) => match[1] ?? "");
}

function pointsOf(path: string): [number, number][] {
  return [...path.matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
}

describe("linePlot", () => {
  it("draws each value where the ticks say it is", () => {
    const x = [0, 1, 2, 3, 4, 5];
    const y = [0, 20, 40, 60, 80, 100];
    const svg = linePlot([{ x, y, style: "points" }], { xLabel: "delay (ps)", yLabel: "ADU" });
    const points = pointsOf(curvesOf(svg)[0] ?? "");
    expect(points).toHaveLength(6);
    const right = ticksOf(svg, "x");
    const up = ticksOf(svg, "y");
    for (const [i, [px, py]] of points.entries()) {
      expect(right.find(({ label }) => Number(label) === x[i])?.at).toBeCloseTo(px, 0);
      expect(Math.abs((up.find(({ label }) => Number(label) === y[i])?.at ?? NaN) - py)).toBeLessThan(0.3);
    }
  });

  it("draws logarithmic axes: decades evenly apart, values ≤ 0 left out", () => {
    const svg = linePlot([{ x: [1, 10, 100, 1000, -1], y: [1e-9, 1e-7, 0, 1e-3, 1] }], {
      xScale: "log",
      yScale: "log",
    });
    const right = ticksOf(svg, "x");
    expect(right.map(({ label }) => label)).toEqual(["1", "10", "100", "1000"]);
    expect((right[3]?.at ?? 0) - (right[2]?.at ?? 0)).toBeCloseTo((right[1]?.at ?? 0) - (right[0]?.at ?? 0), 0);
    expect(ticksOf(svg, "y").map(({ label }) => label)).toContain("10⁻⁹");
    // The zero breaks the line into two pieces: a line and a lone dot; the negative x is gone.
    expect(curvesOf(svg)[0]?.match(/M/g)).toHaveLength(2);
    expect(pointsOf(curvesOf(svg)[0] ?? "")).toHaveLength(3);
  });

  it("breaks a line at NaN and leaves NaN points out", () => {
    const x = [0, 1, 2, 3, 4];
    const y = [1, 2, NaN, 3, 4];
    expect(curvesOf(linePlot([{ x, y }]))[0]).toMatch(/^M[^M]*L[^M]*M[^M]*L[^M]*$/);
    expect(curvesOf(linePlot([{ x, y, style: "points" }]))[0]?.match(/M/g)).toHaveLength(4);
    expect(curvesOf(linePlot([{ x, y, style: "steps" }]))[0]?.match(/M/g)).toHaveLength(2);
  });

  it("draws steps halfway to the neighbours", () => {
    const svg = linePlot([{ x: [0, 2, 4], y: [0, 10, 5], style: "steps" }]);
    const at = (value: number): number => ticksOf(svg, "x").find(({ label }) => numberOf(label) === value)?.at ?? NaN;
    const xs = pointsOf(curvesOf(svg)[0] ?? "").map(([x]) => x);
    for (const edge of [-1, 1, 3, 5]) expect(xs.some((x) => Math.abs(x - at(edge)) < 0.3)).toBe(true);
  });

  it("writes BM1-sized values and long tags so that they can be read", () => {
    const svg = linePlot([{ x: [219412345, 219422345], y: [4.1e-9, 6.9e-9] }]);
    expect(ticksOf(svg, "y").map(({ label }) => label)).toContain("5.0×10⁻⁹");
    expect(ticksOf(svg, "x").map(({ label }) => label)).toContain("219416000");
  });

  it("leaves room for the whole last label", () => {
    for (let last = 160_697_300; last < 160_697_420; last++) {
      const svg = linePlot([{ x: [160_696_800, last], y: [1, 2] }]);
      const [, left] = /translate\((\d+) /.exec(svg) ?? [];
      const { at, label } = ticksOf(svg, "x").at(-1) ?? { at: NaN, label: "" };
      // Digits of 12 pixels are about 7 wide.
      expect(Number(left) + at + 3.5 * label.length).toBeLessThan(Number(/width="(\d+)"/.exec(svg)?.[1]));
    }
  });

  it("stays small with many points and keeps their extremes", () => {
    const n = 300_000;
    const x = Float64Array.from({ length: n }, (_, i) => i);
    const y = Float64Array.from({ length: n }, (_, i) => (i === 123_457 ? 100 : Math.sin(i * 1.7)));
    const line = linePlot([{ x, y }]);
    expect(line.length).toBeLessThan(60_000);
    const tops = pointsOf(curvesOf(line)[0] ?? "").map(([, py]) => py);
    const up = ticksOf(line, "y").find(({ label }) => label === "100");
    expect(Math.min(...tops)).toBeCloseTo(up?.at ?? NaN, 0);
    expect(linePlot([{ x, y, style: "points" }]).length).toBeLessThan(600_000);
  });

  it("says when there is no data", () => {
    for (const svg of [
      linePlot([]),
      linePlot([{ x: [], y: [] }]),
      linePlot([{ x: [1, 2], y: [NaN, Infinity] }]),
      linePlot([{ x: [1], y: [-1] }], { yScale: "log" }),
    ]) {
      expect(svg).toContain(">no data</text>");
      expect(ticksOf(svg, "x")).toEqual([]);
    }
  });

  it("keeps to yRange", () => {
    const svg = linePlot([{ x: [0, 1], y: [5, 500] }], { yRange: [0, 10] });
    expect(ticksOf(svg, "y").map(({ label }) => Number(label))).toEqual([0, 2, 4, 6, 8, 10]);
  });

  it("names labelled series only", () => {
    const series = { x: [1, 2], y: [1, 2] };
    expect(linePlot([{ ...series, label: "laser on" }, series])).toContain(">laser on</text>");
    expect(linePlot([series])).not.toContain("undefined");
  });

  it("escapes what it is given", () => {
    const svg = linePlot([{ label: "<script>", x: [1], y: [1] }], {
      title: `a"b<c>&\u0000\ud800`,
      xLabel: "<x>",
      yLabel: "'y'",
    });
    expect(svg).not.toMatch(/<script|<x>|<c>/);
    expect(svg).toContain("&lt;c&gt;&amp;\ufffd\ufffd");
  });

  it.each<[string, () => unknown, string]>([
    ["x and y of different length", () => linePlot([{ x: [1], y: [1, 2] }]), "that of x: 1"],
    ["an unknown style", () => linePlot([{ x: [1], y: [1], style: "bars" as "line" }]), "series[0].style"],
    ["an unknown scale", () => linePlot([], { xScale: "sqrt" as "log" }), "xScale"],
    ["a log range from 0", () => linePlot([], { yScale: "log", yRange: [0, 1] }), "0 < low"],
    ["a tiny width", () => linePlot([], { width: 3 }), "width is 3"],
    ["a misspelt option", () => linePlot([], { ylabel: "x" } as object), "ylabel"],
    ["a negative count", () => histogramPlot([1, -1], { from: 0 }), "counts[1] is -1"],
    ["no place of the first bin", () => histogramPlot([1], { from: NaN }), "from is NaN"],
    ["a bin width of 0", () => histogramPlot([1], { from: 0, binWidth: 0 }), "binWidth is 0"],
  ])("refuses %s", (_, call, words) => {
    expect(call).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining(words) }));
  });
});

describe("histogramPlot", () => {
  it("centres bins, on a log scale with single entries above the lower edge", () => {
    const svg = histogramPlot([1, 0, 1000], { from: 10, binWidth: 10 });
    const right = ticksOf(svg, "x");
    const up = ticksOf(svg, "y");
    expect(up.map(({ label }) => label)).toEqual(["1", "10", "100", "1000"]);
    const [first, second] = pointsOf(curvesOf(svg)[0] ?? "");
    expect(first?.[0]).toBe(0); // the left edge of the frame is 5
    const one = up[0]?.at ?? NaN;
    expect(second?.[1]).toBeCloseTo(one, 0);
    expect(one).toBeLessThan(first?.[1] ?? NaN);
    const centre =
      ((right.find(({ label }) => label === "25")?.at ?? NaN) +
        (right.find(({ label }) => label === "35")?.at ?? NaN)) /
      2;
    expect(centre).toBeCloseTo(right.find(({ label }) => label === "30")?.at ?? NaN, 0);
  });

  it("says when every count is 0", () => {
    expect(histogramPlot([0, 0], { from: 0 })).toContain("no data");
    expect(histogramPlot([], { from: 0 })).toContain("no data");
  });

  it("takes typed arrays and a linear scale", () => {
    const svg = histogramPlot(Uint32Array.from([0, 5, 10]), { from: 0, log: false });
    expect(ticksOf(svg, "y").map(({ label }) => Number(label))).toEqual([0, 2, 4, 6, 8, 10]);
  });
});

describe("ticks", () => {
  const finite = fc.double({ min: -1e12, max: 1e12, noNaN: true });
  const span = fc.oneof(fc.double({ min: 1e-9, max: 1e9, noNaN: true }), fc.constantFrom(1e-12, 1, 3, 60, 1e4));

  it("have labels that stand for their values, are all different and do not touch", () => {
    fc.assert(
      fc.property(finite, span, (low, width) => {
        fc.pre(width > 1e-9 * Math.abs(low));
        const axis = { low, high: low + width, log: false };
        const room = (label: string): number => 7 * label.length + 10;
        const { major } = fitTicks(axis, 600, 10, room);
        expect(major.length).toBeGreaterThan(0);
        expect(new Set(major.map(({ label }) => label)).size).toBe(major.length);
        major.forEach(({ value, label }, i) => {
          expect(Math.abs(numberOf(label) - value)).toBeLessThanOrEqual(1e-3 * width);
          const before = major[i - 1];
          if (before === undefined) return;
          const distance = (fraction(axis, value) - fraction(axis, before.value)) * 600;
          expect(distance).toBeGreaterThanOrEqual((room(label) + room(before.label)) / 2);
        });
      }),
      { numRuns: 300 },
    );
  });

  it("are true on log axes from a part of a decade to many decades", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -20, max: 20, noNaN: true }),
        fc.double({ min: 0.01, max: 30, noNaN: true }),
        (exponent, decades) => {
          const low = 10 ** exponent;
          const axis = { low, high: low * 10 ** decades, log: true };
          const { major } = fitTicks(axis, 400, 8, () => 24);
          expect(major.length).toBeGreaterThan(0);
          for (const { value, label } of major) {
            expect(Math.abs(numberOf(label) - value)).toBeLessThanOrEqual(1e-3 * (axis.high - low));
            expect(fraction(axis, value)).toBeGreaterThan(-1e-6);
            expect(fraction(axis, value)).toBeLessThan(1 + 1e-6);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

const python = pythonWith("xml.etree.ElementTree");

itNeeding(python !== undefined, "needs Python", "every plot is well-formed XML", () => {
  const plots = [
    linePlot([{ label: "a<b>&\u0007", x: [1, 2, 3], y: [1, NaN, 3] }], {
      title: `"quoted" & 'more'`,
      xLabel: "µs",
      yLabel: "ΔI",
    }),
    linePlot([]),
    linePlot([{ x: [1, 2, 3], y: [1, 2, 3], style: "steps" }], { yScale: "log" }),
    histogramPlot([1, 2, 3], { from: 0, title: "実験" }),
  ];
  const script = `
import json, sys
import xml.etree.ElementTree as ET
print(json.dumps([ET.fromstring(p).tag for p in json.load(sys.stdin)]))`;
  const tags: unknown = JSON.parse(
    execFileSync(python ?? "", ["-c", script], { input: JSON.stringify(plots), encoding: "utf8" }),
  );
  expect(tags).toEqual(plots.map(() => "{http://www.w3.org/2000/svg}svg"));
});
