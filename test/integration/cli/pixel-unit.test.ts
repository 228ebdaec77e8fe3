import { expect, it } from "vitest";
import { archiveParts, runParts, writeHdf5 } from "../../support/archive-parts.ts";
import { cli } from "../../support/fake-io.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();
const data = Float32Array.from({ length: 24 }, (_, i) => i / 100);
const photons = await writeHdf5(folder, "photons.h5", {
  "/entry/data/data": { data, shape: [2, 3, 4] },
  "/entry/data/data_scale_factor": { data: Float64Array.of(1), shape: [] },
});
const adu = await writeHdf5(folder, "adu.h5", archiveParts({}, [runParts(7, 3)]));

it.each([
  ["photons of NXmx", photons, "1", "photons"],
  ["ADU of DataConvert", adu, "7", "ADU"],
])("commands name the unit of the pixels: %s", async (_, file, run, unit) => {
  const asked = async (...words: string[]) => await cli([...words, "--url", `file:${file}`]);
  const average = await asked("average", run, "--dark", "none", "--class", "all");
  expect(average).toMatchObject({ code: 0 });
  expect(average.out).toContain(`sum ${unit}`);
  const histogram = await asked("histogram", run, "--dark", "none", "--class", "all");
  expect(histogram.out).toContain(`peak ${unit}`);
  const numbers = await asked("average", run, "--dark", "none", "--class", "all", "--json");
  expect(JSON.parse(numbers.out)).toMatchObject({ unit });
});
