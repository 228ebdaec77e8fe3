import { type Clock, realClock } from "../core/clock.ts";
import { any, finite, integer, optional, resolveOptions } from "../core/options.ts";
import { type WithControlOptions, withControl } from "../ec/index.ts";
import { endpointOf } from "../source/source-endpoint.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { DeviceRests } from "./control/beamline.ts";
import { type Scenario, scenarioOf } from "./control/scenario.ts";
import { nameOf } from "./facility-name.ts";
import { liveParameters } from "./parameters.ts";
import { SimulatedFacility } from "./simulated-facility.ts";
import type { FacilityTruth } from "./truth.ts";

export interface SimulatedFacilityOptions {
  /** Everything random follows from it. @default 1 */
  readonly seed?: number | undefined;
  /** Share of images the detectors fail to store. @default that of the scenario: 0 on a calm day */
  readonly missingRate?: number | undefined;
  /** Facility seconds per second of the clock. @default 1 */
  readonly speed?: number | undefined;
  /** @default realClock() */
  readonly clock?: Clock | undefined;
  /** How long after a shot its images can be had live. @default 50 */
  readonly imageDelayMs?: number | undefined;
  /** How long after a shot its 0-D values can be read. @default 120 */
  readonly valueDelayMs?: number | undefined;
  /** What goes wrong: the name of a scenario, or one's own. @default "calm": nothing */
  readonly scenario?: string | Partial<Scenario> | undefined;
  /** @internal Where devices stand, as {@link FacilityTruth.rests} of another one tells. */
  readonly rests?: DeviceRests | undefined;
}

/**
 * A facility of beamlines 1–3 with finished runs, those of the talk among them, and new runs that begin and end while
 * it exists. Images and values follow from (seed, run, tag) alone: nothing is stored, and neither clock nor order of
 * questions changes them. What `control` does to a beamline adds to that: only what was moved and switched is
 * remembered.
 *
 * @throws BAD_ARGUMENT for an unknown option or one out of range
 * @example
 * const endpoint = inProcess(endpointOf(createSimulatedFacility({ seed: 7 })));
 */
export function createSimulatedFacility(options: SimulatedFacilityOptions = {}): SimulatedFacility {
  const {
    scenario: chosen,
    clock,
    missingRate,
    ...given
  } = resolveOptions("simulated facility", options, {
    seed: optional(integer(0, MAX_SEED), 1),
    missingRate: optional(finite(0, 1)),
    speed: optional(finite(0), 1),
    clock: any,
    imageDelayMs: optional(finite(0), liveParameters.imageDelayMs),
    valueDelayMs: optional(finite(0), liveParameters.valueDelayMs),
    scenario: any,
    rests: any,
  });
  const scenario = scenarioOf(chosen ?? "calm");
  return new SimulatedFacility({
    ...given,
    missingRate: missingRate ?? scenario.missingFrames,
    clock: clock ?? realClock(),
    scenario,
    name: nameOf(options),
    rests: options.rests ?? {},
  });
}

/**
 * The simulated facility as an Endpoint that answers everything, control included.
 * @example
 * const endpoint = inProcess(simulatedEndpoint(createSimulatedFacility({ seed: 7 })));
 */
export function simulatedEndpoint(facility: SimulatedFacility, options: WithControlOptions = {}): Endpoint {
  return withControl(endpointOf(facility), facility.control, options);
}

/** Seeds are unsigned 32-bit. */
export const MAX_SEED: number = 0xffff_ffff;
