import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  BatchFolder,
  mergeReduction,
  planReduction,
  reduceShard,
  type ShardInHand,
  shardSetting,
  shardState,
} from "../../../src/batch/index.ts";
import { connect } from "../../../src/connect.ts";
import { asImage } from "../../../src/core/ndarray.ts";
import { writeTree } from "../../../src/hdf5/index.ts";
import { H5File } from "../../../src/hdf5/read/h5file.ts";
import { Assembler, fromBeamCentre, toPoni } from "../../../src/ip/index.ts";
import {
  correct,
  darkAverage,
  droplets,
  filterShots,
  histogram,
  mean,
  radialProfile,
  reduce,
} from "../../../src/reduce/index.ts";
import { cli } from "../../support/fake-io.ts";
import { cases } from "../../support/full.ts";
import { manyShotsRequest, writeManyShots } from "../../support/many-shots.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const source = await writeManyShots(folder, 200);
writeFileSync(at("request.json"), JSON.stringify(manyShotsRequest));

const reduceTo = async (out: string, ...options: string[]) =>
  await cli(["reduce", "7", at("request.json"), "--url", source, "-o", at(out), ...options]);

async function made(out: string, ...options: string[]): Promise<Buffer> {
  const { code, err } = await reduceTo(out, ...options);
  expect([code, err]).toEqual([0, ""]);
  expect(existsSync(at(`${out}.parts`))).toBe(options.includes("--keep"));
  return readFileSync(at(out));
}

