#!/usr/bin/env bash
# pyFAI 2026.9.0 (PyPI): with less than a photon a pixel, error_model="poisson" states errors that are many times too large,
# and sigma_clip_ng() gives 0 for the mean.
#
# Single pictures of an X-ray laser hold 0.01 to 1 photons a pixel. `error_model="poisson"` takes the variance of a pixel for
# at least 1, so that the error of a bin is larger than its scatter by 1/sqrt(mean): 7 times at 0.02 photons a pixel.
# `sigma_clip_ng(error_model="azimuthal")` takes each photon for an outlier: a bin of 0.02 photons a pixel has the mean 0.
#
# Expected: an error equal to the scatter of many pictures, and a mean near 0.02. Way round: error_model="azimuthal" without
# clipping (its `sem` is right here), or `variance=` with the mean picture of many shots.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet --disable-pip-version-check pyFAI==2026.9.0 numpy==2.4.6
cd "$folder" && "$folder/v/bin/python" - 2>/dev/null <<'PY'
import sys
import numpy as np
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

ai = AzimuthalIntegrator(dist=0.1, poni1=0.0128, poni2=0.0128, pixel1=1e-4, pixel2=1e-4, wavelength=1e-10)
draw = np.random.default_rng(1)
how = dict(unit="2th_deg", method=("no", "csr", "cython"), correctSolidAngle=False)
inner = slice(5, 40)
seen = {}
for photons in (0.02, 0.3, 3):
    means, poisson, scatter = [], [], []
    for _ in range(25):
        picture = draw.poisson(photons, (256, 256)).astype(np.float32)
        one = ai.integrate1d_ng(picture, 60, error_model="poisson", **how)
        means.append(one.intensity[inner])
        poisson.append(one.sigma[inner])
        scatter.append(ai.integrate1d_ng(picture, 60, error_model="azimuthal", **how).sem[inner])
    clipped = ai.sigma_clip_ng(picture, 60, error_model="azimuthal", **how).intensity[inner].mean()
    true = np.sqrt(np.var(means, axis=0).mean())
    rms = lambda errors: np.sqrt(np.square(errors).mean()) / true
    seen[photons] = rms(poisson), rms(scatter), clipped
    print(f"{photons} photons a pixel: error / scatter: poisson {rms(poisson):.2f}, azimuthal {rms(scatter):.2f}; sigma_clip_ng mean {clipped:.3f}")
weak, strong = seen[0.02], seen[3]
as_stated = weak[0] > 6 and weak[2] == 0 and all(0.9 < s[1] < 1.15 for s in seen.values()) and 0.9 < strong[0] < 1.1
print("as stated" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
