import { describe, expect, it } from "vitest";
import { fileFormats, layoutRules, openArchive, validateFile } from "../../../../src/hdf5/index.ts";
import { layouts, writingOf } from "../../../../src/hdf5/layouts/index.ts";
import { archiveParts, writeHdf5 } from "../../../support/archive-parts.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();

describe("the layouts", () => {
  it("have a row for every format that can be written, with names used once", () => {
    for (const format of fileFormats) expect(writingOf(format).missing.length).toBeGreaterThan(0);
    expect(new Set(layouts.map(({ name }) => name)).size).toBe(layouts.length);
  });

  it("bring their rules along; a shared rule says the same everywhere", () => {
    for (const { rules } of layouts) expect(layoutRules).toMatchObject(rules);
  });

  it.each([
    ["DataConvert", archiveParts({}), "dataconvert"],
    ["Cheetah", { "/tag-101/data": { data: new Uint16Array(4), shape: [2, 2] } }, "cheetah"],
    ["NXmx", { "/entry/definition": { data: "NXmx", dtype: "A4" } }, "nxmx"],
    ["another", { "/images": { data: 1 } }, "unknown"],
  ])("recognise %s", async (name, parts, format) => {
    expect((await validateFile(await writeHdf5(folder, `${name}.h5`, parts))).format).toBe(format);
  });

  it.each([
    ["Cheetah", { "/tag-101/data": { data: new Uint16Array(4), shape: [2, 2] } }, /has the Cheetah layout \(tag-<n>/],
    ["NXmx", { "/entry/definition": { data: "NXmx", dtype: "A4" } }, /has the NXmx layout .* It reads DataConvert/],
  ])("are named when one is opened that cannot be read: %s", async (name, parts, message) => {
    await expect(openArchive(await writeHdf5(folder, `${name}-open.h5`, parts))).rejects.toMatchObject({
      code: "NOT_DATACONVERT",
      message: expect.stringMatching(message),
    });
  });
});
