"""Archives that stay open in this process: `being-written.py FOLDER`, a step for each line of stdin."""

import os
import sys

import h5py
import numpy as np

TAGS, RUN = [101, 103, 105], 7


def begin(name, libver):
    file = h5py.File(os.path.join(sys.argv[1], f"{name}.h5"), "w", libver=libver)
    file["file_info/run_number_list"] = np.array([RUN], np.int64)
    run = file.create_group(f"run_{RUN}")
    run["run_info/start_tag_number"] = np.int32(TAGS[0])
    run["run_info/end_tag_number"] = np.int32(TAGS[-1] + 2)
    run["event_info/tag_number_list"] = np.array(TAGS, np.int32)
    run["event_info/time_stamp"] = 1749524400.0 + np.arange(len(TAGS)) / 30
    run["event_info/bl_3/pd"] = np.array([0.25, 0.5, 0.75])
    detector = run.create_group("detector_2d_1")
    detector["detector_info/detector_name"] = np.bytes_("MPCCD-1N0-M06-002")
    # SWMR lets nothing be made while others read.
    for tag in TAGS:
        detector.create_dataset(f"tag_{tag}/detector_data", shape=(2, 3), dtype="f4", chunks=(2, 3))
    return file


def write(file, tag):
    file[f"run_{RUN}/detector_2d_1/tag_{tag}/detector_data"][...] = np.arange(6).reshape(2, 3) + tag
    file.flush()


files = {"earliest": begin("earliest", "earliest"), "latest": begin("latest", "latest"), "swmr": begin("swmr", "latest")}
files["swmr"].swmr_mode = True
for file in files.values():
    write(file, 101)
print("written", flush=True)
sys.stdin.readline()
for name in ("earliest", "swmr"):
    write(files[name], 103)
print("more", flush=True)
sys.stdin.readline()
for file in files.values():
    file.close()
print("closed", flush=True)
