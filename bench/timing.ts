/**
 * Edges of the timing monitor on one core, against the same steps in numpy: pictures of the simulated camera (256 × 2048,
 * uint16) with an edge, of which 32 lines are used.
 *
 * npm run bench:timing -- [repetitions] [images]
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { asImage } from "../src/core/ndarray.ts";
import { createSimulatedFacility, demoRun } from "../src/facility/index.ts";
import { EdgeFinder } from "../src/timing/index.ts";
import {
  alternate,
  type Contestant,
  columnsOf,
  inTemporaryFolder,
  load,
  machine,
  Program,
  pythonWith,
  rowOf,
  table,
  timed,
} from "./reduce-harness.ts";
import { row } from "./rows.ts";

const [repetitions = 5, wanted = 60] = process.argv.slice(2).map(Number);
const [rows, columns] = [256, 2048];
const roi = { rows: [112, 144], columns: [0, columns] } as const;

const facility = createSimulatedFacility({ missingRate: 0 });
const { hightagnumber } = facility.runInfo(3, demoRun.run);
const shots = [...facility.tags(3, demoRun.run)].slice(0, 60 + wanted).map((tag) => {
  const out = new Uint16Array(rows * columns);
  facility.readFrame(3, demoRun.run, "OPAL-234363", tag, out);
  const { hasXrays } = facility.truth.shot(3, hightagnumber, tag);
  return { image: asImage(out, rows, columns), pixels: out, xrays: hasXrays };
});
const finder = EdgeFinder.learn(shots, { roi });
const lit = shots.filter(({ xrays }) => xrays);

const floats = (text: string): number[] => {
  const bytes = Buffer.from(text, "base64");
  return [...new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))];
};
const { layout, background, weights, darkSide, sigma, root, basis } = finder.toJSON();
const model = {
  ...layout,
  rows: roi.rows,
  columns: roi.columns,
  background: floats(background),
  weights,
  darkSide,
  sigma,
  root: floats(root),
  basis: basis.map(floats),
  pedestal: 0,
};

const ours: Contestant = {
  name: "sacla",
  run: async () =>
    await timed(async () => {
      const found = lit.map(({ image }) => finder.find(image).fittingPx);
      return () => found;
    }),
  close: () => {},
};

await inTemporaryFolder(async (folder) => {
  const [pixelsFile, modelFile] = [join(folder, "images.u16"), join(folder, "model.json")];
  writeFileSync(pixelsFile, Buffer.concat(lit.map(({ pixels }) => Buffer.from(pixels.buffer))));
  writeFileSync(modelFile, JSON.stringify(model));
  const script = fileURLToPath(new URL("timing.py", import.meta.url));
  const args = [script, pixelsFile, String(rows), String(columns), String(lit.length), modelFile];
  const numpy = await Program.start("numpy", pythonWith("numpy, scipy"), args);
  try {
    const times = await alternate(
      [
        { label: "sacla/timing", contestant: ours, work: "find" },
        { label: "numpy", contestant: numpy, work: "find" },
      ],
      repetitions,
    );
    console.log(`${machine()}; load ${load()}; ${lit.length} pictures, ${repetitions} repetitions`);
    console.log(
      table(
        ["all pictures", "ms, median", "least–most", "processor ms"],
        [...times].map(([label, timing]) => [label, ...columnsOf(timing)]),
      ),
    );
    const [a, b] = [times.get("sacla/timing"), times.get("numpy")];
    const off = lit.map((_, i) => Math.abs((a?.check[i] ?? NaN) - (b?.check[i] ?? NaN))).filter(Number.isFinite);
    off.sort((p, q) => p - q);
    console.log(`both find the same edge: ${off[off.length >> 1]?.toFixed(4)} px apart in the middle of ${off.length}`);
    row({ what: "edge of a live picture", unit: "ms", sacla: (a?.median ?? NaN) / lit.length, goal: 50 });
    rowOf(`edges of ${lit.length} pictures`, a, "numpy", b, 0.2);
  } finally {
    numpy.close();
  }
});
