import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { openArchive } from "../../../../src/hdf5/index.ts";
import { cli } from "../../../support/fake-io.ts";
import { itNeeding, pythonWith } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const python = pythonWith("numpy", "h5py");
const folder = temporaryFolder();
const [bl, run, detId] = [3, 7, "MPCCD-1N0-M06-002"];

/** The first pixel of each image, or why there is none. */
async function imagesOf(name: string): Promise<unknown[]> {
  const archive = await openArchive(join(folder, `${name}.h5`));
  try {
    const found: unknown[] = [];
    for (const tag of await archive.tags(bl, run)) {
      const out = new Float32Array(6);
      const reading = async () => ((await archive.readFrame(bl, run, detId, tag, out)) ? out[0] : "absent");
      found.push(await reading().catch((error) => error.details?.reason ?? error.code));
    }
    return found;
  } finally {
    await archive.close();
  }
}

itNeeding(
  python !== undefined,
  "no Python with numpy and h5py",
  "a file that another process writes: whole shots are read where HDF5 lets others read, else it is said",
  async () => {
    const script = fileURLToPath(new URL("being-written.py", import.meta.url));
    const writer = spawn(python ?? "", [script, folder], { stdio: ["pipe", "pipe", "inherit"] });
    try {
      const lines = createInterface(writer.stdout)[Symbol.asyncIterator]();
      const step = async (): Promise<unknown> => (await lines.next()).value;
      expect(await step()).toBe("written");
      const none = "frame-not-written";
      for (const name of ["earliest", "swmr"])
        expect([name, ...(await imagesOf(name))]).toEqual([name, 101, none, none]);
      // Its superblock says that a writer has it open, and lets no one read.
      const open = { code: "FILE_DAMAGED", message: expect.stringMatching(/writ.*h5clear/s) };
      await expect(openArchive(join(folder, "latest.h5"))).rejects.toMatchObject(open);
      const changing = await openArchive(join(folder, "earliest.h5"));
      writer.stdin.write("\n");
      expect(await step()).toBe("more");
      for (const name of ["earliest", "swmr"])
        expect([name, ...(await imagesOf(name))]).toEqual([name, 101, 103, none]);
      const again = async () => await changing.readFrame(bl, run, detId, 101, new Float32Array(6));
      await expect(again()).rejects.toMatchObject({ message: expect.stringMatching(/changed/) });
      await changing.close();
      const { code, out } = await cli(["stats", `${run}`, "--bl", `${bl}`, "--url", join(folder, "swmr.h5")]);
      expect([code, out]).toEqual([0, expect.stringMatching(/2 of 3 shots of run 7 have everything/)]);
      writer.stdin.end("\n");
      expect(await step()).toBe("closed");
      expect(await imagesOf("latest")).toEqual([101, none, none]);
    } finally {
      writer.kill();
    }
  },
);
