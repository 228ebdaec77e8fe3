import type { AxisInfo } from "./driver.ts";
import type { AxisDefinition } from "./experiment.ts";

/** Range in user units within which an axis may be sent. */
export type AxisLimits = { readonly from: number; readonly to: number } | "unlimited";

/** An axis counts pulses; people say units. An axis that the experiment does not name has pulses for units. */
export function plainAxis(device: string): AxisDefinition {
  return { device, meaning: "", unit: "pulse", pulsesPerUnit: 1, sign: 1, offset: 0, limits: "unlimited" };
}

/** The whole pulse nearest to a position. */
export function toPulses({ offset, sign, pulsesPerUnit }: AxisDefinition, position: number): number {
  // + 0: no −0, which JSON and people write as 0.
  return Math.round(sign * (position - offset) * pulsesPerUnit) + 0;
}

/** The position at a pulse. */
export function toPosition({ offset, sign, pulsesPerUnit }: AxisDefinition, pulses: number): number {
  return offset + (sign * pulses) / pulsesPerUnit;
}

/** What both the experiment file and the hardware allow, in user units; a turned or empty range allows nothing. */
export function limitsOf(definition: AxisDefinition, { limitsPulses }: AxisInfo): AxisLimits {
  const all: (readonly [number, number])[] = [];
  if (definition.limits !== "unlimited") all.push(definition.limits);
  if (limitsPulses !== "unlimited") {
    const [a, b] = [toPosition(definition, limitsPulses[0]), toPosition(definition, limitsPulses[1])];
    all.push(definition.sign === 1 ? [a, b] : [b, a]);
  }
  if (all.length === 0) return "unlimited";
  return { from: Math.max(...all.map(([from]) => from)), to: Math.min(...all.map(([, to]) => to)) };
}

/** Seconds that a move of so many pulses takes: ramp up, run, ramp down. */
export function moveSeconds(
  pulses: number,
  { speed, accelerationPulsesPerS2: acceleration }: Pick<AxisInfo, "speed" | "accelerationPulsesPerS2">,
): number {
  const distance = Math.abs(pulses);
  if (distance === 0) return 0;
  if (!(speed > 0)) return Infinity;
  if (!(acceleration > 0)) return distance / speed;
  const ramp = speed / acceleration;
  return distance >= speed * ramp ? distance / speed + ramp : 2 * Math.sqrt(distance / acceleration);
}

/** A position as it is shown: as many digits as one pulse is worth. */
export function showPosition(definition: AxisDefinition, position: number): string {
  return `${position.toFixed(digitsOf(definition))} ${definition.unit}`;
}

/** Limits as they are shown, without the zeros at the end that a position has. */
export function showLimits(definition: AxisDefinition, limits: AxisLimits): string {
  if (limits === "unlimited") return limits;
  const shown = (position: number): number => Number(position.toFixed(digitsOf(definition)));
  return `${shown(limits.from)} … ${shown(limits.to)}`;
}

/** Digits after the point that one pulse is worth. */
function digitsOf({ pulsesPerUnit }: AxisDefinition): number {
  return Math.min(9, Math.max(0, Math.ceil(Math.log10(pulsesPerUnit))));
}
