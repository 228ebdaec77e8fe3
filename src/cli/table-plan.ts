import { readFile } from "node:fs/promises";
import { badArgument } from "../core/guards.ts";
import type { Experiment } from "../ec/index.ts";
import { measure, type Plan, parseScanFile, plan } from "../scan/index.ts";
import { andReturn } from "../scan/plans/wrappers.ts";
import { ownSignals } from "./own-signals.ts";

/** What a table of positions leaves open. */
export interface TableContext {
  readonly bl: number;
  readonly experiment: Experiment | undefined;
}

/** Good shots of a point when the table has no column of them, as `sacla scan`. */
const SHOTS = 30;
const SHOTS_COLUMN = "shots";

/**
 * A plan out of a table of positions (CSV), such as RunControlGUI's custom scan file: the first line names the axes,
 * each further line is a point. Control names (`bl3_st1_pm003`) have whole pulses, axes of the experiment file numbers
 * in their units. A column `shots` has the good shots of each point. The signals are those of the experiment file,
 * without one the beam monitor.
 * @throws BAD_TEXT naming the line @throws BAD_ARGUMENT for a number of shots
 */
export async function tablePlan(path: string, context: TableContext): Promise<Plan> {
  const isControlName = (axis: string): boolean => /^bl\d+_/.test(axis);
  const lines = parseScanFile(await readFile(path, "utf8"), undefined, (axis) => !isControlName(axis));
  const points = lines.map(({ [SHOTS_COLUMN]: count = SHOTS, ...to }) => ({ to, count }));
  for (const { count } of points)
    if (!Number.isInteger(count) || count < 1) throw badArgument("shots", count, "a whole number from 1");
  const axes = Object.keys(points[0]?.to ?? {});
  if (axes.length === 0) throw badArgument("the first line", SHOTS_COLUMN, "names of axes");
  const signals = context.experiment === undefined ? [`xfel_bl_${context.bl}_tc_bm_1_pd/charge`] : ownSignals(context);
  return plan("table of positions", { points, signals }, () =>
    andReturn(
      axes,
      (function* () {
        for (const { to, count } of points) yield* measure(to, { shots: { count, signals } });
      })(),
    ),
  );
}
