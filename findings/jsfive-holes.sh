#!/usr/bin/env bash
# jsfive 0.4.2 (npm): frames that were never written are holes in the result, and 12-bit values are not shifted.
#
# jsfive reads HDF5 in plain JavaScript. HDF5 gives the fill value (0 if none was set) for chunks that were never written.
# jsfive gives an Array whose elements there are undefined, whatever fill value the file says; so a sum is NaN, and a
# typed array made of it has 0 or NaN. A dataset that was never written at all is undefined throughout. A virtual
# dataset's value is undefined, without an error. Whole numbers whose type has a bit offset (12 bits that begin at bit 4)
# are 16 times too large.
#
# Expected: the fill value, the shifted numbers, and an error for what is not supported. sacla gives such frames as
# missing, and refuses types of fewer bits by name.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check h5py==3.16.0
npm init -y >/dev/null
npm install --silent --no-audit --no-fund jsfive@0.4.2
cat >write.py <<'PY'
import h5py
import numpy as np

twelve_bits = h5py.h5t.STD_U16LE.copy()
twelve_bits.set_precision(12)
twelve_bits.set_offset(4)
with h5py.File("run.h5", "w") as f:
    frames = f.create_dataset("frames", shape=(3, 2, 2), dtype="u2", chunks=(1, 2, 2), fillvalue=7)
    frames[0] = [[1, 2], [3, 4]]
    f.create_dataset("unwritten", shape=(2,), dtype="i4", fillvalue=-3)
    layout = h5py.VirtualLayout((3, 2, 2), "u2")
    layout[...] = h5py.VirtualSource(".", "frames", (3, 2, 2))
    f.create_virtual_dataset("virtual", layout)
    adc = h5py.h5d.create(f.id, b"adc", twelve_bits, h5py.h5s.create_simple((3,)))
    adc.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([1, 100, 4095], "u2"))
with h5py.File("run.h5") as f:
    for name in ("frames", "unwritten", "virtual", "adc"):
        print("h5py  ", name, f[name][()].ravel().tolist())
PY
venv/bin/python write.py
cat >read.mjs <<'JS'
import { readFileSync } from "node:fs";
import { File } from "jsfive";
const bytes = readFileSync("run.h5");
const file = new File(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), "run.h5");
const values = (name) => {
  const { value } = file.get(name);
  return value === undefined ? undefined : Array.from(value);
};
const [frames, unwritten, virtual, adc] = ["frames", "unwritten", "virtual", "adc"].map(values);
console.log("jsfive frames", frames, "unwritten", unwritten, "virtual", virtual, "adc", adc);
const holes = (list) => list.filter((value) => value === undefined).length;
const asStated =
  frames.slice(0, 4).join() === "1,2,3,4" && holes(frames) === 8 && holes(unwritten) === 2 && virtual === undefined && adc.join() === "16,1600,65520";
console.log(asStated ? "as stated" : "CHANGED");
process.exit(asStated ? 0 : 1);
JS
node read.mjs
