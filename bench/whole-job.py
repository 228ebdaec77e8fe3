"""The peer of bench/whole-job.ts: dark, corrected mean, histogram and picture of a run, with h5py, numpy and EXtra-geom.

`whole-job.py place FILE` gives the sensors of an archive of archive.py their places.
`whole-job.py run FILE DARKS PROCESSES` does the job and prints {cpuMs, rss, check}.
"""

import json
import multiprocessing
import resource
import sys

import h5py
import numpy as np

RUN, ROWS, COLUMNS, SENSORS, SIDE = 700001, 1024, 512, 8, 50.0


def corner(k):
    """Upper left corner of a sensor, um: two rows of four sensors, with gaps of 6 pixels."""
    return np.array([(k % 4 - 2) * (COLUMNS + 6) * SIDE, (1 - k // 4) * (ROWS + 6) * SIDE])


def place(path):
    with h5py.File(path, "r+") as file:
        for k in range(SENSORS):
            info = file[f"run_{RUN}/detector_2d_{k + 1}/detector_info"]
            info["detector_coordinate_in_micro_meter"] = np.array([*corner(k), 0.0], np.float32)
            info["detector_rotation_angle_in_degree"] = np.float32(0)
            info["pixel_size_in_micro_meter"] = np.array([SIDE, SIDE], np.float32)
            info["manipulator_position_in_micro_meter"] = np.float32(0)
            info["absolute_gain"] = np.float32(17.8)


def sums_of(path, tags):
    total = np.zeros((SENSORS, ROWS, COLUMNS), np.uint32)
    buffer = np.empty((ROWS, COLUMNS), np.uint16)
    with h5py.File(path, "r") as file:
        for tag in tags:
            for k in range(SENSORS):
                file[f"run_{RUN}/detector_2d_{k + 1}/tag_{tag}/detector_data"].read_direct(buffer)
                np.add(total[k], buffer, out=total[k])
    return total


def taken_in(job):
    """Sums and whole histograms, from -100 to 500 less the dark."""
    path, tags, whole = job
    total = np.zeros((SENSORS, ROWS, COLUMNS), np.uint32)
    buffer = np.empty((ROWS, COLUMNS), np.uint16)
    value = np.empty((ROWS, COLUMNS), np.int32)
    counts = np.zeros((SENSORS, 603), np.int64)
    with h5py.File(path, "r") as file:
        for tag in tags:
            for k in range(SENSORS):
                file[f"run_{RUN}/detector_2d_{k + 1}/tag_{tag}/detector_data"].read_direct(buffer)
                np.add(total[k], buffer, out=total[k])
                np.subtract(buffer, whole[k], out=value, casting="unsafe")
                np.clip(value, -101, 501, out=value)
                value += 101
                counts[k] += np.bincount(value.ravel(), minlength=603)
    return total, counts


def run(path, darks, processes):
    from extra_geom import GenericGeometry

    with h5py.File(path, "r") as file:
        tags = file[f"run_{RUN}/event_info/tag_number_list"][()]
    dark = sums_of(path, tags[:darks]) / darks
    whole = np.ceil(dark - 0.5).astype(np.int32)
    lit = tags[darks:]
    if processes == 1:
        total, counts = taken_in((path, lit, whole))
    else:
        with multiprocessing.Pool(processes) as pool:
            parts = pool.map(taken_in, [(path, part, whole) for part in np.array_split(lit, processes)])
        total, counts = (sum(part) for part in zip(*parts))
    mean = total / len(lit) - dark
    # X points to the left there, as one looks along the beam.
    corners = [np.array([-x, y, 0]) * 1e-6 for x, y in map(corner, range(SENSORS))]
    geometry = GenericGeometry.from_simple_description(
        SIDE * 1e-6, ROWS, COLUMNS, corners, ss_vec=np.array([0, -1, 0]), fs_vec=np.array([-1, 0, 0])
    )
    picture, _ = geometry.position_modules(mean.astype(np.float32))
    centres = np.arange(601)
    return [float(mean.sum()), float((counts[:, 1:602] * centres).sum()), float(np.nansum(np.abs(picture), dtype=np.float64))]


if __name__ == "__main__":
    if sys.argv[1] == "place":
        place(sys.argv[2])
    else:
        check = run(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        cpu = sum(one.ru_utime + one.ru_stime for one in used) * 1000
        print(json.dumps({"cpuMs": cpu, "rss": sum(one.ru_maxrss for one in used) * 1024, "check": check}))
