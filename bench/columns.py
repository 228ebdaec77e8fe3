"""h5py, numpy and polars references of bench/columns.ts.

`columns.py make FILE tags` writes 0-D signals in the DataConvert layout, no images.
`columns.py serve` reads `WORK FILE` from stdin, answers {ms, cpuMs, check}.
`columns.py once WORK FILE` does the work once, and prints the peak of its memory in bytes.
"""

import resource
import sys

import h5py
import numpy as np
import polars as pl
from serve import serve

RUN, START = 700001, 100_000_000
BM, MOTOR = "bl_3/tc/bm_1_pd_charge", "bl_3/eh_2/laser/delay_line_motor_1"
DIODES = [f"bl_3/eh_2/photodiode/photodiode_user_{k}_in_volt" for k in range(1, 7)]
TABLE = [BM, MOTOR, *DIODES]
FLAGS = ["bl_3/shutter_1_open_valid_status", "bl_3/shutter_1_close_valid_status", "bl_3/lh_1/shutter_1_open_valid_status", "bl_3/lh_1/shutter_1_close_valid_status"]
SELECTOR = "bl_3/lh_1/laser_pulse_selector_status"
STATUS = pl.Enum(["ok", "not-converged", "saturated", "missing"])


def make(path, count):
    random = np.random.default_rng(7)
    tags = START + 2 * np.arange(count)
    charge = random.normal(5e-9, 1e-9, count)
    charge[random.random(count) < 0.01] = np.nan
    # A head of dark shots, as runs begin.
    is_open = (np.arange(count) >= 100).astype(np.float64)
    laser = (np.arange(count) % 2).astype(np.float64)
    with h5py.File(path, "w", libver="earliest") as file:
        file["file_info/version"] = np.bytes_("3.20")
        file["file_info/run_number_list"] = np.array([RUN], np.int64)
        run = file.create_group(f"run_{RUN}")
        run["exp_info/comment"] = np.bytes_("bench")
        run["run_info/start_tag_number"] = np.int32(tags[0])
        run["run_info/end_tag_number"] = np.int32(tags[-1] + 2)
        run["run_info/sacla_config/photon_energy_in_eV"] = 10000.0
        event = run.create_group("event_info")
        event["tag_number_list"] = tags.astype(np.int32)
        event["time_stamp"] = 1749524400.0 + np.arange(count) / 30
        event[BM] = charge
        event[MOTOR] = np.rint(random.normal(0, 5000, count))
        for name in DIODES:
            event[name] = random.normal(0.1, 0.02, count)
        for name, flag in zip(FLAGS, [is_open, 1 - is_open, laser, 1 - laser]):
            event[name] = flag
        event[SELECTOR] = laser


def read(path, names):
    with h5py.File(path, "r") as file:
        event = file[f"run_{RUN}/event_info"]
        return event["tag_number_list"][()].astype(np.uint32), [event[name][()] for name in names]


def statuses(values):
    return np.where(np.isnan(values), 1, np.where(np.isinf(values), 2, 0)).astype(np.uint8)


def column(path):
    """Numbers, and why there is none."""
    tags, (values,) = read(path, [BM])
    status = statuses(values)
    return [len(tags), float(values[12345]), int((status == 1).sum())]


def table(path):
    tags, columns = read(path, TABLE)
    codes = [statuses(values) for values in columns]
    return [len(tags), *(float(values[12345]) for values in columns), sum(int((code == 1).sum()) for code in codes)]


def where(path):
    """Tags that fulfil a condition, and those dropped by reason."""
    tags, (values,) = read(path, [BM])
    kept = tags[values > 5e-9]
    missing = tags[np.isnan(values)]
    refused = tags[values <= 5e-9]
    return [len(kept), int(kept.sum(dtype=np.int64)), len(missing), len(refused)]


def screen(path):
    tags, (charge, motor, diode) = read(path, [BM, MOTOR, DIODES[0]])
    kept = tags[(charge >= 3e-9) & (charge <= 8e-9) & (motor >= -8000) & (motor <= 8000) & (diode > 0.08)]
    return [len(kept), int(kept.sum(dtype=np.int64))]


def labels(path):
    tags, (is_open, closed, laser, no_laser, selector) = read(path, [*FLAGS, SELECTOR])
    # As sacla: the selector counts where it agrees with the shutter at nine of ten shots.
    shutter = np.where((laser == 1) & (no_laser == 0), 1, np.where((laser == 0) & (no_laser == 1), 0, 2))
    told = (shutter < 2) & ((selector == 0) | (selector == 1))
    differ = told & (shutter != selector)
    if (told & ~differ).sum() < 9 * differ.sum():
        differ[:] = False
    dark, exposed = (is_open == 0) & (closed == 1), (is_open == 1) & (closed == 0)
    on, off = exposed & (shutter == 1) & ~differ, exposed & (shutter == 0) & ~differ
    parts = [tags[dark], tags[on], tags[off]]
    return [*map(len, parts), int(parts[1].sum(dtype=np.int64))]


def parquet(path):
    """The same columns as sacla writes: tags, times, numbers, and a status of each."""
    tags, columns = read(path, TABLE)
    start = 1749524400.0
    data = {
        "tag_number": tags,
        "datetime": pl.Series(np.rint(1000 * (start + (tags - START) / 60)).astype(np.int64)).cast(pl.Datetime("ms", "Asia/Tokyo")),
    }
    for name, values in zip(TABLE, columns):
        data[name] = pl.Series(values, nan_to_null=True)
        data[f"{name}:status"] = pl.Series(statuses(values)).cat.to(STATUS)
    frame = pl.DataFrame(data)
    frame.write_parquet(f"{path}.polars.parquet", compression="snappy")
    return [len(frame), frame[BM].null_count()]


works = {"column": column, "table": table, "where": where, "screen": screen, "labels": labels, "parquet": parquet}


def work(line):
    name, path = line.split()
    return works[name](path)


if sys.argv[1] == "make":
    make(sys.argv[2], int(sys.argv[3]))
elif sys.argv[1] == "once":
    works[sys.argv[2]](sys.argv[3])
    print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
else:
    serve(work)
