"""
The calls of the facility's talk of 2025 in the forms of its listings, on fewer images. Prints what comes out as JSON,
images as the SHA-256 of their bytes; a test compares it with what TypeScript makes of the same source.

    python talk.py RUN DARK_RUN SENSOR IMAGES [OCTAL_RUN OCTAL]
"""

import hashlib
import json
import sys

import dbpy
import ippy
import numpy as np
import stpy


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def read_det(bl, run, detID, images):
    taglist = dbpy.read_taglist_byrun(bl, run)[:images]
    obj = stpy.StorageReader(detID, bl, (run,))
    buff = stpy.StorageBuffer(obj)
    obj.collect(buff, taglist[0])
    im2D = buff.read_det_data(0)
    im2Dall = np.zeros((len(taglist), len(im2D[:, 0]), len(im2D[0, :])))
    im2Dall[0] = im2D
    i = 1
    for tag in taglist[1:]:
        obj.collect(buff, tag)
        im2Dall[i] = buff.read_det_data(0)
        i += 1
    return im2Dall


def octal(run, det_id):
    taglist = dbpy.read_taglist_byrun(2, run)
    srcs = {}
    for i in range(8):
        src = {}
        detID = f"{det_id}-{i + 1}"
        obj = stpy.StorageReader(detID, 2, (run,))
        buff = stpy.StorageBuffer(obj)
        obj.collect(buff, taglist[0])
        src["img"] = np.array(buff.read_det_data(0)).copy()
        det_info = buff.read_det_info(0)
        psize_x = det_info["mp_pixelsize_x"]
        psize_y = det_info["mp_pixelsize_y"]
        src["xPosPixel"] = det_info["mp_pos_x"] / psize_x
        src["yPosPixel"] = -det_info["mp_pos_y"] / psize_y
        src["pixelSize"] = round(psize_x)
        src["dScale"] = 1.0
        src["rotAngle"] = det_info["mp_rotationangle"]
        src["mask"] = np.ones((det_info["ysize"], det_info["xsize"])).astype(np.int16)
        src["succeeded"] = True
        if i == 0:
            gain0 = det_info["mp_absgain"]
            src["iScale"] = 1.0
        else:
            src["iScale"] = det_info["mp_absgain"] / gain0
        srcs[f"det{i + 1}"] = src.copy()
    return ippy.reconstruction([srcs[f"det{i + 1}"] for i in range(8)], 2399, 2399, 50, 0)


def main():
    run, dark_run, det_id, images = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    found = {"newest": dbpy.read_runnumber_newest(3), "info": dbpy.read_runinfo(3, run)}
    taglist = dbpy.read_taglist_byrun(3, run)
    high_tag = dbpy.read_hightagnumber(3, run)
    charges = dbpy.read_syncdatalist_float("xfel_bl_3_tc_bm_1_pd/charge", high_tag, taglist)
    found["charges"] = digest(np.nan_to_num(np.array(charges), nan=-1.0))
    imDark = np.mean(read_det(3, dark_run, det_id, images), 0)
    im2Dall = read_det(3, run, det_id, images) - imDark
    found["average"] = digest(np.mean(im2Dall, 0))
    bins = np.arange(-100, 502) - 0.5
    found["histogram"] = np.histogram(im2Dall, bins=bins)[0].tolist()
    if len(sys.argv) > 5:
        found["octal"] = digest(octal(int(sys.argv[5]), sys.argv[6]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
