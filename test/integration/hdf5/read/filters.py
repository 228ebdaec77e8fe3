"""An archive with an image behind each filter, and one with texts: `filters.py FOLDER`."""

import os
import sys

import h5py
import hdf5plugin
import numpy as np

image = (np.arange(64 * 48) * 7 % 997).astype(np.uint16).reshape(64, 48)
filters = [
    {"compression": "lzf"},
    {"compression": "lzf", "shuffle": True},
    hdf5plugin.LZ4(),
    hdf5plugin.Bitshuffle(),
    hdf5plugin.Bitshuffle(cname="zstd"),
    hdf5plugin.Bitshuffle(cname="none"),
    hdf5plugin.Zstd(),
    hdf5plugin.Blosc(),
    hdf5plugin.Blosc2(),
    hdf5plugin.BZip2(),
]
with h5py.File(os.path.join(sys.argv[1], "filters.h5"), "w") as file:
    tags = 101 + 2 * np.arange(len(filters), dtype=np.int32)
    file["file_info/run_number_list"] = np.array([7], np.int64)
    run = file.create_group("run_7")
    run["run_info/start_tag_number"], run["run_info/end_tag_number"] = tags[0], tags[-1] + 2
    run["event_info/tag_number_list"] = tags
    run["event_info/time_stamp"] = 1749524400.0 + tags / 60
    run["event_info/bl_3/x"] = tags.astype(np.float64)
    run["detector_2d_1/detector_info/detector_name"] = np.bytes_("OPAL-1")
    for tag, options in zip(tags, filters):
        run.create_dataset(f"detector_2d_1/tag_{tag}/detector_data", data=image + tag, chunks=(16, 48), **options)
        run[f"detector_2d_1/tag_{tag}/detector_status"] = np.int32(1)
