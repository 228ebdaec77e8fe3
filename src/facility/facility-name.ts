import { hash } from "../core/random.ts";
import { type Scenario, scenarioOf } from "./control/scenario.ts";

interface Named {
  readonly seed?: number | undefined;
  readonly missingRate?: number | undefined;
  readonly scenario?: string | Partial<Scenario> | undefined;
}

/** Names what changes the shots, so that what is remembered of one facility is not taken for another's. */
export function nameOf({ seed = 1, missingRate, scenario = "calm" }: Named): string {
  const parts: string[] = [];
  if (seed !== 1) parts.push(`seed ${seed}`);
  if (missingRate !== undefined) parts.push(`missing ${missingRate}`);
  if (typeof scenario !== "string")
    parts.push(`scenario of one's own, ${hash(JSON.stringify(scenarioOf(scenario))).toString(16)}`);
  else if (scenario !== "calm") parts.push(`scenario ${scenario}`);
  return parts.length === 0 ? "the simulated facility" : `the simulated facility (${parts.join(", ")})`;
}
