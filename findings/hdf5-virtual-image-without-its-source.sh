#!/usr/bin/env bash
# HDF5 2.0 as in h5py 3.16.0 (PyPI): images of a virtual dataset whose source file is gone read as zeros.
#
# A run is often one virtual dataset over a file for each sensor. When one of these files was not copied, its images read
# as the fill value without an error. Nothing of the dataset tells: its space status says "allocated", the storage size
# is 0 before and after, and numpy sees an image of zeros, as dark as a real one.
#
# Expected: an error, or a way to ask. Only looking for the source files by name tells (`virtual_sources()`).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet h5py==3.16.0 numpy
cd "$folder" && "$folder/v/bin/python" - <<'PY'
import os, sys
import h5py, numpy
with h5py.File("sensor.h5", "w") as file:
    file["images"] = numpy.full((3, 4, 5), 7, "uint16")
layout = h5py.VirtualLayout((3, 4, 5), "uint16")
layout[...] = h5py.VirtualSource("sensor.h5", "images", (3, 4, 5))
with h5py.File("run.h5", "w") as file:
    file.create_virtual_dataset("images", layout)
def look():
    with h5py.File("run.h5") as file:
        images = file["images"]
        allocated = images.id.get_space_status() == h5py.h5d.SPACE_STATUS_ALLOCATED
        return int(images[1].sum()), allocated, images.id.get_storage_size()
before = look()
os.remove("sensor.h5")
after = look()
print(f"h5py {h5py.version.version}, HDF5 {h5py.version.hdf5_version}: (sum of an image, allocated, storage size)")
print("with its source   ", before)
print("without its source", after)
as_stated = before == (140, True, 0) and after == (0, True, 0)
print("as stated: only the pixels differ" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
