"""What dxtbx finds in a file: its class, and the pixels of the first shot."""

import json
import subprocess
import sys

import dxtbx
from dxtbx.format.Registry import get_format_class_for_file

version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "dials"], capture_output=True, text=True).stdout
answer = {"version": version.split("+")[0], "format": get_format_class_for_file(sys.argv[1]).__name__}
try:
    answer["pixels"] = [float(v) for panel in dxtbx.load(sys.argv[1]).get_raw_data(0) for v in panel.as_numpy_array().ravel()]
except Exception as error:
    answer["error"] = str(error) or type(error).__name__
print(json.dumps(answer))
