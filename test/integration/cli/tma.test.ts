import { execFileSync } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { timingEdges } from "../../../src/db/index.ts";
import { connect, Facility } from "../../../src/index.ts";
import { serve } from "../../../src/server/index.ts";
import { withRecording } from "../../../src/transport/index.ts";
import { cli } from "../../support/fake-io.ts";
import { pythonWith } from "../../support/optional.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import type { TimingImage } from "../../support/timing-images.ts";
import { TIMING_FIRST_TAG, timingCamera, timingRunFile } from "../../support/timing-run.ts";

const folder = temporaryFolder();
const python = pythonWith("h5py", "numpy");
/** What h5py says of the copy of a file to which signals were added, and of a file of edges alone. */
const h5py = `
import h5py, json, numpy as np, sys
old, new, edges = (h5py.File(path) for path in sys.argv[1:])
def all_of(file):
    found = {}
    def note(name, item):
        data = np.asarray(item[()]).tobytes() if isinstance(item, h5py.Dataset) else None
        kind = (str(item.dtype), item.shape, item.chunks) if isinstance(item, h5py.Dataset) else None
        found[name] = (kind, data, {key: str(value) for key, value in item.attrs.items()})
    file.visititems(note)
    return found
a, b = all_of(old), all_of(new)
added = [name for name in b if name not in a and isinstance(new[name], h5py.Dataset)]
print(json.dumps({"changed": [name for name in a if a[name] != b.get(name)], "added": len(added),
    "shots": len(edges["tag_number"]), "edges": int(np.isfinite(edges["timing_edge_fitting"]).sum())}))
`;
const db = join(folder, "tma.sqlite");
let run: { path: string; images: readonly TimingImage[] };
const RUN = "10";

/** A subcommand on the made run, as JSON. */
async function tma<T>(...args: string[]): Promise<T> {
  const { code, out, err } = await cli(["tma", ...args, "--db", db, "--url", run.path, "--json"]);
  expect(err).toBe("");
  expect(code).toBe(0);
  return JSON.parse(out) as T;
}

/** What is printed on stderr when it fails. */
async function failure(...args: string[]): Promise<string> {
  const { code, err } = await cli(["tma", ...args, "--url", run.path]);
  expect(code).toBe(1);
  return err;
}

