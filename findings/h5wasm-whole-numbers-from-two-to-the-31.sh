#!/usr/bin/env bash
# h5wasm 0.10.1 (npm): create_dataset() and create_attribute() write whole numbers from 2^31 on as other numbers.
#
# For a number, or a list of numbers, without `dtype` it takes int32 when all are whole, however large they are:
# 5 000 000 000 becomes 705032704, 3e9 in a list -1294967296, 1e300 becomes 0. Times in nanoseconds or since 1970, tags with
# their high part, and large intensities that happen to be whole are such numbers. One number with a fraction in the list
# makes it float64, and right. No error, and the file reads well.
#
# Expected: float64 or int64, or an error. Way round: a Float64Array or BigInt64Array as `data`, or `dtype: "<d"`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund h5wasm@0.10.1
cat >numbers.mjs <<'JS'
import h5wasm from "h5wasm/node";
await h5wasm.ready;
const file = new h5wasm.File("numbers.h5", "w");
let count = 0;
const written = (data, dtype) => {
  const name = `n${count++}`;
  file.create_dataset({ name, data, ...(dtype === undefined ? {} : { dtype }) });
  file.create_attribute(name, data, undefined, dtype);
  const [inData, inAttribute] = [file.get(name), file.attrs[name]];
  console.log(data, dtype ?? "", "→", inData.dtype, inData.value, "attribute", inAttribute.dtype, inAttribute.value);
  return `${inData.value} ${inAttribute.value}`;
};
const asStated =
  written(2_147_483_647) === "2147483647 2147483647" &&
  written(5_000_000_000) === "705032704 705032704" &&
  written([1, 3e9]) === "1,-1294967296 1,-1294967296" &&
  written(1e300) === "0 0" &&
  written([1.5, 3e9]) === "1.5,3000000000 1.5,3000000000" &&
  written(new Float64Array([5e9]), "<d") === "5000000000 5000000000";
file.close();
console.log(asStated ? "as stated" : "CHANGED");
process.exit(asStated ? 0 : 1);
JS
node numbers.mjs
