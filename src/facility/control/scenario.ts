import * as v from "valibot";
import { SaclaError, show, showList } from "../../core/errors.ts";
import { readJsonFile } from "../../files/index.ts";
import { checkAgainst } from "../../transport/check.ts";
import calm from "../scenarios/calm.json" with { type: "json" };
import hostile from "../scenarios/hostile.json" with { type: "json" };
import typical from "../scenarios/typical.json" with { type: "json" };
import { operatorKinds } from "./operators.ts";

const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const perHour = v.pipe(v.number(), v.minValue(0), v.maxValue(1000));
/** At most ten minutes: see outages.ts. */
const seconds = v.pipe(v.number(), v.minValue(0), v.maxValue(600));
const span = v.pipe(
  v.tuple([seconds, seconds]),
  v.check(([from, to]) => from <= to, "two numbers, the shorter first"),
  v.readonly(),
);
const rms = v.pipe(v.number(), v.minValue(0), v.maxValue(2));

const scenarioFile = v.strictObject({
  slip: v.optional(share, calm.slip),
  stuck: v.optional(share, calm.stuck),
  late: v.optional(share, calm.late),
  refused: v.optional(share, calm.refused),
  shutterStuck: v.optional(share, calm.shutterStuck),
  tripsPerHour: v.optional(perHour, calm.tripsPerHour),
  tripSeconds: v.optional(span, [calm.tripSeconds[0] ?? 0, calm.tripSeconds[1] ?? 0]),
  interlocksPerHour: v.optional(perHour, calm.interlocksPerHour),
  interlockSeconds: v.optional(span, [calm.interlockSeconds[0] ?? 0, calm.interlockSeconds[1] ?? 0]),
  pulseEnergyDrift: v.optional(rms, calm.pulseEnergyDrift),
  pointingDrift: v.optional(rms, calm.pointingDrift),
  missingFrames: v.optional(share, calm.missingFrames),
  unconverged: v.optional(share, calm.unconverged),
  operators: v.optional(v.picklist(operatorKinds), "prompt"),
  tuningsPerHour: v.optional(perHour, calm.tuningsPerHour),
  tuningSeconds: v.optional(span, [calm.tuningSeconds[0] ?? 0, calm.tuningSeconds[1] ?? 0]),
});

/** What goes wrong, and how often; see docs/simulated-facility.md. */
export type Scenario = v.InferOutput<typeof scenarioFile>;

const shipped: Readonly<Record<string, unknown>> = { calm, typical, hostile };

/** Names of the scenarios that come with sacla. */
export const scenarioNames: readonly string[] = Object.keys(shipped);

/**
 * A scenario that comes with sacla, by name, or one's own; what it leaves out is as in `calm`.
 * @throws BAD_ARGUMENT naming the first part that is not allowed
 */
export function scenarioOf(scenario: string | Partial<Scenario>): Scenario {
  if (typeof scenario !== "string") return checkAgainst(scenarioFile, scenario, "BAD_ARGUMENT", "the scenario");
  if (!Object.hasOwn(shipped, scenario)) {
    throw new SaclaError(
      "BAD_ARGUMENT",
      `There is no scenario ${show(scenario)}; there are ${showList(scenarioNames)}, or the path of a .json file ` +
        "of your own.",
    );
  }
  return checkAgainst(scenarioFile, shipped[scenario], "BAD_ARGUMENT", scenario);
}

/**
 * A scenario by name, or from a file that ends in `.json`.
 * @throws FILE_NOT_FOUND @throws BAD_TEXT for a file that is no JSON @throws BAD_ARGUMENT for one that is no scenario
 */
export async function loadScenario(nameOrPath: string): Promise<Scenario> {
  if (!nameOrPath.endsWith(".json")) return scenarioOf(nameOrPath);
  return checkAgainst(
    scenarioFile,
    await readJsonFile("The scenario", nameOrPath),
    "BAD_ARGUMENT",
    `the scenario ${nameOrPath}`,
  );
}