describe("sacla tma on a user database", () => {
  beforeAll(async () => {
    run = await timingRunFile(folder);
  });

  it("learns, finds, exports, calibrates, lists and deletes", async () => {
    const made = await tma<Record<string, unknown>>("create", RUN, "--comment", "made");
    expect(made).toMatchObject({ tmaid: 1, bl: 3, run: 10, camera: timingCamera, darkSide: "low" });
    const { shots, usable } = await tma<{ shots: number; usable: number }>("run", "1", RUN);
    const edges = run.images.filter(({ edgePx }) => !Number.isNaN(edgePx)).length;
    expect(shots).toBe(run.images.length);
    expect(usable).toBeGreaterThan(0.95 * edges);

    // Rows of one HighTag alone: no range need be said.
    const csv = await cli(["tma", "csv", "1", "--db", db, "--url", run.path, "-o", "tma.csv"]);
    expect(csv.out).toContain(`110 shots, ${usable} with an edge, written to tma.csv`);
    const table = timingEdges(String(csv.files.get("tma.csv")));
    expect(table.tags.length).toBe(110);
    run.images.forEach(({ edgePx }, i) => {
      const { fittingPx = NaN } = table.at(TIMING_FIRST_TAG + 2 * i) ?? {};
      if (!Number.isNaN(fittingPx)) expect(Math.abs(fittingPx - edgePx)).toBeLessThan(3);
    });
    const part = await tma<{ shots: number }>("csv", "1", "--run", RUN, "--start", "1100", "--end", "1110");
    expect(part.shots).toBe(6);

    // Added to a copy of the run's file as 0-D signals; everything else in it is as it was.
    const copy = join(folder, "copy.h5");
    copyFileSync(run.path, copy);
    const signal = "bl_3/tma_1/timing_edge_fitting_in_pixel";
    await tma("h5", "1", "--run", RUN, "--add-to", copy);
    // The same again changes nothing.
    const before = readFileSync(copy);
    await tma("h5", "1", "--run", RUN, "--add-to", copy);
    expect(readFileSync(copy).equals(before)).toBe(true);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    const added = await cli(["values", RUN, signal, "--url", copy, "--json"]);
    const { columns } = JSON.parse(added.out) as { columns: { unit: string; values: (number | string)[] }[] };
    expect(columns[0]?.unit).toBe("pixel");
    columns[0]?.values.forEach((value, i) => {
      const { fittingPx = NaN } = table.at(TIMING_FIRST_TAG + 2 * i) ?? {};
      expect(value).toBe(Number.isNaN(fittingPx) ? "not-converged" : fittingPx);
    });
    await tma("h5", "1", "-o", join(folder, "tma.h5"));
    if (python !== undefined)
      expect(
        JSON.parse(execFileSync(python, ["-c", h5py, run.path, copy, join(folder, "tma.h5")], { encoding: "utf8" })),
      ).toEqual({ changed: [], added: 3, shots: 110, edges: usable });

    const scale = await tma<{ fsPerPixel: number; fsPerPixelError: number }>("scale", "1", RUN);
    expect(Math.abs(scale.fsPerPixel - 2.6)).toBeLessThan(3 * scale.fsPerPixelError);
    expect(scale.fsPerPixelError).toBeLessThan(0.06);

    expect(await tma("list")).toMatchObject([{ id: 1, comment: "made", shots: 110 }]);
    expect(await tma("delete", "1", "--rows", "--run", RUN)).toEqual({ tmaid: 1, deleted: 110, id: "kept" });
    expect(await tma("delete", "1")).toEqual({ tmaid: 1, deleted: 0, id: "deleted" });
    expect(await tma("list")).toEqual([]);
    expect(readFileSync(db).subarray(0, 15).toString()).toBe("SQLite format 3");
  });

  it("says what to do when a run or a source has no edges, or nothing to learn from", async () => {
    const other = join(folder, "other.sqlite");
    expect(await failure(RUN)).toContain("sacla tma create 10");
    const none = await failure("create", RUN, "--least", "1", "--db", other);
    expect(none).toContain("0 of 110 shots had X-rays");
    expect(none).toContain("--least");
    expect(await failure("list", "--db", other)).toContain("sacla tma create");
    expect(await failure("create", RUN, "--camera", "OPAL-1", "--db", other)).toContain("UNKNOWN_DETECTOR");
    expect(await failure("csv", "7", "--db", other)).toContain("is not there");
  });
});

describe("sacla tma RUN", () => {
  it("writes the same edges in the facility's form over every carrier and from a recording", async () => {
    const { endpoint } = await connect("sim:");
    await using server = await serve(endpoint, { zmq: ["tcp://127.0.0.1:*"], http: { host: "127.0.0.1", port: 0 } });
    const recording = join(folder, "edges.recording");
    {
      await using recorded = new Facility(await withRecording((await connect("sim:")).endpoint, recording));
      await (await recorded.run(3, 1519993)).timingEdges();
    }
    const texts: string[] = [];
    for (const url of ["sim:", ...server.addresses, `recording:${recording}`]) {
      const done = await cli(["tma", "1519993", "--bl", "3", "-o", "edges.csv", "--url", url]);
      expect([url, done.code, done.err]).toEqual([url, 0, ""]);
      texts.push(String(done.files.get("edges.csv")));
    }
    expect(texts.length).toBe(4);
    expect(new Set(texts).size).toBe(1);
    expect(texts[0]).toMatch(
      /^\[TMA 1 BL3 202501\]\r?\ntag_number,timing_edge_derivative\(pixel\),timing_edge_fitting\(pixel\)\r?\n160688400,NaN,NaN/,
    );
  });
});
