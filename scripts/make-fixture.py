"""Writes fixtures/tiny-octal.h5 and fixtures/tiny-octal.truth.json (or into the folder given as argument).

An independent route to the truth: h5py and numpy only, nothing of this project. Same layout as DataConvert 3, with an
octal of the real size whose sensors have 64 x 32 pixels of 800 um instead of 1024 x 512 of 50 um.
"""

import json
import os
import sys

import h5py
import numpy as np

RUN, BEAMLINE, DETECTOR = 300001, 2, "MPCCD-8B0-2-010"
ROWS, COLUMNS, PIXEL_UM = 64, 32, 800.0
START, STEP, DARK, LIGHT = 384559321, 2, 4, 5
START_TIME = 1749524400.0  # 2025-06-10 12:00:00 in Japan
TAGS = [START + STEP * i for i in range(DARK + LIGHT)]
DARK_TAGS, LIGHT_TAGS = TAGS[:DARK], TAGS[DARK:]
MISSING = {3: [LIGHT_TAGS[1]]}  # sensor number: tags without an image

# absolute gain e-/ADU, x um, y um, rotation degrees: the places of a phase I octal as in public files
SENSORS = [
    (16.912, -1755, 51711, -89.9062),
    (18.1126, -1711, 24944, -89.9158),
    (17.373, 817, -1808, -89.98),
    (17.0977, 812, -28466, -89.9293),
    (16.8761, -792, 28544, 89.9631),
    (16.7263, -781, 1840, 89.8808),
    (17.0818, 1650, -24900, 90.0),
    (17.3167, 1655, -51626, 90.0295),
]

# x um, y um, peak ADU: no mirror or rotation maps them onto themselves
SPOTS = [
    (20000, 30000, 900),
    (-33000, 8000, 1100),
    (9000, -40000, 1300),
    (-15000, -21000, 1500),
    (41000, -12000, 1700),
    (-8000, 45000, 1900),
]


def pixel_places(sensor):
    """x and y in um of every pixel's centre: columns run along (cos a, sin a), rows along (sin a, -cos a)."""
    _, x, y, degrees = sensor
    a = np.deg2rad(degrees)
    c = (np.arange(COLUMNS) + 0.5) * PIXEL_UM
    r = ((np.arange(ROWS) + 0.5) * PIXEL_UM)[:, None]
    return x + c * np.cos(a) + r * np.sin(a), y + c * np.sin(a) - r * np.cos(a)


