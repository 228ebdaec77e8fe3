import { realClock, VirtualClock } from "../core/clock.ts";
import { SaclaError, show } from "../core/errors.ts";
import { inProcess } from "../transport/in-process.ts";
import type { Address, OpenScheme } from "../transport/open.ts";
import { endpointOf } from "../transport/source.ts";
import { createSimulatedFacility, MAX_SEED, type SimulatedFacilityOptions } from "./facility.ts";

const known: Readonly<Record<string, string>> = {
  seed: `a whole number from 0 to ${MAX_SEED}`,
  missing: "a number from 0 to 1, the share of images not stored",
  speed: "a number from 0, facility seconds per second",
  clock: "real, or virtual (time stands still)",
};

/**
 * Opens `sim:` addresses: `sim:`, `sim:?seed=7&missing=0.01&speed=10&clock=virtual`. With `clock=virtual` time stands
 * still, so no new runs appear.
 * @throws BAD_URL for an unknown option or value
 */
export const simulatedScheme: OpenScheme = async (address) => inProcess(endpointOf(createSimulatedFacility(optionsOf(address))));

function optionsOf(address: Address): SimulatedFacilityOptions {
  if (address.path !== "") throw badUrl(address, `nothing may stand between sim: and ?, but there is ${show(address.path)}`);
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
    clock: clock === "virtual" ? new VirtualClock() : realClock(),
    ...(seed === undefined ? {} : { seed }),
    ...(missingRate === undefined ? {} : { missingRate }),
    ...(speed === undefined ? {} : { speed }),
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
  return new SaclaError("BAD_URL", `${show(address.text)} does not name a simulated facility: ${why}.`, { details: { url: address.text } });
}

function describeOptions(): string {
  return Object.entries(known)
    .map(([name, meaning]) => `${name} (${meaning})`)
    .join(", ");
}
