/**
 * Writes every kind of file and stream that sacla makes, and has the programs of others read them: `npm run
 * check:readers`. Every number and text that they find is compared with what went in. `-- --write` writes
 * docs/readers.md. Exit code 1 when a program does not read what docs/readers.md says it reads, or reads something else;
 * programs that are not installed are named, and with `--all` wrong too.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openArchive } from "../src/hdf5/index.ts";
import { replayLive } from "../src/live/index.ts";
import { DocumentStream, Engine, type ScanDocument, scan, virtualBeamline } from "../src/scan/index.ts";
import { serveKaraboBridge } from "../src/server/karabo/bridge.ts";
import { endpointOf } from "../src/source/index.ts";
import { bench } from "../test/unit/scan/fixtures.ts";
import * as outputs from "./readers/outputs.ts";
import { knownLimits, readersPage } from "./readers/page.ts";
import * as programs from "./readers/programs.ts";

const POINTS = 7;

async function documentsOf(): Promise<ScanDocument[]> {
  const documents: ScanDocument[] = [];
  const callbacks = [new DocumentStream((document) => documents.push(document), { units: { theta: "deg" } })];
  const plan = scan({ axis: "theta", from: 11, to: 14, points: POINTS, shots: { count: 3, signals: ["bragg", "i0"] } });
  await new Engine(virtualBeamline(bench), { callbacks }).run(plan);
  return documents;
}

/** The first shots of the fixture, streamed to the real client. */
async function karaboRow(folder: string): Promise<programs.Row> {
  const { BL: bl, RUN: run, SENSORS, ROWS, COLUMNS } = outputs;
  const detectors = SENSORS.slice(0, 2);
  const archive = await openArchive(outputs.fixture);
  const expected: [string, number, number[]][][] = [];
  for (const tag of (await archive.tags(bl, run)).subarray(0, 2)) {
    const shot: [string, number, number[]][] = [];
    for (const id of detectors) {
      const image = new Float32Array(ROWS * COLUMNS);
      if (await archive.readFrame(bl, run, id, tag, image)) shot.push([id, tag, [...image]]);
    }
    expected.push(shot);
  }
  const live = await replayLive(endpointOf(archive), { bl, run, speed: "max" });
  const shots = { bl, detectors, signals: [], policy: "every", missing: "partial" } as const;
  await using bridge = await serveKaraboBridge(live, { address: "tcp://127.0.0.1:*", shots });
  try {
    return await programs.readByKarabo(folder, bridge.address, expected);
  } finally {
    await live.close();
  }
}

async function allRows(folder: string): Promise<programs.Row[]> {
  const hdf5 = await outputs.writeHdf5(folder, []);
  const table = await outputs.writeTables(folder);
  const firstShot = await outputs.firstShots(folder);
  return [
    ...(await programs.readHdf5(folder, hdf5)),
    await programs.readByDxtbx(folder, firstShot),
    ...(await programs.validateNexus(folder, "nxmx.h5")),
    ...(await programs.readTables(folder, table)),
    ...(await programs.readGeometries(
      folder,
      { "nxmx-geom": "nxmx.geom", "cheetah-geom": "cheetah.geom", "cxi-geom": "hits.geom" },
      outputs.SENSORS,
    )),
    ...(await programs.readByBluesky(folder, await documentsOf(), POINTS)),
    await karaboRow(folder),
  ];
}

const needsAll = process.argv.includes("--all");
const folder = mkdtempSync(join(tmpdir(), "sacla-readers-"));
try {
  const rows = await allRows(folder);
  let wrong = 0;
  for (const { program, version, cells } of rows) {
    for (const [output, { is, why }] of Object.entries(cells)) {
      const limit = knownLimits[program]?.[output];
      const isExpected = is === "read" ? limit === undefined : is === "absent" ? !needsAll : limit !== undefined;
      if (!isExpected) wrong++;
      const verdict = isExpected ? "" : limit === undefined ? "WRONG: " : "WRONG, docs say that it is not read: ";
      console.log(
        `${`${program} ${version}`.padEnd(24)} ${output.padEnd(14)} ${verdict}${is}${why === "" ? "" : `: ${why}`}`,
      );
    }
  }
  if (process.argv.includes("--write"))
    writeFileSync(new URL("../docs/readers.md", import.meta.url), readersPage(rows));
  console.log(`${wrong} wrong`);
  process.exitCode = wrong === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
