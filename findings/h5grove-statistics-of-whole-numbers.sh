#!/usr/bin/env bash
# h5grove 4.0.0 (PyPI), the server of H5Web in JupyterLab and elsewhere: mean and std of whole numbers are cut to whole numbers.
#
# Its `/stats/` answer casts each statistic to the type of the data. An image of photon counts with 0.3 photons a pixel has
# the mean 0 and the std 0; a mask of which most is true has the mean 0. float16 data get the std inf
# when a sum of squares passes 65504, and of complex data the imaginary part is left out.
#
# Expected: numbers in float64, as numpy's mean and std. Way round: compute them from the data (`/data/`).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet --disable-pip-version-check h5grove==4.0.0 h5py==3.16.0 numpy==2.4.6
cd "$folder" && "$folder/v/bin/python" - 2>/dev/null <<'PY'
import sys
import h5py
import numpy as np
from h5grove.content import create_content

draw = np.random.default_rng(1)
photons = draw.poisson(0.3, (512, 1024)).astype(np.uint16)
with h5py.File("run.h5", "w") as file:
    file["photons"] = photons
    file["photons_float32"] = photons.astype(np.float32)
    file["mask"] = draw.random((512, 1024)) < 0.9
    file["level_float16"] = np.full(1000, 1e4, np.float16)
seen = {}
with h5py.File("run.h5") as file:
    for name, data in file.items():
        stats = create_content(file, "/" + name).data_stats()
        seen[name] = stats["mean"], stats["std"]
        values = data[()].astype(float)
        print(f"{name}: mean {stats['mean']}, std {stats['std']}; numpy {values.mean():.3f}, {values.std():.3f}")
as_stated = (
    seen["photons"] == (0, 0)
    and seen["mask"] == (0, 0)
    and abs(seen["photons_float32"][0] - 0.3) < 0.01
    and np.isinf(seen["level_float16"][1])
)
print("as stated" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
