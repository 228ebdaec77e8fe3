import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { SaclaError } from "../../../../src/core/errors.ts";
import { H5File } from "../../../../src/hdf5/read/h5file.ts";
import { attempt, loadH5 } from "../../../../src/hdf5/read/library.ts";
import { writeHdf5 } from "../../../support/archive-parts.ts";
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

it("a file that was written anew is opened as it is now, while it is still open as it was", async () => {
  const folder = temporaryFolder();
  const file = join(folder, "rewritten.h5");
  const write = async (length: number): Promise<void> => {
    await writeHdf5(folder, "new.h5", { "/list": { data: Float64Array.from({ length }, (_, i) => i) } });
    // In its place, as h5py does: the inode stays.
    writeFileSync(file, readFileSync(join(folder, "new.h5")));
  };
  await write(3);
  const before = await H5File.open(file);
  expect(before.shape("/list")).toEqual([3]);
  await write(500);
  const after = await H5File.open(file);
  expect(after.shape("/list")).toEqual([500]);
  expect(after.numbers("/list")?.at(-1)).toBe(499);
  expect(() => before.numbers("/list")).toThrow(expect.objectContaining({ code: "FILE_CHANGED" }));
  before.close();
  expect(after.numberAt("/list", 250)).toBe(250);
  after.close();
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
