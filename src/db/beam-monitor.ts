import type { Run } from "./run.ts";

/** The beam monitor of a run that is recorded, BM1 first; null when none is. */
export async function monitorOf(run: Run, signal?: AbortSignal): Promise<string | null> {
  const { bl } = run;
  const wanted = [
    `xfel_bl_${bl}_tc_bm_1_pd/charge`,
    `xfel_bl_${bl}_st_3_bm_1_pd/charge`,
    `xfel_bl_${bl}_tc_gm_1_pd_fitting_peak/voltage`,
  ];
  const recorded = new Set(await run.signals("", { signal }));
  return wanted.find((id) => recorded.has(id)) ?? null;
}
