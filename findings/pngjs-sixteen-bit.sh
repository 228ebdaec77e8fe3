#!/usr/bin/env bash
# pngjs 7.0.0 (npm): a picture of 16 bits reads as 8 bits, and still says 16.
#
# `PNG.sync.read` scales the samples of a 16-bit picture down to a byte, and leaves `depth` at 16. A detector picture of
# 16 bits then has 256 levels, and nothing tells. With `skipRescale: true` the samples are whole.
#
# Expected: samples of the depth that the object names.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null && npm pkg set type=module
npm install --silent --no-audit --no-fund pngjs@7.0.0
cat >read.mjs <<'JS'
import { PNG } from "pngjs";
const samples = Uint16Array.of(0, 1000, 4095, 65535);
const file = PNG.sync.write(
  { width: 4, height: 1, data: Buffer.from(samples.buffer) },
  { bitDepth: 16, colorType: 0, inputColorType: 0, inputHasAlpha: false },
);
const plain = PNG.sync.read(file);
const whole = PNG.sync.read(file, { skipRescale: true });
const first = (png) => Array.from({ length: 4 }, (_, i) => png.data[4 * i]);
console.log("written:     ", samples.join(" "));
console.log("read:        ", first(plain).join(" "), "depth", plain.depth);
console.log("skipRescale: ", first(whole).join(" "), "depth", whole.depth);
const asStated = plain.depth === 16 && Math.max(...first(plain)) === 255 && first(whole)[2] === 4095;
console.log(asStated ? "as stated" : "CHANGED");
process.exit(asStated ? 0 : 1);
JS
node read.mjs
