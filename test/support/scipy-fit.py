"""Fits curves with scipy: JSON of {model, x, sets: [{y, errors, start}]} on standard input; parameters and errors back."""

import json
import sys

import numpy as np
from scipy.optimize import curve_fit
from scipy.special import erfcx, ndtr

LN2 = np.log(2)


def gaussian(u):
    return np.exp(-4 * LN2 * u**2)


def lorentzian(u):
    return 1 / (1 + 4 * u**2)


def blurred(x, c, w, t):
    return 0.5 * np.exp(-0.5 * ((x - c) / w) ** 2) * erfcx((w / t - (x - c) / w) / np.sqrt(2))


MODELS = {
    "gaussian": lambda x, c, w, h, b: b + h * gaussian((x - c) / w),
    "gaussian, line": lambda x, c, w, h, b, s: b + s * (x - (x[0] + x[-1]) / 2) + h * gaussian((x - c) / w),
    "lorentzian": lambda x, c, w, h, b: b + h * lorentzian((x - c) / w),
    "pseudo-voigt": lambda x, c, w, m, h, b: b
    + h * (m * lorentzian((x - c) / w) + (1 - m) * gaussian((x - c) / w)),
    "step": lambda x, c, w, h, b: b + h * ndtr((x - c) / w),
    "decay": lambda x, c, w, t, a, b: b + a * blurred(x, c, w, t),
    "decay, offset": lambda x, c, w, t, a, b, o: b + a * blurred(x, c, w, t) + o * ndtr((x - c) / w),
}

task = json.load(sys.stdin)
answers = []
for one in task["sets"]:
    found, covariance = curve_fit(
        MODELS[task["model"]],
        np.array(task["x"]),
        np.array(one["y"]),
        p0=one["start"],
        sigma=np.array(one["errors"]),
        absolute_sigma=True,
        ftol=1e-14,
        xtol=1e-14,
        gtol=1e-14,
        maxfev=5000,
    )
    answers.append({"parameters": found.tolist(), "errors": np.sqrt(np.diag(covariance)).tolist()})
json.dump(answers, sys.stdout)
