import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { H5Browser, pathIn, writeTree } from "../../../src/hdf5/index.ts";
import { loadH5 } from "../../../src/hdf5/read/library.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const above = temporaryFolder();
const folder = join(above, "served");
mkdirSync(folder);
const fixture = fileURLToPath(new URL("../../../fixtures/tiny-octal.h5", import.meta.url));
const whole = (offset: number[], count: number[]) => ({ offset, count, step: count.map(() => 1) });

describe("looking into the HDF5 files of a folder", () => {
  it("lists groups, datasets with type and shape, and attributes", async () => {
    await writeTree(join(folder, "a.h5"), { entry: { data: Uint32Array.of(160_697_001, 7), name: "octal", x: 1.5 } });
    const browser = await H5Browser.open(folder);
    expect((await browser.files()).map(({ name }) => name)).toEqual(["a.h5"]);
    const root = await browser.look("a.h5", "/");
    expect(root).toMatchObject({ kind: "group", path: "/", members: [{ name: "entry", kind: "group" }] });
    const entry = await browser.look("a.h5", "/entry/");
    expect(entry.members).toEqual([
      { name: "data", kind: "dataset", what: "u4 of shape [2]" },
      { name: "name", kind: "dataset", what: "one text" },
      { name: "x", kind: "dataset", what: "one f8" },
    ]);
    expect(await browser.look("a.h5", "/entry/data")).toMatchObject({ kind: "dataset", shape: [2], holds: "numbers" });
    expect([...(await browser.numbers("a.h5", "/entry/data", whole([0], [2])))]).toEqual([160_697_001, 7]);
    expect([...(await browser.numbers("a.h5", "/entry/x", whole([], [])))]).toEqual([1.5]);
    expect(await browser.texts("a.h5", "/entry/name")).toEqual(["octal"]);
    const tiny = await H5Browser.open(fixture);
    expect((await tiny.files()).map(({ name }) => name)).toEqual(["tiny-octal.h5"]);
    expect((await tiny.look("tiny-octal.h5", "/")).members.length).toBeGreaterThan(1);
  });

  it("refuses what is not there, what is too much, and files that are not in the folder", async () => {
    const browser = await H5Browser.open(folder);
    await writeTree(join(above, "secret.h5"), { secret: 42 });
    symlinkSync(join(above, "secret.h5"), join(folder, "link.h5"));
    writeFileSync(join(folder, "notes.txt"), "no HDF5");
    expect((await browser.files()).map(({ name }) => name)).toEqual(["a.h5"]);
    for (const name of ["link.h5", "../secret.h5", "notes.txt", "", join(above, "secret.h5")])
      await expect(browser.look(name, "/")).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(browser.look("a.h5", "/entry/none")).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(browser.numbers("a.h5", "/entry/data", whole([1], [2]))).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
    await expect(browser.numbers("a.h5", "/entry/data", whole([0, 0], [1, 1]))).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
    await expect(H5Browser.open(join(above, "none"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });

  it("follows soft links, and no link to another file by any way", async () => {
    const path = join(folder, "links.h5");
    await writeTree(path, { group: { data: Float64Array.of(1, 2, 3) } });
    const h5 = await loadH5();
    const id = h5.open(path, h5.H5F_ACC_RDWR, false, -1, -1);
    h5.create_soft_link(id, "/group", "/soft");
    h5.create_external_link(id, join(above, "secret.h5"), "/", "/out");
    h5.create_soft_link(id, "/out/secret", "/hidden");
    h5.create_soft_link(id, "/round", "/round");
    h5.close_file(id);
    const browser = await H5Browser.open(folder);
    expect((await browser.look("links.h5", "/")).members).toEqual(
      expect.arrayContaining([
        { name: "soft", kind: "link", what: "→ /group" },
        { name: "out", kind: "link", what: `→ / of ${join(above, "secret.h5")}` },
        { name: "hidden", kind: "link", what: "→ /out/secret" },
      ]),
    );
    expect(await browser.look("links.h5", "/soft/data")).toMatchObject({ path: "/group/data", shape: [3] });
    for (const out of ["/out", "/out/secret", "/hidden"]) {
      await expect(browser.look("links.h5", out), out).rejects.toMatchObject({ code: "NOT_ALLOWED" });
      await expect(browser.numbers("links.h5", out, whole([], [])), out).rejects.toMatchObject({ code: "NOT_ALLOWED" });
    }
    await expect(browser.look("links.h5", "/round")).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
  });

  const python = pythonWith("h5py");
  itNeeding(python !== undefined, "no Python with h5py", "reads no values from files outside the folder", async () => {
    await writeTree(join(folder, "b.h5"), { data: Float64Array.of(5, 6) });
    writeFileSync(join(above, "raw.bin"), new Uint8Array(Float64Array.of(8, 9).buffer));
    const program = `
import h5py, sys
with h5py.File(sys.argv[1] + "/virtual.h5", "w") as f:
    for name, source in (("in", "b.h5"), ("out", sys.argv[2] + "/secret.h5")):
        layout = h5py.VirtualLayout(shape=(2,), dtype="f8")
        layout[:1] = h5py.VirtualSource(source, "data" if name == "in" else "secret", shape=(2,) if name == "in" else (1,))[:1]
        f.create_virtual_dataset(name, layout)
    f.create_dataset("raw", shape=(2,), dtype="f8", external=[(sys.argv[2] + "/raw.bin", 0, 16)])
    f["plain"] = [1.0, 2.0]
    f.attrs["note"] = "of today"
    f["plain"].attrs["numbers"] = [1, 2]
`;
    execFileSync(python ?? "", ["-c", program, folder, above]);
    const browser = await H5Browser.open(folder);
    const look = await browser.look("virtual.h5", "/");
    expect(look.attributes).toEqual([{ name: "note", value: "of today" }]);
    expect((await browser.look("virtual.h5", "/plain")).attributes).toEqual([{ name: "numbers", value: "1, 2" }]);
    expect([...(await browser.numbers("virtual.h5", "/plain", whole([0], [2])))]).toEqual([1, 2]);
    expect((await browser.numbers("virtual.h5", "/in", whole([0], [1])))[0]).toBe(5);
    for (const out of ["/out", "/raw"])
      await expect(browser.numbers("virtual.h5", out, whole([0], [2])), out).rejects.toMatchObject({
        code: "NOT_ALLOWED",
      });
    // A single file that is served is all that is read.
    const alone = await H5Browser.open(join(folder, "virtual.h5"));
    await expect(alone.numbers("virtual.h5", "/in", whole([0], [1]))).rejects.toMatchObject({ code: "NOT_ALLOWED" });
  });

  it("knows which addresses name files", () => {
    expect(pathIn("night.h5?bl=3")).toBe("night.h5");
    expect(pathIn("file:runs")).toBe("runs");
    expect(pathIn("file:///data/a%20b.h5")).toBe("/data/a b.h5");
    expect(pathIn("sim:?seed=1")).toBeUndefined();
    expect(pathIn("tcp://server:5555")).toBeUndefined();
  });
});
