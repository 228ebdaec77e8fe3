#!/usr/bin/env bash
# pyfive 1.3.0 (PyPI) beside h5py 3.16.0: values of ordinary HDF5 files that are other, or absent, without an error.
#
# pyfive reads HDF5 without the HDF5 library. Seen with files that h5py wrote:
# - A virtual dataset has its right shape and type, but reads as None, and no error is raised: images of a run that are
#   joined from several files are silently absent.
# - Whole numbers whose type has a bit offset (12 bits that begin at bit 4, as some ADCs store them) are not shifted:
#   each is 16 times too large.
# - A list of columns beside a row number gives (columns, rows) of a contiguous dataset, and (rows, columns) of the same
#   data in chunks.
# - A chunk that was never written raises KeyError where HDF5 gives the fill value: a run whose last frames are absent
#   cannot be read as a whole.
#
# Expected: the values of h5py, or an error that says what is not supported. sacla reads virtual datasets, gives frames
# that were never written as missing, and refuses types of fewer bits by name.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyfive==1.3.0 h5py==3.16.0
cat >read.py <<'PY'
import h5py
import numpy as np
import pyfive

frames = np.arange(2 * 4 * 6, dtype="u2").reshape(2, 4, 6)
twelve_bits = h5py.h5t.STD_U16LE.copy()
twelve_bits.set_precision(12)
twelve_bits.set_offset(4)
with h5py.File("run.h5", "w") as f:
    f["frames"] = frames
    f.create_dataset("chunked", data=frames, chunks=(1, 4, 6))
    layout = h5py.VirtualLayout((2, 4, 6), "u2")
    layout[...] = h5py.VirtualSource(".", "frames", frames.shape)
    f.create_virtual_dataset("virtual", layout)
    adc = h5py.h5d.create(f.id, b"adc", twelve_bits, h5py.h5s.create_simple((3,)))
    adc.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([1, 100, 4095], "u2"))
    f.create_dataset("late", shape=(3, 4, 6), dtype="u2", chunks=(1, 4, 6))[0] = frames[0]

theirs, ours = h5py.File("run.h5"), pyfive.File("run.h5")
print("adc: h5py", theirs["adc"][()], "pyfive", ours["adc"][()])
virtual = ours["virtual"][()]
print("virtual: h5py", theirs["virtual"][()].shape, "pyfive", virtual, "of shape", ours["virtual"].shape)
shapes = [file[name][1, :, [2, 5]].shape for file in (theirs, ours) for name in ("frames", "chunked")]
print("[1, :, [2, 5]] of contiguous and chunked frames: h5py", shapes[:2], "pyfive", shapes[2:])
try:
    late = str(ours["late"][()].shape)
except KeyError as error:
    late = f"KeyError {error}"
print("frames of which two were never written: h5py", theirs["late"][()].shape, "pyfive", late)
as_stated = (
    ours["adc"][()].tolist() == [16, 1600, 65520]
    and virtual is None
    and shapes == [(4, 2), (4, 2), (2, 4), (4, 2)]
    and late.startswith("KeyError")
)
print("as stated" if as_stated else "CHANGED")
raise SystemExit(not as_stated)
PY
venv/bin/python read.py
