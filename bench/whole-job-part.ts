/**
 * The job of bench/whole-job.ts as a program of its own: dark, corrected mean, histogram and picture of a run.
 * FILE DARKS WORKERS, 0 workers for this thread alone, -1 for as many as pay; prints {cpuMs, rss, check}.
 */
import { isMainThread } from "node:worker_threads";
import { connect } from "sacla";
import { Assembler } from "sacla/ip";
import {
  accumulate,
  type Dark,
  darkAverage,
  histogram,
  mean,
  type PartTask,
  reduceInParallel,
  resultsOf,
} from "sacla/reduce";

const run = { bl: 3, number: 700_001 };
const detectors = Array.from({ length: 8 }, (_, k) => `MPCCD-8B0-2-010-${k + 1}`);

interface PartData {
  readonly url: string;
  readonly dark: Pick<Dark, "mean">;
}

export const reducers = () => ({ average: mean(), adu: histogram() });

export async function accumulatePart({ tags, data, progress }: PartTask) {
  const { url, dark } = data as PartData;
  await using facility = await connect(url);
  const shots = facility.shots({ run, detectors, tags });
  return await accumulate(shots, reducers(), { dark, onProgress: progress });
}

async function job(url: string, darks: number, workers: number): Promise<number[]> {
  await using facility = await connect(url);
  const opened = await facility.run(run.bl, run.number);
  const all = await opened.tags();
  const { mean: level } = await darkAverage(facility.shots({ run, detectors, tags: all.slice(0, darks) }));
  const tags = all.slice(darks);
  const data: PartData = { url, dark: { mean: level } };
  const { average, adu } =
    workers === 0
      ? resultsOf(await accumulatePart({ tags, data, progress: () => {} }))
      : await reduceInParallel<{ reducers: typeof reducers; accumulatePart: typeof accumulatePart }>(
          new URL(import.meta.url),
          { tags, data, ...(workers < 0 ? {} : { workers }) },
        );
  const infos = await Promise.all(detectors.map((id) => opened.detectorInfo(id)));
  const picture = new Assembler(infos, { view: "source" }).assemble(average);
  const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
  return [
    detectors.reduce((total, id) => total + sum(average[id]?.data ?? new Float64Array()), 0),
    detectors.reduce((total, id) => total + sum((adu[id]?.counts ?? new Float64Array()).map((n, k) => n * k)), 0),
    picture.data.reduce((total, value) => total + (Number.isNaN(value) ? 0 : Math.abs(value)), 0),
  ];
}

const [, , file, darks, workers] = process.argv;
// Not awaited here: the threads' module is this one, which must be loaded by then.
if (isMainThread && file !== undefined)
  void job(`file:${file}`, Number(darks), Number(workers)).then((check) => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    console.log(JSON.stringify({ cpuMs: (userCPUTime + systemCPUTime) / 1000, rss: maxRSS * 1024, check }));
  });
