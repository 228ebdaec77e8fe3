import { expect, it } from "vitest";
import { absenceOf } from "../../../../src/hdf5/read/absence.ts";
import type { H5File } from "../../../../src/hdf5/read/h5file.ts";

it("a virtual dataset is missing where its source is no other", () => {
  const file: object = {
    linkOut: () => undefined,
    kind: () => "dataset",
    virtualSources: () => [{ name: ".", dataset: "/image" }],
    sibling: () => file,
  };
  const absence = absenceOf(file as unknown as H5File, "/image", null);
  expect(absence).toEqual({ reason: "source-gone", what: "it is virtual, and it is its own source" });
});
