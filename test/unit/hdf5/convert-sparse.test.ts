import { join } from "node:path";
import { expect, it } from "vitest";
import { connect, Facility } from "../../../src/connect.ts";
import { convert } from "../../../src/hdf5/index.ts";
import { archiveParts, runParts, writeHdf5 } from "../../support/archive-parts.ts";
import { counting } from "../../support/counting.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();

it("convert asks for images only of shots that have some, and for values in one question", async () => {
  const tags = Array.from({ length: 60 }, (_, i) => 101 + 2 * i);
  const parts = runParts(7, 3, tags);
  const [lost, ...there] = [105, 109, 151];
  for (const tag of tags) {
    const group = `/run_7/detector_2d_1/tag_${tag}`;
    if (!there.includes(tag)) parts[`${group}/detector_data`] = undefined;
    if (!there.includes(tag)) parts[`${group}/detector_status`] = undefined;
  }
  // Of this one there is something, and no image.
  parts[`/run_7/detector_2d_1/tag_${lost}/detector_data`] = { data: 0, softLink: "/nowhere" };
  const path = await writeHdf5(folder, "sparse.h5", archiveParts({}, [parts]));
  await using archive = await connect(path);
  const endpoint = counting(archive.endpoint);
  const out = join(folder, "out.h5");
  const { ledger, images } = await convert(new Facility(endpoint), { bl: 3, run: 7 }, out);
  const asked = (method: string) => endpoint.asked.filter((question) => question.startsWith(`${method} `));
  expect(asked("st.frames").map((question) => Object.values(JSON.parse(question.slice(10)).tags))).toEqual([there]);
  // One to know the units, one for all shots.
  expect(asked("db.readColumns")).toHaveLength(2);
  expect(images).toBe(2);
  expect(ledger).toMatchObject({ asked: 60, used: 60, notes: { "frame-source-gone": 1 } });
  await using copy = await connect(out);
  const run = await copy.run(3, 7);
  const { values } = await run.column("bl_3/tc/bm_1_pd_charge");
  expect([...values]).toEqual(tags.map((_, i) => i + 0.5));
  expect([...(await run.tags({ detector: "MPCCD-1N0-M06-002" }))]).toEqual(there);
});
