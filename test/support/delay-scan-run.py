"""A pump-probe delay scan: python delay-scan-run.py SEED FOLDER [CEILING], written apart from the project.

Writes 1.h5 (DataConvert layout), 1.tma.csv and 1.truth.json: hidden t0, rise, lifetime, amplitude; jitter with a walk,
SASE or monochromatic pulse energies, flags that contradict each other, missing edges, outliers, lost I0 and images.
CEILING: I0 is cut off there, over its mean.
Needs numpy, scipy and h5py.
"""
import json
import os
import sys

import h5py
import numpy as np
from scipy.special import erfcx

seed, folder = int(sys.argv[1]), sys.argv[2]
rng = np.random.default_rng(seed)
run, steps, per_step = 1, int(rng.integers(19, 30)), int(rng.integers(40, 80))
k = 6.671281903963041
t0 = 15000 + rng.uniform(-60, 60)
rise, life = rng.uniform(30, 70), rng.uniform(300, 900)
amplitude = rng.uniform(0.06, 0.15) * rng.choice([-1, 1])
fs_per_px, px0 = rng.uniform(2.3, 2.9), rng.uniform(900, 1100)
modes = 70 if rng.random() < 0.8 else 4
gain, reading = rng.uniform(0.1, 0.4), 0.004
span = rng.uniform(2400, 3000)
positions = np.rint(t0 + (np.linspace(-0.35, 0.65, steps) * span + rng.uniform(-40, 40)) / k).astype(int)
n = steps * per_step
stage = np.repeat(positions, per_step)
tags = 530000000 + 2 * np.arange(n)
walk = np.cumsum(rng.normal(0, 1.5, n))
jitter = rng.normal(0, 100, n) + walk - walk.mean()
tau = k * (stage - t0) + jitter
edges = px0 - jitter / fs_per_px + rng.normal(0, 10 / fs_per_px, n)
i0 = rng.gamma(modes, 1 / modes, n)
planned = np.arange(n) % 3 != 2
what = np.full(n, "ok", dtype=object)
laser = planned.copy()
xray = np.ones(n, dtype=bool)


def spoil(count, name):
    free = np.flatnonzero(what == "ok")
    chosen = rng.choice(free, count, replace=False)
    what[chosen] = name
    return chosen


shutter_open, shutter_closed = np.ones(n, int), np.zeros(n, int)
off = spoil(12, "x-rays off")
xray[off], shutter_open[off], shutter_closed[off] = False, 0, 1
shutter_closed[spoil(6, "shutter flags contradict")] = 1
dropped = spoil(6, "laser dropped, flag says off")
laser[dropped] = False
selector, laser_shutter = laser.astype(int), laser.astype(int)
odd = spoil(6, "flag says laser on and off")
laser_shutter[odd] = 1 - selector[odd]
edges[spoil(15, "no edge")] = np.nan
outlier = spoil(6, "edge is an outlier")
edges[outlier] += rng.choice([-1, 1], len(outlier)) * rng.uniform(350, 500, len(outlier))
lost, bright = spoil(6, "I0 not converged"), spoil(6, "I0 saturated")
missing = spoil(8, "image missing")


def decay(tau, w, life):
    u = (w / life - tau / w) / np.sqrt(2)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(u > -20, 0.5 * np.exp(-0.5 * (tau / w) ** 2) * erfcx(u), np.exp(0.5 * (w / life) ** 2 - tau / life))


def t0_bound():
    """Least error of t0 that these shots allow (Cramér-Rao), the rest fitted too; first order in the noise of the edges."""
    used = np.isin(what, ["ok", "laser dropped, flag says off"])
    variance = 2 * 0.008**2 + (reading**2 + 4e-4**2) / i0**2
    x = (k * (stage - t0) + fs_per_px * (px0 - edges))[used & laser]
    best = np.array([0, np.hypot(rise, 10), life, amplitude, 0])
    curve = lambda p: p[4] + p[3] * decay(x - p[0], p[1], p[2])
    steps = np.array([0.05, 0.05, 0.1, 1e-5, 1e-5])
    slopes = np.array([(curve(best + s) - curve(best - s)) / (2 * s.sum()) for s in np.diag(steps)])
    information = slopes / (variance[used & laser] + (10 * slopes[0]) ** 2) @ slopes.T
    information[4, 4] += (1 / variance[used & ~laser]).sum()
    return np.sqrt(np.linalg.inv(information)[0, 0])