def make_images():
    """Whole-number ADU: pedestal by read-out port, noise, and in the light a ring and the spots."""
    random = np.random.RandomState(20250610)  # the legacy generator gives the same numbers in every numpy
    images = {}
    for number, sensor in enumerate(SENSORS, 1):
        x, y = pixel_places(sensor)
        pedestal = 100 + 5 * number + 3 * (np.arange(COLUMNS) // 4)[None, :] + np.zeros((ROWS, 1))
        light = 40 * np.exp(-(((np.hypot(x, y) - 35000) / 2000) ** 2))
        for sx, sy, peak in SPOTS:
            light = light + peak * np.exp(-((x - sx) ** 2 + (y - sy) ** 2) / (2 * 600.0**2))
        for i, tag in enumerate(TAGS):
            noise = random.normal(0, 4, (ROWS, COLUMNS))
            brightness = 0.0 if tag in DARK_TAGS else 0.8 + 0.1 * (i - DARK)
            images[number, tag] = np.rint(pedestal + noise + brightness * light).astype(np.float32)
    return images


def make_signals():
    random = np.random.RandomState(7)
    light = np.array([tag in LIGHT_TAGS for tag in TAGS])
    charge = np.where(light, random.normal(5e-9, 5e-10, len(TAGS)), random.uniform(1e-12, 2e-11, len(TAGS))).astype(np.float32)
    flawed = charge.copy()
    flawed[DARK + 2] = np.nan  # not converged
    flawed[DARK + 3] = np.inf  # saturated
    laser = (np.arange(len(TAGS)) % 2).astype(np.int32)
    energy = random.normal(10000, 5, len(TAGS)).astype(np.float32)
    return {
        "acc/accelerator_status": np.ones(len(TAGS), np.int32),
        "bl_2/shutter_1_open_valid_status": light.astype(np.int32),
        "bl_2/shutter_1_close_valid_status": (~light).astype(np.int32),
        "bl_2/lh_1/shutter_1_open_valid_status": laser,
        "bl_2/lh_1/shutter_1_close_valid_status": 1 - laser,
        "bl_2/lh_1/laser_pulse_selector_status": laser,
        "bl_2/tc/bm_1_pd_charge": flawed,
        "bl_2/oh_2/bm_1_signal_in_coulomb": charge,
        "bl_2/oh_2/bm_2_signal_in_coulomb": (charge * np.float32(0.5)).astype(np.float32),
        "bl_2/oh_2/photon_energy_in_eV": energy,
        "bl_2/tc/spec_1_energy": (energy / np.float32(1000)).astype(np.float32),
        "bl_2/tc/mono_1_position_theta": np.full(len(TAGS), 123456, np.int32),
        "bl_2/eh_3/laser/delay_line_motor_25": np.array([1000 + 50 * (i // 3) for i in range(len(TAGS))], np.int32),
        "bl_2/eh_3/photodiode/photodiode_user_5_in_volt": (charge * np.float32(8e7)).astype(np.float32),
    }


def write_archive(path, images, signals):
    n = len(TAGS)
    with h5py.File(path, "w", libver="earliest") as file:
        file["file_info/format_type"] = np.bytes_("run_data_format")
        file["file_info/version"] = np.bytes_("3.20")
        file["file_info/run_number_list"] = np.array([RUN], np.int64)
        run = file.create_group(f"run_{RUN}")
        run["exp_info/comment"] = np.array(b"tiny octal, ring and six spots", "S40")
        run["run_info/start_tag_number"] = np.int32(TAGS[0])
        run["run_info/end_tag_number"] = np.int32(TAGS[-1] + STEP)
        run["run_info/detector_config/detector_2d_list"] = np.arange(1, len(SENSORS) + 1, dtype=np.int32)
        config = run.create_group("run_info/sacla_config")
        config["photon_energy_in_eV"] = 10000.0
        config["electron_energy_in_eV"] = 7.8e9
        config["k_parameter"] = 2.1
        config["repetition_rate"] = 60.0 / STEP
        run["event_info/tag_number_list"] = np.array(TAGS, np.int32)
        run["event_info/time_stamp"] = START_TIME + np.arange(n) * STEP / 60.0
        for leaf, values in signals.items():
            run[f"event_info/{leaf}"] = values
        for number, (gain, x, y, degrees) in enumerate(SENSORS, 1):
            detector = run.create_group(f"detector_2d_{number}")
            info = detector.create_group("detector_info")
            info["detector_name"] = np.bytes_(f"{DETECTOR}-{number}")
            info["absolute_gain"] = np.float32(gain)
            info["detector_coordinate_in_micro_meter"] = np.array([x, y, 0], np.float32)
            info["detector_rotation_angle_in_degree"] = np.float32(degrees)
            info["detector_stage_direction_in_degree"] = np.float32(0)
            info["detector_stage_shift_weight"] = np.float32(0)
            info["detector_type"] = np.int32(5)
            info["exposure_time_in_sec"] = np.float32(0.001)
            info["manipulator_position_in_micro_meter"] = np.float32(0)
            info["pixel_size_in_micro_meter"] = np.array([PIXEL_UM, PIXEL_UM], np.float32)
            for tag in TAGS:
                group = detector.create_group(f"tag_{tag}")
                missing = tag in MISSING.get(number, [])
                group["detector_status"] = np.int32(0 if missing else 1)
                group["temperature"] = np.float32(-21.27)
                if missing:
                    continue
                # Odd sensors compressed, even ones contiguous: both storage forms of the real files.
                storage = {"chunks": (ROWS, COLUMNS), "compression": "gzip", "shuffle": True} if number % 2 else {}
                group.create_dataset("detector_data", data=images[number, tag], **storage)


def statistics(frames, dark_mean):
    """Of dark-subtracted frames: mean, population variance, and counts in 601 bins centred on -100 ... 500."""
    stack = np.array(frames, np.float64) - dark_mean
    mean = stack.mean(axis=0)
    counts = np.histogram(stack, bins=np.arange(-100, 502) - 0.5)[0]
    return {
        "frames": len(frames),
        "mean": {"sum": float(mean.sum()), "max": float(mean.max()), "argmax_row_col": [int(i) for i in np.unravel_index(mean.argmax(), mean.shape)]},
        "var_sum": float(stack.var(axis=0).sum()),
        "histogram_m100_500": {"total": int(counts.sum()), "counts": counts.tolist()},
    }


def sensor_truth(number, images, complete):
    gain, x, y, degrees = SENSORS[number - 1]
    missing = MISSING.get(number, [])
    stored = [tag for tag in TAGS if tag not in missing]
    dark_mean = np.mean([images[number, tag].astype(np.float64) for tag in DARK_TAGS], axis=0)
    own = [images[number, tag] for tag in LIGHT_TAGS if tag in stored]
    return {
        "id": f"{DETECTOR}-{number}",
        "absgain": gain,
        "pos_um": [x, y, 0],
        "rotation_deg": degrees,
        "tags": stored,
        "sum_by_tag": {str(tag): float(images[number, tag].astype(np.float64).sum()) for tag in stored},
        "dark_mean": {
            "sum": float(dark_mean.sum()),
            "at": [[r, c, float(dark_mean[r, c])] for r, c in ((0, 0), (ROWS // 2, COLUMNS // 2), (ROWS - 1, COLUMNS - 1))],
        },
        # Over every light frame this sensor has, and over the light shots of which every sensor has a frame.
        "light_minus_dark": statistics(own, dark_mean),
        "complete_light_minus_dark": statistics([images[number, tag] for tag in complete], dark_mean),
    }


def spot_truth():
    """Where each spot is: in um, in the sensor that sees it, and in the assembled source view."""
    size = 150  # 120 mm in pixels of 800 um
    spots = []
    for x, y, _ in SPOTS:
        distances = [np.hypot(*(place - centre for place, centre in zip(pixel_places(sensor), (x, y)))) for sensor in SENSORS]
        nearest = int(np.argmin([d.min() for d in distances]))
        row, column = (int(i) for i in np.unravel_index(distances[nearest].argmin(), (ROWS, COLUMNS)))
        spots.append(
            {
                "um": [x, y],
                "sensor": f"{DETECTOR}-{nearest + 1}",
                "row_col": [row, column],
                "source_view_col_row": [size / 2 + x / PIXEL_UM, size / 2 - y / PIXEL_UM],
            }
        )
    return {"size": size, "centre": size / 2, "spots": spots}


def main(folder):
    images, signals = make_images(), make_signals()
    complete = [tag for tag in LIGHT_TAGS if not any(tag in tags for tags in MISSING.values())]
    dropped = [tag for tag in LIGHT_TAGS if tag not in complete]
    truth = {
        "run": RUN,
        "beamline": BEAMLINE,
        "detector": DETECTOR,
        "tags": TAGS,
        "dark_tags": DARK_TAGS,
        "light_tags": LIGHT_TAGS,
        "complete_light_tags": complete,
        "missing": {f"{DETECTOR}-{number}": tags for number, tags in MISSING.items()},
        "ledger_of_complete_light": {"asked": LIGHT, "used": len(complete), "dropped_tags": dropped},
        "start_time": START_TIME,
        "stop_time": START_TIME + STEP * len(TAGS) / 60.0,
        "image_shape": [ROWS, COLUMNS],
        "pixel_um": PIXEL_UM,
        "photon_energy_kev": 10.0,
        "signals": {leaf: [str(v) if not np.isfinite(v) else float(v) for v in values] for leaf, values in signals.items()},
        "assembled": spot_truth(),
        "sensors": [sensor_truth(number, images, complete) for number in range(1, len(SENSORS) + 1)],
    }
    write_archive(os.path.join(folder, "tiny-octal.h5"), images, signals)
    with open(os.path.join(folder, "tiny-octal.truth.json"), "w") as file:
        json.dump(truth, file)
        file.write("\n")


main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures"))
