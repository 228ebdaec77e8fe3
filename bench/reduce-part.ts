/** A part of the shots of bench/reduce-parallel.ts, in whichever thread. */
import { connect } from "sacla";
import { accumulate, correct, histogram, mean, type PartialResult, type PartTask, variance } from "sacla/reduce";

export interface PartData {
  readonly url: string;
  readonly detectors: readonly string[];
  readonly corrected: boolean;
}

export const run = { bl: 3, number: 700_001 };

export const reducers = () => ({ average: mean(), noise: variance(), adu: histogram() });

export async function accumulatePart({
  tags,
  data,
  progress,
}: PartTask): Promise<PartialResult<ReturnType<typeof reducers>>> {
  const { url, detectors, corrected } = data as PartData;
  await using facility = await connect(url);
  const shots = facility.shots({ run, detectors, tags });
  return await accumulate(shots, reducers(), {
    corrections: corrected ? [correct.commonMode()] : [],
    onProgress: progress,
  });
}
