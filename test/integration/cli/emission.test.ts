import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { cli } from "../../support/fake-io.ts";

it("sacla emission tells of pixels left out, in a line and in its JSON", async () => {
  const [rows, columns] = [1024, 512];
  const curve = {
    ...{ axis: "columns", rows, columns, middleEv: 10_000, halfEv: 50, middlePx: 511.5, halfPx: 511.5 },
    ...{ coefficients: [255.5, 200, 0, 0, 0, 0], lines: [], blurRmsEv: 1, reducedChiSquare: 1, errorScale: 1 },
    covariance: Array.from({ length: 6 }, () => [0, 0, 0, 0, 0, 0]),
  };
  const folder = mkdtempSync(join(tmpdir(), "sacla-emission-"));
  try {
    const path = join(folder, "curve.json");
    writeFileSync(path, JSON.stringify(curve));
    const sensor = "MPCCD-8N0-3-002-1";
    const { out, err } = await cli([
      "emission",
      "newest",
      sensor,
      "--url",
      "sim:?clock=virtual",
      "--curve",
      path,
      "-n",
      "2",
      "--json",
    ]);
    // A powder ring is no emission line: of two shots some pixels have too many photons.
    const [, said] = /^(\d+) pixels left out: .*\(.*hot pixels\)\n$/m.exec(err) ?? [];
    expect(Number(said)).toBeGreaterThan(0);
    expect(JSON.parse(out)).toMatchObject({ outliers: Number(said) });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
