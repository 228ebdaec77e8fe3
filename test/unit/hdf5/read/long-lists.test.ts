import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Db } from "../../../../src/db/index.ts";
import { openArchive } from "../../../../src/hdf5/index.ts";
import { H5File } from "../../../../src/hdf5/read/h5file.ts";
import { H5Writer } from "../../../../src/hdf5/write/writer.ts";
import { endpointOf } from "../../../../src/source/index.ts";
import { archiveParts, writeHdf5 } from "../../../support/archive-parts.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
const LENGTH = 120_000;

describe("long lists of numbers", () => {
  it("are the same read without the library, of every type and storage", async () => {
    const path = join(folder, "lists.h5");
    const lists = {
      f8: Float64Array.from({ length: LENGTH }, (_, i) => (i % 7 === 0 ? NaN : Math.sin(i))),
      f4: Float32Array.from({ length: LENGTH }, (_, i) => Math.sin(i)),
      i4: Int32Array.from({ length: LENGTH }, (_, i) => i - 60_000),
      u4: Uint32Array.from({ length: LENGTH }, (_, i) => 4_000_000_000 + i),
      i2: Int16Array.from({ length: LENGTH }, (_, i) => i % 300),
      u1: Uint8Array.from({ length: LENGTH }, (_, i) => i % 256),
      i8: BigInt64Array.from({ length: LENGTH }, (_, i) => -BigInt(i)),
    };
    const writer = await H5Writer.create(path, 0);
    for (const [name, values] of Object.entries(lists)) {
      writer.numbers(`/${name}`, values);
      writer.numbers(`/chunked/${name}`, values, [LENGTH], { chunks: [5000] });
    }
    writer.close();
    const file = await H5File.open(path);
    for (const [name, values] of Object.entries(lists)) {
      expect(file.list(`/${name}`)).toEqual(values);
      expect(file.list(`/chunked/${name}`)).toEqual(values);
      expect(file.numbers(`/${name}`)).toEqual(Float64Array.from(values, Number));
      expect(file.lengthOf(`/${name}`)).toBe(LENGTH);
      expect(file.numberAt(`/${name}`, LENGTH - 1)).toBe(Number(values.at(-1)));
      expect(file.numberAt(`/${name}`, LENGTH)).toBeUndefined();
    }
    file.close();
  });

  it("of a run are given whole, in pieces and by single tags, and belong to whoever asked", async () => {
    const tags = Int32Array.from({ length: LENGTH }, (_, i) => 1001 + 2 * i);
    const charge = Float64Array.from(tags, (tag) => (tag % 10 === 1 ? NaN : tag % 10 === 3 ? Infinity : tag / 4));
    const events = "/run_7/event_info";
    const path = await writeHdf5(
      folder,
      "long.h5",
      archiveParts({
        [`${events}/tag_number_list`]: { data: tags },
        // The first shot has no time.
        [`${events}/time_stamp`]: { data: Float64Array.from(tags, (tag) => (tag === 1001 ? NaN : 1.5e9 + tag / 60)) },
        [`${events}/bl_3/tc/bm_1_pd_charge`]: { data: charge },
        "/run_7/run_info/start_tag_number": { data: Int32Array.of(1001), shape: [] },
        "/run_7/run_info/end_tag_number": { data: Int32Array.of(1001 + 2 * LENGTH), shape: [] },
      }),
    );
    const source = await openArchive(path);
    const run = await new Db(endpointOf(source)).run(3, 7);
    expect(run.startTime.getTime()).toBeCloseTo(1000 * (1.5e9 + 1001 / 60), -1);
    const status = Array.from(charge, (value) => (Number.isNaN(value) ? 1 : value === Infinity ? 2 : 0));
    const values = charge.map((value) => (Number.isFinite(value) ? value : NaN));
    for (let again = 0; again < 2; again++) {
      const whole = await run.column("bl_3/tc/bm_1_pd_charge");
      expect(whole.values).toEqual(values);
      expect([...whole.status]).toEqual(status);
      whole.values.fill(0);
      const piece = await run.column("bl_3/tc/bm_1_pd_charge", (await run.tags()).slice(100_000, 110_000));
      expect(piece.values).toEqual(values.slice(100_000, 110_000));
      piece.values.fill(0);
      const few = await run.column("bl_3/tc/bm_1_pd_charge", [1003, 1005, 200_001]);
      expect([...few.values]).toEqual([NaN, 251.25, NaN]);
      expect([...few.status]).toEqual([2, 0, 1]);
    }
    await source.close();
  });
});
