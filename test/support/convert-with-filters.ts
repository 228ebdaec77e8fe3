/**
 * Converts two shots of FILE with no compression and with each KIND: convert-with-filters.ts FILE FOLDER KIND …; prints what
 * `validateFile` finds in each.
 */
import { join } from "node:path";
import { connect } from "sacla";
import { convert, validateFile } from "sacla/hdf5";

const [source = "", folder = "", ...kinds] = process.argv.slice(2);
await using facility = await connect(source);
const found: string[] = [];
for (const compression of ["none", ...kinds]) {
  for (const format of ["dataconvert", "nxmx"] as const) {
    const path = join(folder, `${compression}.${format}.h5`);
    await convert(facility, { bl: 2, run: 300001, format, compression, limit: 2, dark: "none" }, path);
    const { findings } = await validateFile(path);
    if (compression !== "none") found.push(`${compression}.${format} ${findings.length}`);
  }
}
console.log(JSON.stringify(found));
