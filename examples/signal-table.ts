// Several signals aligned by tag, with a reason for each missing value, as a Parquet file for pandas, polars or R.
// Run: npx tsx node_modules/sacla/examples/signal-table.ts
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "sacla";

await using facility = await connect();
const run = await facility.db.run(3, 651251);

const table = await run.table(["xfel_bl_3_tc_bm_1_pd/charge", "xfel_bl_3_tc_spec_1/energy"], await run.exposedTags());

await mkdir("out", { recursive: true });
await writeFile("out/signals.parquet", await table.toParquet());
for (const { equipId, unit, counts } of table.columns) console.log(equipId, unit, counts);
console.log(`${table.length} shots in out/signals.parquet`);
