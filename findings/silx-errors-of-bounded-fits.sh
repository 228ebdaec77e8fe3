#!/usr/bin/env bash
# silx 3.1.3 (PyPI): leastsq() states wrong errors for parameters with bounds.
#
# `constraints` may hold a parameter between two values (2, "quoted"); the docs say that the error is then under the key
# `uncertainties` of the full output. That error is multiplied by the cosine of the parameter itself, in its own unit,
# instead of the cosine of the angle that the fit uses for it. The same peak with the same noise so has another error at
# another place of the axis: at 11 (whose cosine is near 0) it is thirty times too small.
#
# Expected: the same error wherever the peak is, equal to the scatter of many fits. Way round: the square root of the diagonal
# of the covariance that leastsq() returns.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check silx==3.1.3 numpy
cat >bounded.py <<'PY'
import numpy as np
from silx.math.fit import leastsq, sum_gauss

noise = np.random.default_rng(1).normal(0, 0.5, (100, 41))
ratios = []
for centre in (1.0, 8.0, 11.0):
    x = centre + np.arange(-10, 10.1, 0.5)
    bounds = [[2, 5, 20], [2, centre - 5, centre + 5], [2, 1, 5]]
    found, quoted, covariance = [], [], []
    for row in noise:
        fit, cov, info = leastsq(
            sum_gauss, x, sum_gauss(x, 10, centre, 3) + row, [8, centre + 0.5, 2.5],
            sigma=np.full(x.shape, 0.5), constraints=bounds, full_output=True,
        )
        found.append(fit[1])
        quoted.append(info["uncertainties"][1])
        covariance.append(cov[1, 1] ** 0.5)
    scatter = np.std(found)
    ratios.append(np.mean(quoted) / scatter)
    print(f"peak at {centre:4.1f}: scatter of the centre {scatter:.4f}, 'uncertainties' {np.mean(quoted):.5f}, covariance {np.mean(covariance):.4f}")
    ratios.append(np.mean(covariance) / scatter)
as_stated = 0.4 < ratios[0] < 0.7 and ratios[2] < 0.3 and ratios[4] < 0.06 and all(0.8 < r < 1.25 for r in ratios[1::2])
print("as stated" if as_stated else "CHANGED")
raise SystemExit(0 if as_stated else 1)
PY
env/bin/python bounded.py
