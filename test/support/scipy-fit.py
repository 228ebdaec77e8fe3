"""Fits curves with scipy: JSON of {model, x, y, errors, start} on standard input, parameters and errors as JSON."""

import json
import sys

import numpy as np
from scipy.optimize import curve_fit
from scipy.special import erfcx, ndtr

LN2 = np.log(2)
MODELS = {
    "gaussian": lambda x, c, w, h, b: b + h * np.exp(-4 * LN2 * ((x - c) / w) ** 2),
    "lorentzian": lambda x, c, w, h, b: b + h / (1 + 4 * ((x - c) / w) ** 2),
    "step": lambda x, c, w, h, b: b + h * ndtr((x - c) / w),
    "decay": lambda x, c, w, t, a, b: b
    + a * 0.5 * np.exp(-0.5 * ((x - c) / w) ** 2) * erfcx((w / t - (x - c) / w) / np.sqrt(2)),
}

task = json.load(sys.stdin)
found, covariance = curve_fit(
    MODELS[task["model"]],
    np.array(task["x"]),
    np.array(task["y"]),
    p0=task["start"],
    sigma=np.array(task["errors"]),
    absolute_sigma=True,
    ftol=1e-14,
    xtol=1e-14,
    gtol=1e-14,
)
json.dump({"parameters": found.tolist(), "errors": np.sqrt(np.diag(covariance)).tolist()}, sys.stdout)
