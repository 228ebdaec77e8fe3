"""What cfelpyutils or EXtra-geom finds in a .geom: geom.py PROGRAM FILE."""

import importlib.metadata
import json
import sys

program, file = sys.argv[1:]
if program == "cfelpyutils":
    from cfelpyutils.geometry import load_crystfel_geometry

    panels = load_crystfel_geometry(file).detector["panels"]
    found = [[name, p["cnx"], p["cny"], p["fsx"], p["fsy"], p["adu_per_photon"]] for name, p in panels.items()]
    print(json.dumps({"version": importlib.metadata.version("cfelpyutils"), "panels": found}))
else:
    from extra_geom import GenericGeometry

    answer = {"version": importlib.metadata.version("EXtra-geom"), "panels": []}
    try:
        answer["panels"] = GenericGeometry.from_crystfel_geom(file).n_modules
    except NotImplementedError as error:
        answer["error"] = repr(error)
    print(json.dumps(answer))
