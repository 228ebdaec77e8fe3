import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect } from "vitest";
import { validateFile } from "../../../../src/hdf5/index.ts";
import { openArchive } from "../../../../src/hdf5/open/open-archive.ts";
import { endpointOf } from "../../../../src/source/source-endpoint.ts";
import { itNeeding, pythonWith } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const python = pythonWith("numpy", "h5py");
const folder = temporaryFolder();
const [bl, run, tag] = [3, 7, 101];

/** What each pixel is, or the reason of a ledger and what the message says. */
const expected: Readonly<Record<string, number | readonly [reason: string, message: RegExp]>> = {
  written: 5,
  "written-chunks": 5,
  "written-gzip": 5,
  "written-checksum": 5,
  "written-growing": 5,
  "written-fill": 5,
  "written-zeros": 0,
  early: 0,
  virtual: 7,
  external: 9,
  link: 7,
  unwritten: ["frame-not-written", /never written/],
  "unwritten-chunks": ["frame-not-written", /never written/],
  "part-chunks": ["frame-partly-written", /only a part/],
  "part-gzip": ["frame-partly-written", /only a part/],
  "part-checksum": ["frame-partly-written", /only a part/],
  "written-extensible": 5,
  "part-extensible": ["frame-partly-written", /only a part/],
  "part-extensible-gzip": ["frame-partly-written", /only a part/],
  "part-growing": ["frame-partly-written", /only a part/],
  "virtual-gone": ["frame-source-gone", /its source gone\.h5 is not there/],
  "virtual-unwritten": ["frame-not-written", /of its source source\.h5, it was created and never written/],
  "virtual-nothing": ["frame-source-gone", /its source source\.h5 has no nothing/],
  "virtual-halves": 7,
  "virtual-strided": 7,
  "virtual-of-stack": 8,
  "virtual-part": ["frame-partly-written", /its sources are only a part of it/],
  "virtual-stride": ["frame-partly-written", /its sources are only a part of it/],
  "virtual-smaller": ["frame-partly-written", /its source source\.h5 is smaller than its part/],
  "virtual-of-unwritten": ["frame-partly-written", /of its source source\.h5, only a part of it was written/],
  "external-gone": ["frame-source-gone", /gone\.bin, which is not there/],
  "external-short": ["frame-partly-written", /here\.bin is too short/],
  "link-gone": ["frame-source-gone", /\/here of gone\.h5, which is not there/],
  "link-unwritten": ["frame-not-written", /never written/],
  "soft-gone": ["frame-source-gone", /\/nowhere, which is not there/],
};

