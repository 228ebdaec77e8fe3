import { expect, it } from "vitest";
import { archiveParts, runParts, writeHdf5 } from "../../support/archive-parts.ts";
import { cli } from "../../support/fake-io.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();

it("without a signal of the shutter all shots are averaged, and it is said; a class asked for is refused", async () => {
  const parts = runParts();
  for (const place of Object.keys(parts)) if (place.includes("shutter")) parts[place] = undefined;
  const url = await writeHdf5(folder, "no-shutter.h5", archiveParts({}, [parts]));
  const whole = await cli(["average", "newest", "--url", url, "--json"]);
  expect([whole.code, whole.err]).toEqual([0, expect.stringContaining("so all its shots are taken")]);
  const { ledger } = JSON.parse(whole.out) as { ledger: { asked: number; used: number } };
  expect(ledger).toMatchObject({ asked: 3, used: 3 });
  const refused = await cli(["average", "newest", "--class", "exposed", "--url", url]);
  expect([refused.code, refused.err]).toEqual([
    1,
    expect.stringMatching(/UNKNOWN_SIGNAL.*take all shots \(--class all\)/),
  ]);
});
