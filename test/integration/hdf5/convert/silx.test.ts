import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect } from "vitest";
import { Db } from "../../../../src/db/index.ts";
import { type ConvertRequest, convert, openArchive } from "../../../../src/hdf5/index.ts";
import { endpointOf } from "../../../../src/source/index.ts";
import { St } from "../../../../src/st/index.ts";
import { inProcess } from "../../../../src/transport/index.ts";
import { itNeeding, pythonWith } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
const fixture = fileURLToPath(new URL("../../../../fixtures/tiny-octal.h5", import.meta.url));
const python = pythonWith("silx.io.nxdata", "h5py", "numpy");
const sensors = ["1", "2", "3", "4", "5", "6", "7", "8"].map((n) => `MPCCD-8B0-2-010-${n}`);
const tags = [384559329, 384559333];

async function write(request: Partial<ConvertRequest>, name: string): Promise<string> {
  const archive = await openArchive(fixture);
  const endpoint = inProcess(endpointOf(archive));
  const path = join(folder, name);
  await convert(
    { db: new Db(endpoint), st: new St(endpoint) },
    { bl: 2, run: 300001, tags, dark: "none", ...request },
    path,
  );
  await archive.close();
  return path;
}

/** The pixels of all sensors under each other, as the fixture has them, and the photon energy in eV at each tag. */
async function truth(): Promise<{ adu: number[][]; energiesEv: number[]; gains: number[] }> {
  const archive = await openArchive(fixture);
  const adu: number[][] = [];
  for (const tag of tags) {
    const stack: number[] = [];
    for (const id of sensors) {
      const out = new Float32Array(64 * 32);
      await archive.readFrame(2, 300001, id, tag, out);
      stack.push(...out);
    }
    adu.push(stack);
  }
  const { values } = await archive.column(
    "xfel_bl_2_tc_spec_1/energy",
    (await archive.runInfo(2, 300001)).hightagnumber,
    Uint32Array.from(tags),
  );
  const gains: number[] = [];
  for (const id of sensors) gains.push((await archive.detectorInfo(2, 300001, id)).absGain ?? NaN);
  await archive.close();
  return { adu, energiesEv: Array.from(values, (keV) => 1000 * keV), gains };
}

/** Tenths of photons: ADU × gain × 3.65 eV / photon energy × 10. */
function tenths({ adu, energiesEv, gains }: Awaited<ReturnType<typeof truth>>): number[][] {
  return adu.map((stack, n) =>
    stack.map((v, i) => Math.round(v * (((gains[Math.floor(i / 2048)] ?? NaN) * 3.65 * 10) / (energiesEv[n] ?? NaN)))),
  );
}

/** What silx finds in a file. */
function ask(path: string, expression: string): unknown {
  const script = `import json, sys, numpy as np, silx.io
from silx.io.nxdata import get_default
with silx.io.open(sys.argv[1]) as f: print(json.dumps(${expression}))`;
  return JSON.parse(
    execFileSync(python ?? "", ["-c", script, path], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      maxBuffer: 1 << 28,
    }),
  );
}

describe("silx opens what convert writes", () => {
  const reason = "no Python with silx";

  itNeeding(python !== undefined, reason, "dataconvert: images, tags, a signal with its unit", async () => {
    const path = await write({ compression: "gzip-1" }, "dataconvert.h5");
    const { adu, energiesEv } = await truth();
    const images = tags.map(
      (tag) =>
        `[v for k in range(1, 9) for v in f['run_300001/detector_2d_%d/tag_${tag}/detector_data' % k][()].ravel().tolist()]`,
    );
    expect(ask(path, `[${images.join(", ")}]`)).toEqual(adu);
    expect(ask(path, "f['run_300001/event_info/tag_number_list'][()].tolist()")).toEqual(tags);
    const energy = "f['run_300001/event_info/bl_2/tc/spec_1_energy']";
    expect(ask(path, `[(1000 * ${energy}[()]).tolist(), ${energy}.attrs['unit'].decode()]`)).toEqual([
      energiesEv,
      "keV",
    ]);
  });

  itNeeding(python !== undefined, reason, "cheetah: tenths of photons", async () => {
    const path = await write({ format: "cheetah", compression: "gzip-6" }, "cheetah.h5");
    const expected = tenths(await truth()).map((stack) => stack.map((v) => Math.min(65535, Math.max(0, v))));
    expect(ask(path, `[${tags.map((tag) => `f['tag-${tag}/data'][()].ravel().tolist()`).join(", ")}]`)).toEqual(
      expected,
    );
    expect(ask(path, `f['tag-${tags[0]}/data'].chunks`)).toEqual([64, 32]);
  });

  itNeeding(
    python !== undefined,
    reason,
    "nxmx: tenths of photons, and the images are what silx view shows first",
    async () => {
      for (const compression of ["none", "gzip-1"]) {
        const path = await write({ format: "nxmx", units: "tenths", compression }, `nxmx-${compression}.h5`);
        expect(ask(path, "[f['entry/data/data'][i].ravel().tolist() for i in range(2)]")).toEqual(
          tenths(await truth()),
        );
        expect(ask(path, "f['entry/data/tag_id'][()].tolist()")).toEqual(tags);
        expect(
          ask(path, "(lambda d: [d.is_valid, d.signal_dataset_name, list(d.signal.shape)])(get_default(f))"),
        ).toEqual([true, "data", [2, 512, 32]]);
      }
    },
  );
});
