"""Takes shots from a karabo-bridge server with the real client and prints what arrived, one JSON object per shot."""
import hashlib
import json
import sys

from karabo_bridge import Client

address, count = sys.argv[1], int(sys.argv[2])
client = Client(address, timeout=20)
for _ in range(count):
    data, meta = client.next()
    shot = {}
    for source, values in data.items():
        shot[source] = {"meta": meta[source], "data": {}}
        for key, value in values.items():
            if hasattr(value, "dtype"):
                value = {"dtype": str(value.dtype), "shape": list(value.shape), "sum": float(value.sum()), "sha1": hashlib.sha1(value.tobytes()).hexdigest()}
            elif value != value:
                value = "NaN"
            shot[source]["data"][key] = value
    print(json.dumps(shot))
