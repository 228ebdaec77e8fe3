#!/usr/bin/env bash
# hdf5plugin 7.1.0 (PyPI): filters with a bounded error turn a pixel without a number (NaN) into a number.
#
# Corrected images hold NaN where a pixel is masked. Zfp (accuracy or rate) gives about -256 for it and SZ3 (absolute) about
# -2e7, both without a word, though all other pixels keep the bound. After that no isnan() finds the masked pixel: one of
# them moves the mean of a picture of 64 x 64 pixels of 100 by 0.09 with Zfp and by 5000 with SZ3. With fixed rate its
# neighbours are several times less exact. Zfp(reversible=True) and SZ keep the NaN.
#
# Expected: NaN, or an error when such a chunk is written. Way round: a lossless filter for images with NaN, or the mask in a
# dataset of its own and a number in its place.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet --disable-pip-version-check hdf5plugin==7.1.0 h5py==3.16.0 numpy==2.4.6
cd "$folder" && "$folder/v/bin/python" - <<'PY'
import sys
import h5py
import hdf5plugin
import numpy as np

image = np.random.default_rng(1).normal(100, 3, (64, 64)).astype(np.float32)
image[10, 20] = np.nan
filters = {
    "Zfp(accuracy=0.01)": hdf5plugin.Zfp(accuracy=0.01),
    "Zfp(rate=16)": hdf5plugin.Zfp(rate=16),
    "Zfp(reversible=True)": hdf5plugin.Zfp(reversible=True),
    "SZ3(absolute=0.01)": hdf5plugin.SZ3(absolute=0.01),
}
seen = {}
for name, how in filters.items():
    with h5py.File("image.h5", "w") as file:
        file.create_dataset("image", data=image, chunks=image.shape, **how)
    with h5py.File("image.h5") as file:
        back = file["image"][()]
    seen[name] = float(back[10, 20]), float(np.nanmax(np.abs(back - image)))
    print(f"{name}: the masked pixel is {seen[name][0]}, all others within {seen[name][1]:.4f}, mean {np.nanmean(back):.3f} of {np.nanmean(image):.3f}")
numbers = [seen[name][0] for name in ("Zfp(accuracy=0.01)", "Zfp(rate=16)", "SZ3(absolute=0.01)")]
as_stated = (
    all(np.isfinite(numbers))
    and -257 < numbers[0] < -255
    and numbers[2] < -1e6
    and np.isnan(seen["Zfp(reversible=True)"][0])
    and all(error < 0.011 for _, error in seen.values())
)
print("as stated" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
