import { asText, badArgument, isRecord } from "../../core/guards.ts";
import type { ChannelCut, SplitDelay, SplitDelayKnobs } from "../../optics/index.ts";
import type { Positions } from "../messages/messages.ts";

/** One number that stands for the positions of several axes, such as a photon energy; ophyd's pseudo positioner. */
export interface PseudoAxis {
  /** What it is called in rows and notes. */
  readonly name: string;
  readonly unit: string;
  readonly axes: readonly string[];
  /** Positions of all its axes for a value. @throws BAD_ARGUMENT for one that they cannot give */
  forward(value: number): Positions;
  /** The value that positions give. */
  inverse(at: Positions): number;
}

/** An axis by its name, or several as one. @throws BAD_ARGUMENT */
export function asAxis(name: string, value: unknown): string | PseudoAxis {
  if (typeof value === "string") return asText(name, value);
  const isOne = isRecord(value) && typeof value["forward"] === "function" && typeof value["inverse"] === "function";
  if (!isOne) throw badArgument(name, value, "the name of an axis, or a pseudo axis");
  return value as unknown as PseudoAxis;
}

export const namesOf = (axis: string | PseudoAxis): readonly string[] =>
  typeof axis === "string" ? [axis] : axis.axes;

export const nameOf = (axis: string | PseudoAxis): string => (typeof axis === "string" ? axis : axis.name);

export const positionsOf = (axis: string | PseudoAxis, value: number): Positions =>
  typeof axis === "string" ? { [axis]: value } : axis.forward(value);

export const readingOf = (axis: string | PseudoAxis, at: Positions): number =>
  typeof axis === "string" ? (at[axis] ?? NaN) : axis.inverse(at);

/**
 * The delay of split-delay optics, ps, at a photon energy.
 * @example goToPeak({ axis: delayAxis(optics, 10_000), from: -0.05, to: 0.05, points: 101, … })
 */
export function delayAxis(optics: SplitDelay, photonEnergyEv: number): PseudoAxis {
  return knobAxis(
    optics,
    "delay",
    "ps",
    (delayPs) => ({ delayPs, photonEnergyEv }),
    ({ delayPs }) => delayPs,
  );
}

/** The photon energy of split-delay optics, eV, at a delay. */
export function splitDelayEnergyAxis(optics: SplitDelay, delayPs: number): PseudoAxis {
  const knobs = (photonEnergyEv: number): SplitDelayKnobs => ({ delayPs, photonEnergyEv });
  return knobAxis(optics, "photon_energy", "eV", knobs, ({ photonEnergyEv }) => photonEnergyEv);
}

function knobAxis(
  optics: SplitDelay,
  name: string,
  unit: string,
  knobsAt: (value: number) => SplitDelayKnobs,
  valueIn: (knobs: SplitDelayKnobs) => number,
): PseudoAxis {
  return {
    name,
    unit,
    axes: optics.axisNames,
    forward: (value) => optics.positions(knobsAt(value)),
    inverse: (at) => valueIn(optics.knobs(at)),
  };
}

/** A crystal of a monochromator, the name of its axis, and how pulses of its motor and positions belong together. */
export interface MonochromatorCrystal {
  readonly axis: string;
  readonly crystal: ChannelCut;
  readonly toPosition: (pulses: number) => number;
  readonly toPulses: (position: number) => number;
}

/** The photon energy of a monochromator, eV: its crystals go together, and the first one says where it is. */
export function energyAxis(crystals: readonly [MonochromatorCrystal, ...MonochromatorCrystal[]]): PseudoAxis {
  const [first] = crystals;
  return {
    name: "photon_energy",
    unit: "eV",
    axes: crystals.map(({ axis }) => axis),
    forward: (ev) =>
      Object.fromEntries(crystals.map(({ axis, crystal, toPosition }) => [axis, toPosition(crystal.pulses(ev))])),
    inverse: (at) => first.crystal.photonEnergyEv(first.toPulses(at[first.axis] ?? NaN)),
  };
}
