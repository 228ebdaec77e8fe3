import type { Experiment } from "../ec/index.ts";

/** The signals of the experiment file, but for those of its axes and of the axis that is scanned. */
export function ownSignals({ experiment }: { readonly experiment: Experiment | undefined }, axis?: string): string[] {
  const ofAxes = new Set(Object.keys(experiment?.axes ?? {}));
  return Object.keys(experiment?.signals ?? {}).filter((name) => name !== axis && !ofAxes.has(name));
}
