"""numpy references of bench/reduce.ts: good numpy, and the talk's stacking code.

Arguments: stack (u16), dark (f64), images, rows, columns, images of the stacking code. Reads the name of the work from
stdin, answers {ms, check}.
"""

import sys

import numpy as np
from serve import serve

stack_path, dark_path = sys.argv[1:3]
images, rows, columns, few = map(int, sys.argv[3:7])
stack = np.fromfile(stack_path, np.uint16).reshape(images, rows, columns)
dark = np.fromfile(dark_path, np.float64).reshape(rows, columns)
BINS = np.arange(-100, 502) - 0.5


def mean():
    """Sums in place, 32 bits wide."""
    total = np.zeros((rows, columns), np.uint32)
    for image in stack:
        np.add(total, image, out=total)
    return [float((total / images - dark).sum())]


def everything():
    """The same, squares in 64 bits; histogram of whole numbers by clip and bincount."""
    total = np.zeros((rows, columns), np.uint32)
    squares = np.zeros((rows, columns), np.uint64)
    square = np.empty((rows, columns), np.uint32)
    whole = np.ceil(dark - 0.5).astype(np.int32)
    value = np.empty((rows, columns), np.int32)
    counts = np.zeros(603, np.int64)
    for image in stack:
        np.add(total, image, out=total)
        np.multiply(image, image, out=square, dtype=np.uint32)
        np.add(squares, square, out=squares)
        np.subtract(image, whole, out=value)
        np.clip(value, -101, 501, out=value)
        value += 101
        counts += np.bincount(value.ravel(), minlength=603)
    raw = total / images
    return [float((raw - dark).sum()), float((squares / images - raw * raw).sum()), float((counts[1:602] * np.arange(601)).sum())]


def talk_mean():
    """The talk: all images in one float64 array, dark subtracted one by one, then np.mean."""
    every = np.zeros((few, rows, columns))
    for i in range(few):
        every[i] = stack[i] - dark
    return [float(np.mean(every, 0).sum())]


def talk_everything():
    every = np.zeros((few, rows, columns))
    for i in range(few):
        every[i] = stack[i] - dark
    counts = np.histogram(every, bins=BINS)[0]
    return [float(np.mean(every, 0).sum()), float(np.var(every, 0).sum()), float((counts * np.arange(601)).sum())]


works = {"mean": mean, "everything": everything, "talk mean": talk_mean, "talk everything": talk_everything}
serve(lambda name: works[name]())
