"""h5py references of bench/archive.ts.

`archive.py make FILE shots type` writes an octal in the DataConvert layout, uncompressed, one dataset per sensor and tag.
`archive.py FILE` reads the name of the work from stdin, answers {ms, cpuMs, check}.
"""

import json
import sys
import time

import h5py
import numpy as np

RUN, ROWS, COLUMNS, SENSORS, START = 700001, 1024, 512, 8, 100_000_000
DETECTOR = "MPCCD-8B0-2-010"


def dark():
    return 100 + (np.arange(ROWS * COLUMNS) % 40).reshape(ROWS, COLUMNS) / 40


def make(path, shots, kind):
    random = np.random.default_rng(7)
    tags = START + 2 * np.arange(shots)
    # Sixteen images in all: making noise takes longer than reading it.
    images = [np.clip(np.rint(random.normal(104, 11, (ROWS, COLUMNS)) + 154 * (random.random((ROWS, COLUMNS)) < 0.02)), 0, None).astype(kind) for _ in range(16)]
    with h5py.File(path, "w", libver="earliest") as file:
        file["file_info/version"] = np.bytes_("3.20")
        file["file_info/run_number_list"] = np.array([RUN], np.int64)
        run = file.create_group(f"run_{RUN}")
        run["exp_info/comment"] = np.bytes_("bench")
        run["run_info/start_tag_number"] = np.int32(tags[0])
        run["run_info/end_tag_number"] = np.int32(tags[-1] + 2)
        run["run_info/sacla_config/photon_energy_in_eV"] = 10000.0
        run["event_info/tag_number_list"] = tags.astype(np.int32)
        run["event_info/time_stamp"] = 1749524400.0 + np.arange(shots) / 30
        run["event_info/bl_3/eh_1/nothing"] = np.zeros(shots)
        for k in range(SENSORS):
            detector = run.create_group(f"detector_2d_{k + 1}")
            detector["detector_info/detector_name"] = np.bytes_(f"{DETECTOR}-{k + 1}")
            for i, tag in enumerate(tags):
                group = detector.create_group(f"tag_{tag}")
                group["detector_status"] = np.int32(1)
                group["detector_data"] = images[(i + k) % 16]


def paths(file):
    for tag in file[f"run_{RUN}/event_info/tag_number_list"][()]:
        for k in range(SENSORS):
            yield k, f"run_{RUN}/detector_2d_{k + 1}/tag_{tag}/detector_data"


def read(file):
    """Each image into memory that is reused."""
    buffer = np.empty((ROWS, COLUMNS), file[next(paths(file))[1]].dtype)
    for k, path in paths(file):
        file[path].read_direct(buffer)
        yield k, buffer


def read_alone(path):
    with h5py.File(path, "r") as file:
        return [sum(1 for _ in read(file))]


def statistics(path):
    """Good numpy: whole sums in place, whole histogram by clip and bincount."""
    whole = np.ceil(dark() - 0.5).astype(np.int32)
    total = np.zeros((SENSORS, ROWS, COLUMNS), np.uint32)
    squares = np.zeros((SENSORS, ROWS, COLUMNS), np.uint64)
    square = np.empty((ROWS, COLUMNS), np.uint32)
    value = np.empty((ROWS, COLUMNS), np.int32)
    counts = np.zeros(603, np.int64)
    n = 0
    with h5py.File(path, "r") as file:
        for k, image in read(file):
            n += k == 0
            # Whole numbers stored as float32 are whole numbers again: faster than sums in float64.
            np.add(total[k], image, out=total[k], casting="unsafe")
            np.multiply(image, image, out=square, dtype=np.uint32, casting="unsafe")
            np.add(squares[k], square, out=squares[k])
            np.subtract(image, whole, out=value, casting="unsafe")
            np.clip(value, -101, 501, out=value)
            value += 101
            counts += np.bincount(value.ravel(), minlength=603)
    raw = total / n
    return [float((raw - dark()).sum()), float((squares / n - raw * raw).sum()), float((counts[1:602] * np.arange(601)).sum())]


if sys.argv[1] == "make":
    make(sys.argv[2], int(sys.argv[3]), sys.argv[4])
else:
    print("ready", flush=True)
    for line in sys.stdin:
        work = {"read": read_alone, "everything": statistics}[line.strip()]
        start, cpu = time.perf_counter(), time.process_time()
        check = work(sys.argv[1])
        print(json.dumps({"ms": (time.perf_counter() - start) * 1e3, "cpuMs": (time.process_time() - cpu) * 1e3, "check": check}), flush=True)