signal = gain * i0 * xray * (1 + amplitude * decay(tau, rise, life) * laser) * (1 + rng.normal(0, 0.008, n)) + rng.normal(0, reading * gain, n)
charge = 5e-9 * i0 * xray * (1 + rng.normal(0, 0.008, n)) + rng.normal(0, 2e-12, n)
if len(sys.argv) > 3:
    charge = np.minimum(charge, 5e-9 * float(sys.argv[3]))
charge[lost], charge[bright] = np.nan, np.inf
with h5py.File(os.path.join(folder, "1.h5"), "w") as f:
    f["file_info/format_type"], f["file_info/version"] = np.bytes_(b"run_data_format"), np.bytes_(b"3.20")
    f["file_info/run_number_list"] = np.array([run])
    g = f.create_group(f"run_{run}")
    g["exp_info/comment"] = np.bytes_(b"delay scan")
    g["run_info/detector_config/detector_2d_list"] = np.array([1], "i4")
    for name, value in dict(electron_energy_in_eV=7.8e9, k_parameter=2.1, photon_energy_in_eV=9000.0, repetition_rate=30.0).items():
        g["run_info/sacla_config/" + name] = value
    for name, value in dict(start_tag_number=tags[0], end_tag_number=tags[-1] + 2, high_tag_number=201402).items():
        g["run_info/" + name] = np.int64(value)
    e = g.create_group("event_info")
    e["tag_number_list"] = tags.astype("i4")
    e["time_stamp"] = 1402503423 + np.arange(n) / 30.0
    e["acc/accelerator_status"] = np.ones(n, "i4")
    b = e.create_group("bl_3")
    for name, value in {
        "eh_1/xfel_pulse_selector_status": xray.astype("i4"),
        "eh_2/laser/delay_line_motor_1": stage.astype("i4"),
        "eh_2/photodiode/photodiode_user_1_in_volt": signal.astype("f4"),
        "lh_1/laser_pulse_selector_status": selector.astype("i4"),
        "lh_1/shutter_1_open_valid_status": laser_shutter.astype("i4"),
        "shutter_1_close_valid_status": shutter_closed.astype("i4"),
        "shutter_1_open_valid_status": shutter_open.astype("i4"),
        "tc/bm_1_pd_charge": charge.astype("f4"),
    }.items():
        b[name] = value
    d = g.create_group("detector_2d_1")
    info = dict(absolute_gain=np.float32(17.8), detector_coordinate_in_micro_meter=np.zeros(3, "f4"))
    info |= dict(detector_name=np.bytes_(b"MPCCD-1N0-M06-002"), detector_type=np.int32(6), exposure_time_in_sec=np.float32(1e-3))
    info |= dict(pixel_size_in_micro_meter=np.full(2, 50, "f4"), manipulator_position_in_micro_meter=np.float32(0))
    for name in ("rotation_angle_in_degree", "stage_direction_in_degree", "stage_shift_weight"):
        info["detector_" + name] = np.float32(0)
    for name, value in info.items():
        d["detector_info/" + name] = value
    for i in np.setdiff1d(np.arange(n), missing):
        t = d.create_group(f"tag_{tags[i]}")
        t["detector_data"], t["detector_status"] = np.full((4, 4), signal[i], "f4"), np.int32(1)
with open(os.path.join(folder, "1.tma.csv"), "w") as f:
    f.write("[TMA 1 BL3 202601]\ntag_number,timing_edge_derivative(pixel),timing_edge_fitting(pixel)\n")
    for tag, px in zip(tags, edges):
        f.write(f"{tag},NaN,NaN\n" if np.isnan(px) else f"{tag},{px + rng.normal(0, 1):.1f},{px:.6f}\n")
counts = {name: int((what == name).sum()) for name in set(what)}
truth = dict(run=run, t0_pulse=t0, fs_per_pulse=k, rise_rms_fs=rise, lifetime_fs=life, amplitude=amplitude)
truth |= dict(fs_per_px=fs_per_px, px0=px0, edge_noise_fs=10, t0_bound_fs=t0_bound(), counts=counts, modes=modes, shots=n)
with open(os.path.join(folder, "1.truth.json"), "w") as f:
    json.dump(truth, f)
