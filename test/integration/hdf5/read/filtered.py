"""Compares images behind filters with those without: filtered.py FOLDER KIND …; prints how many each file has."""

import json
import os
import sys

import h5py
import hdf5plugin  # noqa: F401 (its import lets HDF5 find the filters)

folder, *kinds = sys.argv[1:]
answer = []
for kind in kinds:
    for layout in ["dataconvert", "nxmx"]:
        name = f"{kind}.{layout}"
        with h5py.File(os.path.join(folder, f"none.{layout}.h5")) as plain, h5py.File(os.path.join(folder, f"{name}.h5")) as f:
            images = []
            f.visititems(lambda path, o: images.append(path) if path.endswith(("/detector_data", "data/data")) else None)
            good = [p for p in images if f[p].id.get_create_plist().get_filter(0)[0] > 300 and (plain[p][()] == f[p][()]).all()]
            answer.append(f"{name} {len(good)}")
print(json.dumps(answer))
