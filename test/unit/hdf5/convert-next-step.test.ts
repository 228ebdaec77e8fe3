import { join } from "node:path";
import { expect, it } from "vitest";
import { connect } from "../../../src/connect.ts";
import { type ConvertRequest, convert, openArchive } from "../../../src/hdf5/index.ts";
import { archiveParts, runParts, writeHdf5 } from "../../support/archive-parts.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();
const SHIFT = "/run_7/detector_2d_1/detector_info/manipulator_position_in_micro_meter";

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

it("where no shot is left, the message names what to ask for otherwise", async () => {
  const parts = runParts(7, 3);
  parts["/run_7/event_info/bl_3/shutter_1_open_valid_status"] = { data: Int32Array.of(0, 0, 1) };
  parts[SHIFT] = { data: Float32Array.of(0), shape: [] };
  const path = await writeHdf5(folder, "none-left.h5", archiveParts({}, [parts]));
  await using archive = await connect(path);
  const asked = { bl: 3, run: 7, format: "nxmx", cameraLengthMm: 100, dark: "none" } as const;
  const out = join(folder, "none.h5");
  const refused = async (more: Partial<ConvertRequest>): Promise<string> =>
    await convert(archive, { ...asked, ...more }, out).then(
      () => "",
      ({ code, message }) => `${code}: ${message}`,
    );
  expect(await refused({ where: ["bl_3/tc/bm_1_pd_charge > 100"], shots: "exposed" })).toMatch(
    /^NO_SHOTS: No shot of run 7 .* 3: 2 dark, 1 condition; ask for others, or more, with --class exposed, --where\.$/,
  );
  expect(await refused({ format: "cxi" })).toMatch(
    /^NO_SHOTS: None of the 3 shots is a hit .*--hit-photons\); the format nxmx has all shots\.$/,
  );
  expect(await refused({ shots: "exposed", tags: [105], dark: 7 })).toBe("");
});

it("a stack is of the detector, not of a camera that the file has first", async () => {
  const parts = { ...runParts(7, 3), [SHIFT]: { data: Float32Array.of(0), shape: [] } };
  const named = { "/run_7/detector_2d_1/detector_info/detector_name": { data: "OPAL-234078", dtype: "A17" } };
  const second = Object.entries(parts).flatMap(([place, part]) =>
    place.includes("/detector_2d_1/") ? [[place.replace("detector_2d_1", "detector_2d_2"), part]] : [],
  );
  const both = archiveParts({}, [{ ...parts, ...named, ...Object.fromEntries(second) }]);
  const path = await writeHdf5(folder, "camera-first.h5", both);
  await using archive = await connect(path);
  const request = { bl: 3, run: 7, format: "nxmx", cameraLengthMm: 100, dark: "none" } as const;
  const { provenance } = await convert(archive, request, join(folder, "camera.h5"));
  expect(provenance.constants.sensors).toMatchObject([{ id: "MPCCD-1N0-M06-002" }]);
});

it("open halves are refused before a shot is read, with what can be done", async () => {
  const path = await writeHdf5(folder, "open.h5", archiveParts());
  await using archive = await connect(path);
  const request = { bl: 3, run: 7, format: "nxmx", cameraLengthMm: 100, dark: "none" } as const;
  let reads = 0;
  const done = convert(archive, request, join(folder, "opened.h5"), { onProgress: () => reads++ });
  await expect(done).rejects.toMatchObject({
    code: "BAD_GEOMETRY",
    message: expect.stringMatching(/open by 12 µm .* one by one, and converted with the format dataconvert\.$/),
  });
  expect(reads).toBe(0);
});
