#!/usr/bin/env bash
# hyparquet-writer 0.17.0 (npm): the type of a column follows the values that happen to be in it.
#
# A column of numbers is written as INT32 when all its values are whole, and as DOUBLE otherwise. The intensity of one run
# (0, 0, 0: no beam) and of the next (0.5, …) then have two types, and a reader that takes a folder of files as one table
# refuses or casts. A whole number above 2^31 is refused though it is an ordinary number.
#
# Expected: DOUBLE for numbers unless told. A work-around is to name the type of every column.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null && npm pkg set type=module
npm install --silent --no-audit --no-fund hyparquet-writer@0.17.0 hyparquet@1.31.5
cat >types.mjs <<'JS'
import { parquetMetadata } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
const type = (data) => {
  try {
    return parquetMetadata(parquetWriteBuffer({ columnData: [{ name: "i0", data }] })).schema[1].type;
  } catch (error) {
    return `refused: ${error.message}`;
  }
};
const seen = [[0, 0, 0], [0, 0.5, 1], [0, 3e9, 1]].map((data) => [data.join(", "), type(data)]);
for (const [data, is] of seen) console.log(data.padEnd(20), is);
const asStated = seen[0][1] === "INT32" && seen[1][1] === "DOUBLE" && seen[2][1].startsWith("refused");
console.log(asStated ? "as stated" : "CHANGED");
process.exit(asStated ? 0 : 1);
JS
node types.mjs
