import { realClock } from "../core/clock.ts";
import { isSaclaError, SaclaError, show } from "../core/errors.ts";
import { withControl } from "../ec/index.ts";
import { endpointOf } from "../source/source-endpoint.ts";
import { inProcess } from "../transport/in-process.ts";
import type { Address, OpenScheme } from "../transport/open.ts";
import { operatorKinds } from "./control/operators.ts";
import { RehearsalClock } from "./control/rehearsal-clock.ts";
import { loadScenario, type Scenario, scenarioNames, scenarioOf } from "./control/scenario.ts";
import { createSimulatedFacility, MAX_SEED, type SimulatedFacilityOptions, simulatedEndpoint } from "./facility.ts";
import { keptFacility } from "./kept.ts";

const known: Readonly<Record<string, string>> = {
  seed: `a whole number from 0 to ${MAX_SEED}`,
  missing: "a number from 0 to 1, the share of images not stored",
  speed: "a number from 0, facility seconds per second",
  clock: "real, or virtual (time stands still; once the facility is controlled it moves only while somebody waits)",
  operators: `who answers requests to the accelerator: ${operatorKinds.join(", ")}`,
  scenario: `what goes wrong: ${scenarioNames.join(", ")} or the path of a .json file`,
};

/**
 * Opens `sim:` addresses: `sim:`, `sim:?seed=7&missing=0.01&speed=10&clock=virtual&scenario=hostile`. With
 * `clock=virtual` time stands still, so no new runs appear, until a beamline is controlled; from then on it moves at
 * once to whatever somebody waits for.
 * @throws BAD_URL for an unknown option or value
 * @throws FILE_NOT_FOUND, BAD_TEXT for a scenario file that cannot be read
 */
export const simulatedScheme: OpenScheme = async (address) =>
  inProcess(simulatedEndpoint(createSimulatedFacility(await simulatedOptions(address))));

/**
 * As {@link simulatedScheme}, but what is changed is kept in a file: the facility goes on with it the next time.
 * @param path - of the file of an address; undefined: nothing is kept, as where time is virtual
 * @param warn - told once why a file cannot be used
 */
export function keptScheme(
  path: (address: Address) => string | undefined,
  warn: (path: string, why: string) => void,
): OpenScheme {
  return async (address) => {
    const file = address.options.get("clock") === "virtual" ? undefined : path(address);
    if (file === undefined) return await simulatedScheme(address);
    const { clock: _, ...options } = await simulatedOptions(address);
    const { facility, control } = keptFacility(options, file, (why) => warn(file, why));
    return inProcess(withControl(endpointOf(facility), control));
  };
}

/** The options that a `sim:` address gives. @throws as {@link simulatedScheme} */
export async function simulatedOptions(address: Address): Promise<SimulatedFacilityOptions> {
  const options = optionsOf(address);
  const scenario = address.options.get("scenario");
  const operators = address.options.get("operators");
  if (operators === null)
    return scenario === null ? options : { ...options, scenario: await scenarioIn(address, scenario) };
  const kind = operatorKinds.find((known) => known === operators);
  if (kind === undefined) throw badValue(address, "operators", operators);
  const chosen = scenario === null ? {} : await scenarioIn(address, scenario);
  return { ...options, scenario: { ...(typeof chosen === "string" ? scenarioOf(chosen) : chosen), operators: kind } };
}

async function scenarioIn(address: Address, scenario: string): Promise<string | Scenario> {
  try {
    const loaded = await loadScenario(scenario);
    return scenarioNames.includes(scenario) ? scenario : loaded;
  } catch (error) {
    throw isSaclaError(error, "BAD_ARGUMENT") ? badUrl(address, error.message.replace(/\.$/, "")) : error;
  }
}

function optionsOf(address: Address): SimulatedFacilityOptions {
  if (address.path !== "")
    throw badUrl(address, `nothing may stand between sim: and ?, but there is ${show(address.path)}`);
  for (const name of address.options.keys()) {
    if (!Object.hasOwn(known, name)) {
      throw badUrl(address, `there is no option ${show(name)}; options are ${describeOptions()}`);
    }
    if (address.options.getAll(name).length > 1) throw badUrl(address, `${name} is given twice`);
  }
  const clock = address.options.get("clock") ?? "real";
  if (clock !== "real" && clock !== "virtual") throw badValue(address, "clock", clock);
  const seed = numberOption(address, "seed", (n) => Number.isInteger(n) && n >= 0 && n <= MAX_SEED);
  const missingRate = numberOption(address, "missing", (n) => n >= 0 && n <= 1);
  const speed = numberOption(address, "speed", (n) => n >= 0 && n < Infinity);
  return {
    clock: clock === "virtual" ? new RehearsalClock() : realClock(),
    seed,
    missingRate,
    speed,
  };
}

function numberOption(address: Address, name: string, isAllowed: (n: number) => boolean): number | undefined {
  const text = address.options.get(name);
  if (text === null) return undefined;
  const value = text.trim() === "" ? NaN : Number(text);
  if (!isAllowed(value)) throw badValue(address, name, text);
  return value;
}

function badValue(address: Address, name: string, value: string): SaclaError {
  return badUrl(address, `${name} is ${show(value)}, but must be ${known[name] ?? ""}`);
}

function badUrl(address: Address, why: string): SaclaError {
  return new SaclaError("BAD_URL", `${show(address.text)} does not name a simulated facility: ${why}.`, {
    details: { url: address.text },
  });
}

function describeOptions(): string {
  return Object.entries(known)
    .map(([name, meaning]) => `${name} (${meaning})`)
    .join(", ");
}
