import { expect, it } from "vitest";
import { contrastOf } from "../../../src/reduce/reducers/speckle-contrast.ts";

it("is not known, and has no error that looks small, with no more photons than the noise makes", () => {
  const columns = [1e-3, 2e-6, 1e-6, 1e-10, 0, 36_000, 6e-3, 0];
  const found = contrastOf(
    Uint32Array.of(1, 2),
    columns.map((value) => Float64Array.of(value, value)),
  );
  expect(found).toMatchObject({ contrast: NaN, contrastError: NaN, undetermined: "too-few-photons" });
  expect(found.photonsPerPixel).toBe(1e-3);
});
