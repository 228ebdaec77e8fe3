import { join } from "node:path";
import { expect, it } from "vitest";
import { connect } from "../../../src/connect.ts";
import { convert, openArchive } from "../../../src/hdf5/index.ts";
import { archiveParts, runParts, writeHdf5 } from "../../support/archive-parts.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();

it("images without a gain or a place are refused with the format that keeps them, which does", async () => {
  const parts = runParts(7, 3);
  parts["/run_7/detector_2d_1/detector_info/absolute_gain"] = undefined;
  const gainless = await writeHdf5(folder, "no-gain.h5", archiveParts({}, [parts]));
  await using archive = await connect(gainless);
  const request = { bl: 3, run: 7, format: "nxmx", cameraLengthMm: 100, dark: "none" } as const;
  await expect(convert(archive, request, join(folder, "photons.h5"))).rejects.toMatchObject({
    code: "UNSUPPORTED",
    message: expect.stringMatching(
      /M06-002 has no gain, .* keep the pixels as they are with the format dataconvert\.$/,
    ),
  });
  const data = Float32Array.from({ length: 12 }, (_, i) => i);
  const path = await writeHdf5(folder, "no-place.h5", { "/entry/data/data": { data, shape: [2, 2, 3] } });
  await using other = await connect(path);
  await expect(convert(other, { ...request, run: 1 }, join(folder, "photons.h5"))).rejects.toMatchObject({
    code: "BAD_GEOMETRY",
    message: expect.stringMatching(/^nxmx has no geometry, .* keep the images as they are with the format dataconvert/),
  });
  const kept = join(folder, "kept.h5");
  expect(await convert(other, { bl: 3, run: 1, format: "dataconvert" }, kept)).toMatchObject({ images: 2 });
  const copy = await openArchive(kept);
  const out = new Float32Array(6);
  await copy.readFrame(3, 1, "nxmx", 2, out);
  expect([...out]).toEqual([6, 7, 8, 9, 10, 11]);
  await copy.close();
});

it("a run without shutter signals has no dark, and the message names what to do", async () => {
  const parts = runParts(7, 3);
  for (const path of Object.keys(parts)) if (path.includes("shutter")) parts[path] = undefined;
  const path = await writeHdf5(folder, "no-shutter.h5", archiveParts({}, [parts]));
  await using archive = await connect(path);
  const request = { bl: 3, run: 7, format: "dataconvert" } as const;
  await expect(convert(archive, { ...request, dark: "head" }, join(folder, "dark.h5"))).rejects.toMatchObject({
    code: "NO_DARK",
    message: expect.stringMatching(
      /^Run 7 has no shutter signals, .*; name a dark run, or convert with --dark none\.$/,
    ),
  });
  expect(await convert(archive, { ...request, dark: "none" }, join(folder, "raw.h5"))).toMatchObject({ images: 3 });
});
