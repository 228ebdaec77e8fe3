"""Reads bm1.csv, bm1.arrow and bm1.parquet of the working folder by the lines of docs/files.md: tables.py PROGRAM FORM."""

import json
import math
import sys


def pandas(form):
    import pandas as pd

    read = {"csv": pd.read_csv, "arrow": pd.read_feather, "parquet": pd.read_parquet}[form]
    table = read(f"bm1.{form}").set_index("tag_number")
    return pd.__version__, table.reset_index().to_dict("list")


def polars(form):
    import polars as pl

    read = {"csv": lambda f: pl.read_csv(f, infer_schema_length=None), "arrow": pl.read_ipc, "parquet": pl.read_parquet}[form]
    return pl.__version__, read(f"bm1.{form}").to_dict(as_series=False)


def duckdb(form):
    import duckdb

    if form == "arrow":
        import pyarrow.feather

        bm1 = pyarrow.feather.read_table("bm1.arrow")
        found = duckdb.sql("FROM bm1")
    else:
        found = duckdb.sql("FROM read_csv('bm1.csv', sample_size=-1)" if form == "csv" else "FROM 'bm1.parquet'")
    return duckdb.__version__, dict(zip(found.columns, map(list, zip(*found.fetchall()))))


def plain(value):
    return None if value is None or (isinstance(value, float) and math.isnan(value)) else value


version, columns = {"pandas": pandas, "polars": polars, "duckdb": duckdb}[sys.argv[1]](sys.argv[2])
signal = "xfel_bl_2_tc_bm_1_pd/charge"
value = next(name for name in columns if name.startswith(signal) and not name.endswith(":status"))
answer = {"tags": columns["tag_number"], "values": columns[value], "status": columns[f"{signal}:status"]}
if any(isinstance(v, str) for v in answer["values"]):
    raise TypeError("the values are texts")
print(json.dumps({"version": version, **{name: [plain(v) for v in column] for name, column in answer.items()}}, default=str))
