#!/usr/bin/env bash
# HDF5 2.0.0 as in h5py 3.16.0 (PyPI): external raw data of a file behind a symbolic link are not found, external links
# and virtual sources are.
#
# Users at a beamline link runs into their own folder. The file of a run may refer to others beside it in three ways.
# Opened by the symbolic link, HDF5 looks for the target of an external link and for the source of a virtual dataset
# beside the file that the link leads to. For external raw data it looks in the working directory alone; and with
# HDF5_EXTFILE_PREFIX=${ORIGIN}, which should be the folder of the file, beside the symbolic link.
#
# Expected: one folder for all three. Work-around: open the real path (os.path.realpath); this project's reader looks
# beside the name that was given and beside the real file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet h5py==3.16.0 numpy
cd "$folder" && HDF5_EXTFILE_PREFIX='${ORIGIN}' "$folder/v/bin/python" - <<'PY'
import os, sys
import h5py, numpy
os.mkdir("data")
os.mkdir("mine")
pixels = numpy.full((3, 4, 5), 7, "uint16")
pixels.tofile("data/raw.bin")
with h5py.File("data/sensor.h5", "w") as file:
    file["images"] = pixels
with h5py.File("data/run.h5", "w") as file:
    file["external link"] = h5py.ExternalLink("sensor.h5", "images")
    layout = h5py.VirtualLayout(pixels.shape, "uint16")
    layout[...] = h5py.VirtualSource("sensor.h5", "images", pixels.shape)
    file.create_virtual_dataset("virtual source", layout)
    file.create_dataset("external raw data", pixels.shape, "uint16", external=[("raw.bin", 0, pixels.nbytes)])
os.symlink("../data/run.h5", "mine/run.h5")
def look(path):
    seen = {}
    with h5py.File(path) as file:
        for name in file:
            try:
                seen[name] = int(file[name][1].sum())
            except OSError:
                seen[name] = "not found"
    return seen
real, linked = look("data/run.h5"), look("mine/run.h5")
print(f"h5py {h5py.version.version}, HDF5 {h5py.version.hdf5_version}: sum of an image")
print("real path    ", real)
print("symbolic link", linked)
as_stated = set(real.values()) == {140} and linked == {**real, "external raw data": "not found"}
print("as stated" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
