#!/usr/bin/env bash
# tiff 7.1.3 (npm): pixels below zero of a 16-bit picture read as large ones.
#
# The reader does not look at the sample format of whole numbers. A picture of int16, as tifffile and fabio write it for a
# dark-subtracted image, comes out as Uint16Array: -1 is 65535. A float16 picture comes out as the bits of its
# numbers. Both without an error; 32-bit whole numbers are refused. geotiff 3.0.5 reads all of them right.
#
# Expected: an Int16Array, or a refusal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet tifffile==2026.3.3 numpy==2.4.6
"$folder/v/bin/python" - <<'PY'
import numpy, tifffile
for kind in ("i2", "f2", "u2"):
    tifffile.imwrite(f"{kind}.tif", numpy.array([[1, 2], [3, 4]] if kind == "u2" else [[1, -1], [-300, 4]], kind))
PY
npm install --silent --no-audit --no-fund tiff@7.1.3 geotiff@3.0.5
cat >read.mjs <<'JS'
import { readFileSync } from "node:fs";
import { fromArrayBuffer } from "geotiff";
import { decode } from "tiff";
const seen = {};
for (const kind of ["i2", "f2", "u2"]) {
  const bytes = new Uint8Array(readFileSync(`${kind}.tif`));
  const image = await (await fromArrayBuffer(bytes.buffer)).getImage();
  seen[kind] = [Array.from(decode(bytes)[0].data).join(" "), Array.from((await image.readRasters())[0]).join(" ")];
  console.log(kind, "tiff:", seen[kind][0], " geotiff:", seen[kind][1]);
}
const right = "1 -1 -300 4";
const asStated =
  seen.i2[0] === "1 65535 65236 4" && seen.i2[1] === right && seen.f2[0] === "15360 48128 56496 17408" && seen.f2[1] === right && seen.u2[0] === "1 2 3 4";
console.log(asStated ? "as stated" : "CHANGED");
process.exit(asStated ? 0 : 1);
JS
node read.mjs
