import { existsSync, writeFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { SaclaError } from "../../../src/core/errors.ts";
import { createSimulatedFacility, VirtualClock } from "../../../src/facility/index.ts";
import {
  accumulate,
  histogram,
  mean,
  type PartialResult,
  type PartTask,
  roiSum,
  variance,
} from "../../../src/reduce/index.ts";
import { endpointOf } from "../../../src/source/index.ts";
import { St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/index.ts";

export const reducers = () => ({
  average: mean(),
  spread: variance(),
  adu: histogram(),
  roi: roiSum({ rows: [100, 200], columns: [0, 512] }),
});

/** How the part shall go wrong. */
export interface Trouble {
  /** The first part to find this file absent makes it and ends its thread in the middle. */
  readonly dieOnce?: string;
  readonly alwaysDie?: boolean;
  readonly fail?: boolean;
  readonly hang?: boolean;
  /** Each shot takes so much longer, as the clock says. */
  readonly slowMs?: number;
  /** A file that another thread than the first makes. */
  readonly helped?: string;
}

export async function accumulatePart({
  tags,
  data,
  progress,
}: PartTask): Promise<PartialResult<ReturnType<typeof reducers>>> {
  const trouble = data as Trouble;
  const st = new St(inProcess(endpointOf(createSimulatedFacility({ clock: new VirtualClock() }))));
  const shots = st.shots({ run: { bl: 3, number: 1_360_991 }, detectors: ["MPCCD-2N0-M02-001"], tags });
  if (trouble.fail === true) throw new SaclaError("NO_DARK", "as asked", { details: { first: tags.at(0) } });
  if (trouble.hang === true) await new Promise(() => setInterval(() => {}, 1000));
  if (trouble.helped !== undefined && !isMainThread) writeFileSync(trouble.helped, String(tags.length));
  let done = 0;
  const watched = (n: number): void => {
    if (trouble.slowMs !== undefined) {
      const now = performance.now() + trouble.slowMs;
      performance.now = () => now;
    }
    progress(n);
    const first = trouble.dieOnce !== undefined && !existsSync(trouble.dieOnce);
    if (++done === 3 && (trouble.alwaysDie === true || first)) {
      if (trouble.dieOnce !== undefined) writeFileSync(trouble.dieOnce, "");
      process.exit(9);
    }
  };
  return await accumulate(shots, reducers(), { onProgress: watched });
}