describe("what is in a file and was not written, or is elsewhere and not there", () => {
  for (const libver of ["earliest", "latest"]) {
    itNeeding(
      python !== undefined,
      "no Python with numpy and h5py",
      `is missing with its reason, and never zeros, libver ${libver}`,
      async () => {
        execFileSync(python ?? "", [fileURLToPath(new URL("absent-images.py", import.meta.url)), folder]);
        const path = join(folder, `${libver}.h5`);
        const endpoint = endpointOf(await openArchive(path));
        const found: Record<string, unknown> = {};
        for (const detId of Object.keys(expected)) {
          const collected = await endpoint
            .call("st.collect", { detId, bl, runs: [run], tag })
            .catch((error: unknown) => error);
          const wanted = expected[detId];
          if (typeof wanted === "number") {
            expect([detId, collected]).toMatchObject([detId, { frame: { data: new Float32Array(24).fill(wanted) } }]);
          } else {
            expect([detId, collected]).toMatchObject([
              detId,
              {
                code: "FRAME_MISSING",
                message: expect.stringMatching(wanted?.[1] ?? ""),
                details: { reason: wanted?.[0] },
              },
            ]);
          }
          const listed = await endpoint.call("db.readTaglistBydetid", { bl, run, detId });
          found[detId] = listed.length;
        }
        expect(found).toEqual(
          Object.fromEntries(Object.entries(expected).map(([id, wanted]) => [id, typeof wanted === "number" ? 1 : 0])),
        );
        await endpoint.close();
        const { counts } = await validateFile(path);
        const wrong = Object.values(expected).filter((wanted) => typeof wanted !== "number").length;
        // Of the signals one is unwritten, and the source of one is gone.
        expect(counts["written"]).toBe(wrong + 2);
      },
    );

    itNeeding(
      python !== undefined,
      "no Python with numpy and h5py",
      `is missing of a stack, whose other images are read, libver ${libver}`,
      async () => {
        execFileSync(python ?? "", [fileURLToPath(new URL("absent-stacks.py", import.meta.url)), folder, libver]);
        for (const [name, tags, reason] of [
          ["chunks", [1, 3], "frame-partly-written"],
          ["virtual", [1, 2], "frame-source-gone"],
        ] as const) {
          const path = join(folder, `stack-${name}.h5`);
          const archive = await openArchive(path);
          expect([name, [...(await archive.tags(3, 1, "cxi"))]]).toEqual([name, tags]);
          const out = new Float32Array(24);
          for (const there of [1, 2, 3]) {
            const read = async (): Promise<boolean> => await archive.readFrame(3, 1, "cxi", there, out);
            if ((tags as readonly number[]).includes(there)) {
              expect([name, await read()]).toEqual([name, true]);
              expect([...out]).toEqual(new Array<number>(24).fill(there));
            } else await expect(read()).rejects.toMatchObject({ code: "FRAME_MISSING", details: { reason } });
          }
          await archive.close();
          const { findings } = await validateFile(path);
          expect(findings.map(({ rule, path: place }) => `${rule} ${place}`)).toEqual(["written /entry_1/data_1/data"]);
          const { findings: deep } = await validateFile(path, { deep: true });
          const extra = ["written /extra/gone", "written /extra/unwritten", "dataset-type /extra/complex"];
          expect(deep.map(({ rule, path: place }) => `${rule} ${place}`)).toEqual([
            "written /entry_1/data_1/data",
            ...(name === "chunks" ? extra : []),
          ]);
        }
      },
    );

    itNeeding(
      python !== undefined,
      "no Python with numpy and h5py",
      `is damaged where what is left of the heap of its sources is too long, as HDF5 has it, libver ${libver}`,
      async () => {
        execFileSync(python ?? "", [fileURLToPath(new URL("absent-stacks.py", import.meta.url)), folder, libver]);
        const bytes = readFileSync(join(folder, "stack-virtual.h5"));
        let at = bytes.indexOf("GCOL") + 16;
        while (bytes.readUInt16LE(at) !== 0) at += 16 + 8 * Math.ceil(Number(bytes.readBigUInt64LE(at + 8)) / 8);
        bytes.writeBigUInt64LE(bytes.readBigUInt64LE(at + 8) + 2n ** 40n, at + 8);
        const path = join(folder, "heap.h5");
        writeFileSync(path, bytes);
        const archive = await openArchive(path);
        const reading = async (): Promise<boolean> => await archive.readFrame(3, 1, "cxi", 1, new Float32Array(24));
        await expect(reading()).rejects.toMatchObject({ code: "FILE_DAMAGED" });
        await archive.close();
      },
    );

    itNeeding(
      python !== undefined,
      "no Python with numpy and h5py",
      `is missing as a signal too, libver ${libver}`,
      async () => {
        execFileSync(python ?? "", [fileURLToPath(new URL("absent-images.py", import.meta.url)), folder]);
        const archive = await openArchive(join(folder, `${libver}.h5`));
        const { hightagnumber } = await archive.runInfo(bl, run);
        const [OK, MISSING] = [0, 3];
        for (const [name, value, status] of [
          ["written", 2.5, OK],
          ["virtual", 1.5, OK],
          ["unwritten", NaN, MISSING],
          ["gone", NaN, MISSING],
        ] as const) {
          const column = await archive.column(`bl_3/${name}`, hightagnumber, Uint32Array.of(tag));
          expect([name, [...column.values], [...column.status]]).toEqual([name, [value], [status]]);
        }
        await archive.close();
      },
    );

    itNeeding(
      python !== undefined,
      "no Python with numpy and h5py",
      `of a signal that was written in part are the shots that were not written, libver ${libver}`,
      async () => {
        const path = join(folder, `part-${libver}.h5`);
        const script = fileURLToPath(new URL("part-signals.py", import.meta.url));
        execFileSync(python ?? "", [script, path, libver]);
        const archive = await openArchive(path);
        const { hightagnumber } = await archive.runInfo(bl, run);
        for (const name of ["fixed", "growing"]) {
          const tags = await archive.tags(bl, run);
          const column = await archive.column(`bl_3/${name}`, hightagnumber, tags);
          expect([name, [...column.values]]).toEqual([name, [0.5, 0, NaN, NaN, 2.5, 2.5]]);
          expect([name, [...column.status]]).toEqual([name, [0, 0, 3, 3, 0, 0]]);
        }
        await archive.close();
      },
    );
  }
});
