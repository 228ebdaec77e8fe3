// The beam monitor of a run, shot by shot, as a plot.
// Run: npx tsx node_modules/sacla/examples/bm1-plot.ts
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "sacla";
import { linePlot } from "sacla/plot";

await using facility = await connect();
const { db } = facility;

const equipId = "xfel_bl_3_tc_bm_1_pd/charge"; // BM1, shown in the SACLA Operation Status
const run = 651251;
const tags = await db.readTaglistByrun(3, run);
const hightag = await db.readHightagnumber(3, run);
const bm1 = await db.readSyncdatalistFloat(equipId, hightag, tags);

await mkdir("out", { recursive: true });
await writeFile(
  "out/bm1.svg",
  linePlot([{ x: tags, y: bm1, style: "points" }], { title: `Run ${run}`, xLabel: "tag", yLabel: "BM1 (C)" }),
);
const good = bm1.filter(Number.isFinite);
console.log(`${good.length} of ${tags.length} shots have a value; plot in out/bm1.svg`);
