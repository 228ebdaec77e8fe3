import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { DamagedStructure, Hdf5Bytes } from "../../../../src/hdf5/direct/bytes.ts";
import { chunksIn } from "../../../../src/hdf5/direct/chunk-index.ts";
import { datasetAt } from "../../../../src/hdf5/direct/dataset.ts";
import { objectAt } from "../../../../src/hdf5/direct/group.ts";
import { treeNode } from "../../../../src/hdf5/direct/tree.ts";
import { itNeeding, pythonWith } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const python = pythonWith("numpy", "h5py");
const folder = temporaryFolder();

describe("chunks of a dataset with an axis without limit", () => {
  itNeeding(python !== undefined, "no Python with h5py", "stand where h5py finds them", () => {
    const path = join(folder, "extensible.h5");
    const script = fileURLToPath(new URL("chunks.py", import.meta.url));
    const answer = execFileSync(python ?? "", [script, path], { encoding: "utf8", maxBuffer: 2 ** 26 });
    const truth = JSON.parse(answer) as Record<string, number[][]>;
    const file = Hdf5Bytes.open(path);
    for (const [name, expected] of Object.entries(truth)) {
      const { layout, shape, itemBytes } = datasetAt(file, objectAt(file, `/${name}`));
      if (layout.kind !== "chunks") throw new Error(`${name} has no chunks`);
      const found = chunksIn(file, layout, shape, itemBytes).map(({ offset, address }) => [...offset, address]);
      expect([name, found.toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0) || (a[1] ?? 0) - (b[1] ?? 0))]).toEqual([
        name,
        expected,
      ]);
    }
    file.close();
  });
});

describe("a version 1 B-tree", () => {
  /** A superblock of version 0 and two nodes of a tree of chunks behind it, with these levels. */
  const fileWith = (levels: readonly number[], entries = 1, length = 4 * 2096): Hdf5Bytes => {
    const bytes = Buffer.alloc(96 + length);
    bytes.write("\x89HDF\r\n\x1a\n", 0, "latin1");
    bytes.writeUInt32LE(bytes.length, 40);
    for (const [i, level] of levels.entries()) {
      bytes.write("TREE", 96 + 2096 * i, "latin1");
      bytes.writeUInt8(1, 96 + 2096 * i + 4);
      bytes.writeUInt8(level, 96 + 2096 * i + 5);
      bytes.writeUInt16LE(entries, 96 + 2096 * i + 6);
    }
    const path = join(folder, `tree-${levels.join("-")}-${entries}-${length}.h5`);
    writeFileSync(path, bytes);
    return Hdf5Bytes.open(path);
  };

  it("whose levels do not fall is refused at the first node that does not, whatever it leads to", () => {
    const file = fileWith([1, 1, 0]);
    expect(treeNode(file, 96, 1, 24, undefined).level).toBe(1);
    expect(() => treeNode(file, 96 + 2096, 1, 24, 1)).toThrow(DamagedStructure);
    expect(treeNode(file, 96 + 2 * 2096, 1, 24, 1)).toHaveLength(1);
    file.close();
  });

  it("is refused with more entries than a node has, and where the file ends inside a node, used or not", () => {
    for (const [file, isGood] of [
      [fileWith([0], 64), true],
      [fileWith([0], 65), false],
      [fileWith([0], 1, 24 + 64 * 32 + 24), true],
      [fileWith([0], 1, 24 + 64 * 32 + 23), false],
    ] as const) {
      const read = (): unknown => treeNode(file, 96, 1, 24, undefined);
      if (isGood) expect(read).not.toThrow();
      else expect(read).toThrow(DamagedStructure);
      file.close();
    }
  });
});
