"""An archive with signals that were written in part: `part-signals.py FILE LIBVER`."""

import sys

import h5py
import numpy as np

tags = np.arange(101, 113, 2, dtype=np.int32)
with h5py.File(sys.argv[1], "w", libver=sys.argv[2]) as file:
    file["file_info/run_number_list"] = np.array([7], np.int64)
    run = file.create_group("run_7")
    run["run_info/start_tag_number"], run["run_info/end_tag_number"] = np.int32(101), np.int32(113)
    run["event_info/tag_number_list"] = tags
    run["event_info/time_stamp"] = 1749524400.0 + np.arange(6)
    for name, maxshape in (("fixed", None), ("growing", (None,))):
        data = run.create_dataset(f"event_info/bl_3/{name}", (6,), np.float64, chunks=(2,), maxshape=maxshape)
        data[:2] = [0.5, 0]
        data[4:] = 2.5