describe("sacla reduce", () => {
  it("gives the numbers of the library, in one file", async () => {
    await made("one.h5");
    await using facility = await connect(source);
    const run = await facility.run(3, 7);
    const detectors = ["MPCCD-1N0-M06-002"];
    const dark = await darkAverage(facility.shots({ run, detectors, tags: await run.darkTags() }));
    const tags = await filterShots(await run.exposedTags(), [
      { equipId: "xfel_bl_3_tc_bm_1_pd/charge", where: (charge) => charge > 30 },
    ]);
    const { average, adu, drops, ledger } = await reduce(
      facility.shots({ run, detectors, tags }),
      { average: mean(), adu: histogram({ from: -20, to: 40 }), drops: droplets({ aduPerPhoton: 6 }) },
      { dark, corrections: [correct.between(-100, 5000)], selection: tags },
    );
    const file = await H5File.open(at("one.h5"));
    const [id = ""] = detectors;
    const image = new Float32Array(32 * 24);
    file.readImage(`/average/${id}`, 32, 24, image);
    expect(image).toEqual(Float32Array.from(average[id]?.data ?? []));
    expect(file.numbers(`/adu/${id}/counts`)).toEqual(adu[id]?.counts);
    expect(file.numbers(`/drops/${id}/perShot`)).toEqual(drops[id]?.perShot);
    expect(file.number("/ledger/used")).toBe(ledger.used);
    expect(file.number("/ledger/asked")).toBe(200);
    expect([...(file.numbers("/ledger/dropped/dark") ?? [])]).toHaveLength(20);
    const counts = file.numbers("/cubes/charge/all/counts") ?? new Float64Array();
    expect([...counts].reduce((a, b) => a + b, 0)).toBe(ledger.used);
    expect(JSON.parse(file.text("/provenance/request") ?? "")).toMatchObject({ ...manyShotsRequest, dark: "head" });
    file.close();
  });

  it("names shots at which the monitor or a signal is cut off", async () => {
    const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
    mkdirSync(at("clipped"));
    const charge = Float32Array.from({ length: 100 }, (_, k) => Math.min(k + 0.5, 80));
    const parts = { "/run_7/event_info/bl_3/tc/bm_1_pd_charge": { data: charge } };
    const clipped = await writeManyShots(at("clipped"), 100, 20, parts);
    const axes = [{ name: "charge", of: bm1, from: 0, to: 100, step: 100 }];
    const request = {
      reducers: { image: { kind: "normalised", equipId: bm1, reference: 50 } },
      cubes: { charge: { axes, signals: [bm1], normaliseBy: bm1 } },
    };
    writeFileSync(at("clipped/request.json"), JSON.stringify(request));
    const args = ["reduce", "7", at("clipped/request.json"), "--url", clipped, "-o", at("clipped/out.h5")];
    const { out } = await cli([...args, "--shards", "3", "--json"]);
    const notes = { "i0-clipped": 20, "signal-clipped": 20 };
    expect(JSON.parse(out)).toMatchObject({ used: 80, notes });
    expect((await cli([...args, "--overwrite"])).out).toContain("noted: 20 i0-clipped, 20 signal-clipped");
    const file = await H5File.open(at("clipped/out.h5"));
    for (const [name, count] of Object.entries(notes)) expect(file.number(`/ledger/notes/${name}`)).toBe(count);
    expect(file.number("/image/MPCCD-1N0-M06-002/clipped")).toBe(20);
    file.close();
  });

  it("takes masks, gains and a PONI file from files, and keeps to what they held", async () => {
    const id = "MPCCD-1N0-M06-002";
    mkdirSync(at("placed"));
    // A sensor whose place is known.
    const place = "/run_7/detector_2d_1/detector_info/manipulator_position_in_micro_meter";
    const placed = await writeManyShots(at("placed"), 60, 20, { [place]: { data: Float64Array.of(0), shape: [] } });
    await using facility = await connect(placed);
    const run = await facility.run(3, 7);
    const info = await run.detectorInfo(id);
    const gain = asImage(
      Float32Array.from({ length: 32 * 24 }, (_, i) => 1 + (i % 5) / 10),
      32,
      24,
    );
    const mask = asImage(
      Uint8Array.from({ length: 32 * 24 }, (_, i) => (i % 50 === 0 ? 8 : 0)),
      32,
      24,
    );
    // The mask as a reduction with darkMaps leaves it, the gain as a plain dataset.
    await writeTree(at("maps.h5"), { bad: { [id]: { mask } }, gain: { [id]: gain } }, 0);
    const { width, height, pixelSizeUm } = new Assembler([info], { view: "source" });
    const geometry = fromBeamCentre({ distanceMm: 80, centreUm: { x: 100, y: 50 } });
    writeFileSync(
      at("rings.poni"),
      toPoni(geometry, { width, height, pixelSizeUm, view: "source", photonEnergyEv: 9000 }),
    );
    const ringAxis = { unit: "2th_deg", from: 0, to: 2, bins: 8 } as const;
    const request = {
      corrections: [
        { kind: "mask", pixels: { file: at("maps.h5"), group: "bad" } },
        { kind: "gain", relative: { file: at("maps.h5"), group: "/gain" } },
      ],
      reducers: {
        average: { kind: "mean" },
        rings: { kind: "radialProfile", geometry: { poni: at("rings.poni") }, axis: ringAxis },
      },
    };
    writeFileSync(at("files.json"), JSON.stringify(request));
    const command = ["reduce", "7", at("files.json"), "--url", placed, "-o", at("files.h5"), "--shards", "3", "--keep"];
    expect(await cli(command)).toMatchObject({ code: 0 });

    const tags = await run.exposedTags();
    const dark = await darkAverage(facility.shots({ run, detectors: [id], tags: await run.darkTags() }));
    const { average, rings } = await reduce(
      facility.shots({ run, detectors: [id], tags }),
      { average: mean(), rings: radialProfile({ sensors: [info], geometry, photonEnergyEv: 9000, axis: ringAxis }) },
      { dark, corrections: [correct.mask({ [id]: mask }), correct.gain({ [id]: gain })] },
    );
    const file = await H5File.open(at("files.h5"));
    const image = new Float32Array(32 * 24);
    file.readImage(`/average/${id}`, 32, 24, image);
    expect(image).toEqual(Float32Array.from(average[id]?.data ?? []));
    expect([image[50], Number.isNaN(image[50]), Number.isNaN(image[51])]).toEqual([NaN, true, false]);
    expect(file.numbers(`/rings/${id}/mean`)).toEqual(rings[id]?.mean);
    expect(Object.keys(JSON.parse(file.text("/provenance/files") ?? "") as object)).toEqual([
      at("maps.h5"),
      at("rings.poni"),
    ]);
    file.close();

    // A job that finds other constants does not mix them with those of the others.
    rmSync(at("files.h5.parts/shard-0001.sacla"));
    rmSync(at("files.h5.parts/reduction.log"));
    rmSync(at("files.h5"));
    writeFileSync(at("rings.poni"), readFileSync(at("rings.poni"), "utf8").replace("Distance: 0.08", "Distance: 0.09"));
    const changed = await cli(command);
    expect([changed.code, changed.err]).toEqual([
      1,
      expect.stringMatching(/FILE_CHANGED[\s\S]*rings\.poni[\s\S]*--restart/),
    ]);
    expect(await cli([...command, "--restart"])).toMatchObject({ code: 0 });
  });

  it("refuses a group of maps without a sensor, and a file that is not there, before anything is begun", async () => {
    await writeTree(at("other.h5"), { bad: { "MPCCD-1N0-M06-003": new Uint8Array(4) } }, 0);
    for (const [pixels, text] of [
      [
        { file: at("other.h5"), group: "bad" },
        /group of .*other\.h5.* is "bad", but must be one with MPCCD-1N0-M06-002/,
      ],
      [{ file: at("none.h5"), group: "bad" }, /none\.h5/],
      [{ file: at("other.h5") }, /"known" .* or \{ file, group \}/],
    ] as const) {
      const request = { corrections: [{ kind: "mask", pixels }], reducers: { average: { kind: "mean" } } };
      writeFileSync(at("wrong.json"), JSON.stringify(request));
      const { code, err } = await cli(["reduce", "7", at("wrong.json"), "--url", source, "-o", at("wrong.h5")]);
      expect([code, err]).toEqual([expect.any(Number), expect.stringMatching(text)]);
      expect(existsSync(at("wrong.h5.parts"))).toBe(false);
    }
  });

  it("gives the same bytes in any number of pieces", async () => {
    const one = await made("a.h5");
    const pieces = [
      ["--shards", "2"],
      ["--shards", "7", "--checkpoint", "0.01"],
      ["--shards", "300"],
      ["--minutes", "0.0001"],
    ];
    for (const [k, options] of cases(pieces, 0, 1).entries())
      expect((await made(`a${k}.h5`, ...options)).equals(one)).toBe(true);
  });

  it("goes on after it was stopped, again and again, to the same bytes", async () => {
    const one = await made("b.h5");
    let stops = 0;
    for (;;) {
      const stop = new AbortController();
      const log = at("c.h5.parts/shard-0000.log");
      const begun = (): number => (existsSync(log) ? readFileSync(log, "utf8").split('"begun"').length : 1);
      const before = begun();
      const watch = setInterval(() => {
        if (begun() > before) stop.abort();
      }, 1);
      const { code, err } = await cli(
        ["reduce", "7", at("request.json"), "--url", source, "-o", at("c.h5"), "--checkpoint", "0.01"],
        stops < 3 ? { signal: stop.signal } : {},
      );
      clearInterval(watch);
      if (code === 0) break;
      stops++;
      expect([code, err]).toEqual([130, expect.stringContaining("the same command goes on")]);
      expect(existsSync(at("c.h5"))).toBe(false);
    }
    expect(stops).toBeGreaterThan(0);
    expect(readFileSync(at("c.h5")).equals(one)).toBe(true);
  });

  it("gives a single piece to the result from memory, and keeps it in a checkpoint where the result cannot be written", async () => {
    const plain = await made("plain.h5");
    await using facility = await connect(source);
    const run = await facility.run(3, 7);
    const { db, st } = facility;
    const parts = new BatchFolder(at("hand.parts"));
    const [out, stop] = [at("later/hand.h5"), new AbortController().signal];
    const { manifest, setting } = await planReduction({ db, st, run }, manyShotsRequest, {
      url: source,
      out,
      size: { shards: 1 },
      folder: parts,
    });
    const { checkpoint } = parts.shard(0);
    const redo = async () => {
      let inHand: ShardInHand | undefined;
      const known = setting ?? (await shardSetting(parts, manifest, run));
      const take = (shard: ShardInHand): void => {
        inHand = shard;
      };
      expect(await reduceShard({ db, st, run }, parts, manifest, 0, known, { stop, onWhole: take })).toBe(true);
      expect(existsSync(checkpoint)).toBe(false);
      return inHand;
    };
    const refused = mergeReduction({ db, st, run }, parts, manifest, { redo, stop });
    await expect(refused).rejects.toMatchObject({ code: "WRITE_FAILED" });
    expect(shardState(parts, manifest, 0, true).state).toBe("whole");
    mkdirSync(at("later"));
    const never = async (): Promise<undefined> => expect.unreachable();
    await mergeReduction({ db, st, run }, parts, manifest, { redo: never, stop });
    expect(readFileSync(out).equals(plain)).toBe(true);
    for (const path of [checkpoint, out]) rmSync(path);
    await mergeReduction({ db, st, run }, parts, manifest, { redo, stop });
    expect(readFileSync(out).equals(plain)).toBe(true);
    expect(existsSync(checkpoint)).toBe(false);
  });

  it("does pieces again that are damaged or gone, and says of which what became", async () => {
    const one = await made("d.h5", "--shards", "4", "--keep");
    rmSync(at("d.h5"));
    // As after a crash before the merge.
    rmSync(at("d.h5.parts/reduction.log"));
    const shard = (k: number): string => at(`d.h5.parts/shard-000${k}.sacla`);
    const bytes = readFileSync(shard(1));
    writeFileSync(shard(1), bytes.subarray(0, bytes.length - 7));
    const changed = Buffer.from(readFileSync(shard(2)));
    changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1;
    writeFileSync(shard(2), changed);
    rmSync(shard(3));
    const { code, err } = await reduceTo("d.h5", "--keep");
    expect([code, err]).toEqual([0, expect.stringContaining("going on with")]);
    expect(readFileSync(at("d.h5")).equals(one)).toBe(true);
    const log = readFileSync(at("d.h5.parts/reduction.log"), "utf8");
    expect(log).toMatch(/"to-do","shard":1,"state":"damaged","reason":".*cut off, or was changed/);
    expect(log).toMatch(/"shard":2,"state":"damaged"/);
    expect(log).toMatch(/"shard":3,"state":"missing"/);
    expect(log).not.toMatch(/"shard":0/);
    expect(readdirSync(at("d.h5.parts"))).toContain("shard-0001.sacla.damaged");
  });

  it.runIf(existsSync("/dev/full"))(
    "keeps what is whole when the disk is full, and goes on when there is room",
    async () => {
      const one = await made("f.h5", "--shards", "2", "--keep");
      const parts = at("f.h5.parts");
      for (const name of ["shard-0001.sacla", "shard-0001.log", "reduction.log"]) rmSync(join(parts, name));
      rmSync(at("f.h5"));
      const other = readFileSync(join(parts, "shard-0000.sacla"));
      // Writing there ends with ENOSPC.
      symlinkSync("/dev/full", join(parts, `shard-0001.sacla.${process.pid}.tmp`));
      const { code, err } = await reduceTo("f.h5", "--shards", "2", "--keep");
      expect([code, err]).toEqual([1, expect.stringMatching(/WRITE_FAILED.*shard-0001.*the disk is full/)]);
      expect(readFileSync(join(parts, "shard-0001.log"), "utf8")).toContain("WRITE_FAILED");
      expect(existsSync(join(parts, "shard-0001.sacla"))).toBe(false);
      expect(readFileSync(join(parts, "shard-0000.sacla")).equals(other)).toBe(true);
      expect((await reduceTo("f.h5", "--shards", "2")).code).toBe(0);
      expect(readFileSync(at("f.h5")).equals(one)).toBe(true);
    },
  );

  it("does not mix two requests, nor write over a result, unless it is told", async () => {
    const out = at("e.h5");
    await made("e.h5", "--keep");
    writeFileSync(at("other.json"), JSON.stringify({ reducers: { average: { kind: "mean" } } }));
    const other = (...options: string[]) =>
      cli(["reduce", "7", at("other.json"), "--url", source, "-o", out, "--json", ...options]);
    rmSync(out);
    rmSync(`${out}.parts/reduction.log`);
    expect(JSON.parse((await other()).out)).toMatchObject({ error: { code: "FILE_EXISTS" } });
    expect((await other("--restart")).code).toBe(0);
    expect(JSON.parse((await other()).out)).toMatchObject({ error: { code: "FILE_EXISTS" } });
    expect((await other("--overwrite")).code).toBe(0);
  });

  it("refuses what cannot be done before anything is left on the disk", async () => {
    const given = (request: unknown) => {
      writeFileSync(at("bad.json"), JSON.stringify(request));
      return cli(["reduce", "7", at("bad.json"), "--url", source, "-o", at("refused.h5"), "--json"]);
    };
    const codeOf = async (request: unknown) =>
      (JSON.parse((await given(request)).out) as { error: { code: string } }).error.code;
    expect(await codeOf({ reducers: { it: { kind: "roiSum" } } })).toBe("BAD_ARGUMENT");
    expect(await codeOf({ detectors: ["none"], reducers: { it: { kind: "mean" } } })).toBe("UNKNOWN_DETECTOR");
    expect(await codeOf({ where: ["nothing > 5"], reducers: { it: { kind: "mean" } } })).toBe("UNKNOWN_SIGNAL");
    expect(await codeOf({ where: ["xfel_bl_3_tc_bm_1_pd/charge > 1e9"], reducers: { it: { kind: "mean" } } })).toBe(
      "NO_SHOTS",
    );
    expect(readdirSync(folder).filter((name) => name.startsWith("refused.h5"))).toEqual([]);
  });

  it("shows pieces and scripts without writing anything", async () => {
    const { out, code } = await reduceTo("g.h5", "--slurm", "--shards", "5", "--batch-option=--time=10", "--dry-run");
    expect(code).toBe(0);
    expect(out).toContain("5 pieces of 34 to 34 shots");
    expect(out).toContain("#SBATCH --time=10\n");
    expect(out).toContain("nothing was written or submitted");
    expect(readdirSync(folder).filter((name) => name.startsWith("g.h5"))).toEqual([]);
  });
});
