"""An archive whose images and signals are there in every way, or not: `absent-images.py FOLDER`."""

import os
import sys

import h5py
import numpy as np

folder = sys.argv[1]
for libver in ("earliest", "latest"):
    with h5py.File(os.path.join(folder, "source.h5"), "w") as source:
        source["here"] = np.full((4, 6), 7, np.uint16)
        source.create_dataset("unwritten", (4, 6), np.uint16)
        source["signal"] = np.array([1.5])
        growing = source.create_dataset("growing", (3, 4, 6), np.uint16, chunks=(1, 4, 6))
        growing[1] = 8
    np.full((4, 6), 9, np.uint16).tofile(os.path.join(folder, "here.bin"))
    with h5py.File(os.path.join(folder, f"{libver}.h5"), "w", libver=libver) as file:
        file["file_info/run_number_list"] = np.array([7], np.int64)
        run = file.create_group("run_7")
        run["run_info/start_tag_number"], run["run_info/end_tag_number"] = np.int32(101), np.int32(103)
        run["event_info/tag_number_list"] = np.array([101], np.int32)
        run["event_info/time_stamp"] = np.array([1749524400.0])
        run["event_info/bl_3/written"] = np.array([2.5])
        run.create_dataset("event_info/bl_3/unwritten", (1,), np.float64)

        def virtual(group, name, path, dataset, shape, dtype):
            layout = h5py.VirtualLayout(shape, dtype)
            layout[:] = h5py.VirtualSource(path, dataset, shape)
            group.create_virtual_dataset(name, layout)

        virtual(run, "event_info/bl_3/gone", "gone.h5", "a", (1,), np.float64)
        virtual(run, "event_info/bl_3/virtual", "source.h5", "signal", (1,), np.float64)
        image = np.full((4, 6), 5, np.uint16)

        def parts(group, *pieces):
            layout = h5py.VirtualLayout((4, 6), np.uint16)
            for place, dataset, shape, taken in pieces:
                layout[place] = h5py.VirtualSource("source.h5", dataset, shape)[taken]
            group.create_virtual_dataset("detector_data", layout)

        left, right = np.s_[:, :3], np.s_[:, 3:]

        def part(group, **options):
            data = group.create_dataset("detector_data", (4, 6), np.uint16, chunks=(2, 3), **options)
            data[:2] = 5

        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        space = h5py.h5s.create_simple((4, 6))
        ways = {
            "written": lambda g: g.create_dataset("detector_data", data=image),
            "written-chunks": lambda g: g.create_dataset("detector_data", data=image, chunks=(2, 3)),
            "written-gzip": lambda g: g.create_dataset("detector_data", data=image, chunks=(2, 3), compression="gzip"),
            "written-checksum": lambda g: g.create_dataset("detector_data", data=image, chunks=(2, 3), fletcher32=True),
            "written-growing": lambda g: g.create_dataset("detector_data", data=image, chunks=(2, 3), maxshape=(None, None)),
            "written-fill": lambda g: g.create_dataset("detector_data", data=image, fillvalue=3),
            "written-zeros": lambda g: g.create_dataset("detector_data", data=0 * image),
            "early": lambda g: h5py.h5d.create(g.id, b"detector_data", h5py.h5t.STD_U16LE, space, early),
            "virtual": lambda g: virtual(g, "detector_data", "source.h5", "here", (4, 6), np.uint16),
            "external": lambda g: g.create_dataset("detector_data", (4, 6), np.uint16, external=[("here.bin", 0, 48)]),
            "link": lambda g: g.__setitem__("detector_data", h5py.ExternalLink("source.h5", "/here")),
            "unwritten": lambda g: g.create_dataset("detector_data", (4, 6), np.uint16),
            "unwritten-chunks": lambda g: g.create_dataset("detector_data", (4, 6), np.uint16, chunks=(2, 3)),
            "part-chunks": part,
            "part-gzip": lambda g: part(g, compression="gzip"),
            "part-checksum": lambda g: part(g, fletcher32=True),
            "written-extensible": lambda g: g.create_dataset("detector_data", data=image, chunks=(2, 3), maxshape=(4, None)),
            "part-extensible": lambda g: part(g, maxshape=(None, 6)),
            "part-extensible-gzip": lambda g: part(g, maxshape=(4, None), compression="gzip"),
            "part-growing": lambda g: part(g, maxshape=(None, None)),
            "virtual-gone": lambda g: virtual(g, "detector_data", "gone.h5", "here", (4, 6), np.uint16),
            "virtual-unwritten": lambda g: virtual(g, "detector_data", "source.h5", "unwritten", (4, 6), np.uint16),
            "virtual-nothing": lambda g: virtual(g, "detector_data", "source.h5", "nothing", (4, 6), np.uint16),
            "virtual-halves": lambda g: parts(g, (left, "here", (4, 6), left), (right, "here", (4, 6), right)),
            "virtual-strided": lambda g: parts(g, *((np.s_[k::2], "here", (4, 6), np.s_[k::2]) for k in (0, 1))),
            "virtual-of-stack": lambda g: parts(g, (np.s_[:], "growing", (3, 4, 6), 1)),
            "virtual-part": lambda g: parts(g, (left, "here", (4, 6), left)),
            "virtual-stride": lambda g: parts(g, (np.s_[::2], "here", (4, 6), np.s_[::2])),
            "virtual-smaller": lambda g: parts(g, (np.s_[:], "here", (8, 6), np.s_[2:6])),
            "virtual-of-unwritten": lambda g: parts(g, (np.s_[:], "growing", (3, 4, 6), 2)),
            "external-gone": lambda g: g.create_dataset("detector_data", (4, 6), np.uint16, external=[("gone.bin", 0, 48)]),
            "external-short": lambda g: g.create_dataset("detector_data", (4, 6), np.uint16, external=[("here.bin", 8, 48)]),
            "link-gone": lambda g: g.__setitem__("detector_data", h5py.ExternalLink("gone.h5", "/here")),
            "link-unwritten": lambda g: g.__setitem__("detector_data", h5py.ExternalLink("source.h5", "/unwritten")),
            "soft-gone": lambda g: g.__setitem__("detector_data", h5py.SoftLink("/nowhere")),
        }
        for k, (name, make) in enumerate(ways.items()):
            detector = run.create_group(f"detector_2d_{k + 1}")
            detector["detector_info/detector_name"] = np.bytes_(name)
            group = detector.create_group("tag_101")
            group["detector_status"] = np.int32(1)
            make(group)
