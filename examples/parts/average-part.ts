// What each thread of ../parallel-average.ts does with its part of the tags.
import { connect } from "sacla";
import { accumulate, mean, type PartTask } from "sacla/reduce";

export const reducers = () => ({ average: mean() });

export async function accumulatePart({ tags, data, progress }: PartTask) {
  const { run, detectors } = data as { run: { bl: number; number: number }; detectors: string[] };
  await using facility = await connect();
  return await accumulate(facility.shots({ run, detectors, tags }), reducers(), { onProgress: progress });
}
