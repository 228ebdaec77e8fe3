/**
 * A grid over a sample that survives one shot: each point on a fresh spot of a target map, which outlives the program.
 * Run: npx tsx node_modules/sacla/examples/grid-raster.ts
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { asImage, connect } from "sacla";
import { defineExperiment } from "sacla/ec";
import { renderImage } from "sacla/plot";
import { controlBeamline, count, Engine, gridPositions, ScanTable, TargetMap } from "sacla/scan";

const experiment = defineExperiment({
  name: "raster",
  bl: 3,
  axes: {
    x: { device: "bl3_st2_pm040", unit: "mm", pulsesPerUnit: 1000, limits: [-5, 5] },
    y: { device: "bl3_st2_pm041", unit: "mm", pulsesPerUnit: 1000, limits: [-5, 5] },
  },
  signals: {
    i0: { id: "xfel_bl_3_tc_bm_1_pd/charge" },
    diode: { id: "xfel_bl_3_st_2_pd_user_3_fitting_peak/voltage" },
  },
  shutters: { xrays: { device: "bl3_shutter1" } },
  settings: { pulses: { device: "bl3_selector1" } },
} as const);

/** So many fresh spots, one pulse each. A crash on the way costs the spot, never a second shot on it. */
const raster = (spots: number) =>
  count({
    times: spots,
    // The photodiode behind the sample tells the shot that hit from those the selector stopped.
    shots: {
      count: 1,
      signals: ["diode", "i0"],
      conditions: [{ signalName: "diode", between: [0.01, 1] }],
      budget: { shots: 20 },
    },
    freshSpots: { map: "chip", shutter: "xrays", selector: "pulses" },
    giveUp: "go-on",
  });

const [columns, rows] = [12, 8];
const corner = { x: -0.33, y: -0.21 };
const places = gridPositions(
  [
    { axis: "y", from: corner.y, to: corner.y + 0.06 * (rows - 1), points: rows },
    { axis: "x", from: corner.x, to: corner.x + 0.06 * (columns - 1), points: columns },
  ],
  true,
);
await mkdir("out", { recursive: true });
await rm("out/chip.map", { force: true }); // The simulated chip is new each time.
TargetMap.create("out/chip.map", places).close();

await using facility = await connect("sim:?clock=virtual");
await using control = await facility.ec.control(3, {
  name: "raster example",
  reason: "fresh spots",
  experiment,
  pollMs: 2,
});
const beamline = controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 2 });

const table = new ScanTable();
for (const part of [40, places.length - 40]) {
  const chip = TargetMap.open("out/chip.map"); // The second part goes on where the first ended, be it next week.
  const { shots: account } = await new Engine(beamline, { maps: { chip }, callbacks: [table] }).run(raster(part));
  console.log(`${part} spots: ${account.used} of ${account.asked} shots used; left out:`, account.dropped);
  console.log("the map:", chip.counts);
  chip.close();
}

const image = new Float32Array(columns * rows).fill(NaN);
for (const { data, taken } of table.rows) {
  const [row, column] = [
    Math.round(((data["y"] ?? 0) - corner.y) / 0.06),
    Math.round(((data["x"] ?? 0) - corner.x) / 0.06),
  ];
  image[row * columns + column] = (taken?.values["diode"]?.[0] ?? NaN) / (1e9 * (taken?.values["i0"]?.[0] ?? NaN));
}
await writeFile(
  "out/raster.png",
  renderImage(asImage(image, rows, columns), { title: "Sample, one shot each", unit: "V/nC" }),
);
console.log("out/raster.png");
