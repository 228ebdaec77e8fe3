import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { SaclaError } from "../../../../src/core/errors.ts";
import { H5File } from "../../../../src/hdf5/read/h5file.ts";
import { attempt, loadH5 } from "../../../../src/hdf5/read/library.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const fixture = fileURLToPath(new URL("../../../../fixtures/tiny-octal.h5", import.meta.url));
const path = "/run_300001/event_info/tag_number_list";

it("a pipe, which a link or a list of raw files may name, is not opened", async () => {
  const pipe = join(temporaryFolder(), "pipe");
  execFileSync("mkfifo", [pipe]);
  // A writer is there, so that nothing waits should it be opened.
  const writer = openSync(pipe, constants.O_RDWR);
  const { FS } = await loadH5();
  expect(() => FS.open(pipe, "r")).toThrow();
  closeSync(writer);
  const stream = FS.open(fixture, "r");
  FS.close(stream);
});

it("files that are open, and others, are read after the HDF5 library was ended and started again", async () => {
  const file = await H5File.open(fixture);
  const before = file.numbers(path);
  const closed = await H5File.open(fixture);
  const trap = Object.assign(new Error("unreachable"), { name: "RuntimeError" });
  for (let round = 0; round < 3; round++) {
    const old = await loadH5();
    expect(() =>
      attempt(
        () => {
          throw trap;
        },
        (reason) => new SaclaError("FILE_DAMAGED", reason),
      ),
    ).toThrow("unreachable");
    // Until it has started: an error with a code, and not the old instance.
    expect(() => file.numbers(path)).toThrow(expect.objectContaining({ code: "FILE_DAMAGED" }));
    expect(await loadH5()).not.toBe(old);
    expect(file.numbers(path)).toEqual(before);
    const other = await H5File.open(fixture);
    expect(other.numbers(path)).toEqual(before);
    other.close();
  }
  // Opened in an instance that is gone.
  closed.close();
  file.close();
});
