import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { foundBeside } from "../../../../src/hdf5/direct/external.ts";

it("foundBeside: a file that was moved away since it was opened has nothing beside it", () => {
  expect(foundBeside(join(tmpdir(), "sacla-moved-away", "run.h5"), "sacla-no-such-images.h5")).toBeUndefined();
});
