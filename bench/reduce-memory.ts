/**
 * Resident memory with the answer of 10³ and of 10⁵ shots of a dual detector, each in a process of its own: mean,
 * variance and histogram through the public API, from a source that only copies images, so that 10⁵ shots take minutes.
 * Fails when they differ by more than 5 %.
 *
 * npm run bench:reduce-memory -- [shots]
 */
import { histogram, mean, memoryOf, reduce, variance } from "sacla/reduce";
import { type DataSource, endpointOf } from "sacla/source";
import { St } from "sacla/st";
import { inProcess } from "sacla/transport";
import { compareMemory, isMeasured, megabytes } from "./memory-harness.ts";
import { load, machine } from "./reduce-harness.ts";

const [count = "100000"] = process.argv.slice(2);
const asked = Number(count);
const [rows, columns] = [1024, 512];
const detectors = ["MPCCD-2N0-M06-002-1", "MPCCD-2N0-M06-002-2"];
const start = 1000;
const images = Array.from({ length: 4 }, (_, k) =>
  Uint16Array.from({ length: rows * columns }, (_pixel, i) => 95 + ((i * 7919 + k * 104_729) % 23)),
);

const unasked = (): never => {
  throw new Error("the bench does not ask this");
};
const source: DataSource = {
  name: "the bench",
  apiVersion: () => "1",
  beamlines: () => [3],
  runs: () => [1],
  runStatus: () => 0,
  runInfo: () => ({
    starttime: 0,
    stoptime: 1,
    total_tagnumber: asked,
    start_tagnumber: start,
    end_tagnumber: start + asked,
    hightagnumber: 202501,
    comment: "",
    runtype: "",
    stationnumber: 3,
    runstatus: 0,
  }),
  photonEnergyKev: unasked,
  detectors: () => detectors,
  tags: () => Uint32Array.from({ length: asked }, (_, k) => start + k),
  tagsBetween: unasked,
  newestTag: unasked,
  hightagAt: unasked,
  timestamp: unasked,
  equipment: unasked,
  column: unasked,
  detectorInfo: (_bl, _run, id) => ({
    id,
    xsize: columns,
    ysize: rows,
    absGain: null,
    geometry: null,
    pixelType: "uint16",
  }),
  readFrame: (_bl, _run, _id, tag, out) => {
    out.set(images[tag % images.length] ?? []);
    return true;
  },
  close: () => {},
};

async function reduceAll(): Promise<void> {
  const st = new St(inProcess(endpointOf(source)));
  const shots = st.shots({ run: { bl: 3, number: 1 }, detectors });
  const reducers = { average: mean(), noise: variance(), adu: histogram() };
  const foreseen = memoryOf(await shots.describe(), reducers, { depth: shots.depth }) / 1e6;
  console.error(`before ${megabytes().toFixed(0)} MB; foreseen on top: ${foreseen.toFixed(0)} MB`);
  const began = performance.now();
  const { average, ledger } = await reduce(shots, reducers, {
    onProgress: (done) => {
      if (done % (asked / 10) === 0) console.error(`  ${done} shots: ${megabytes().toFixed(1)} MB`);
    },
  });
  const seconds = (performance.now() - began) / 1000;
  console.error(
    `  ${ledger.used} shots in ${seconds.toFixed(1)} s, ${(ledger.used / seconds).toFixed(0)} shots/s; first pixel ${average[detectors[0] ?? ""]?.get(0, 0)}`,
  );
  console.log(megabytes());
}

if (isMeasured) await reduceAll();
else {
  console.log(`2 × ${rows} × ${columns} uint16; ${machine()}; load ${load()}`);
  compareMemory(1000, asked);
}
