import { ticks } from "d3-array";

/** The span of values along one side of a picture; `low < high`, and both positive when `log`. */
export interface PlotAxis {
  readonly low: number;
  readonly high: number;
  readonly log: boolean;
}

export interface Tick {
  readonly value: number;
  readonly label: string;
}

export interface Ticks {
  readonly major: readonly Tick[];
  /** Places between the labelled ones; only on logarithmic axes. */
  readonly minor: readonly number[];
}

/** Where a value lies on the axis: 0 at `low`, 1 at `high`. */
export function fraction(axis: PlotAxis, value: number): number {
  if (!axis.log) return (value - axis.low) / (axis.high - axis.low);
  return Math.log(value / axis.low) / Math.log(axis.high / axis.low);
}

/**
 * As many ticks, up to `limit`, as keep their labels apart on an axis `length` pixels long, where `room` is the space
 * one label takes along the axis.
 */
export function fitTicks(axis: PlotAxis, length: number, limit: number, room: (label: string) => number): Ticks {
  for (let count = limit; count > 1; count--) {
    const found = axis.log ? logTicks(axis, count) : linearTicks(axis, count);
    if (found.major.length <= limit + 1 && areApart(axis, length, found.major, room)) return found;
  }
  const [first] = (axis.log ? logTicks(axis, 1) : linearTicks(axis, 1)).major;
  return { major: first === undefined ? [] : [first], minor: [] };
}

function areApart(axis: PlotAxis, length: number, major: readonly Tick[], room: (label: string) => number): boolean {
  return major.every((tick, i) => {
    const before = major[i - 1];
    if (before === undefined) return true;
    const distance = (fraction(axis, tick.value) - fraction(axis, before.value)) * length;
    return distance >= (room(tick.label) + room(before.label)) / 2;
  });
}

function linearTicks({ low, high }: PlotAxis, count: number): Ticks {
  const values = ticks(low, high, count);
  const labels = linearLabels(values);
  return { major: values.map((value, i) => ({ value, label: labels[i] ?? "" })), minor: [] };
}

function logTicks(axis: PlotAxis, count: number): Ticks {
  const first = Math.ceil(Math.log10(axis.low) - 1e-9);
  const last = Math.floor(Math.log10(axis.high) + 1e-9);
  const minor: number[] = [];
  for (let exponent = first - 1; exponent <= last; exponent++) {
    for (let k = 2; k <= 9; k++) minor.push(k * 10 ** exponent);
  }
  const isInside = (value: number): boolean => value >= axis.low * (1 - 1e-9) && value <= axis.high * (1 + 1e-9);
  const inside = minor.filter(isInside);
  const decades = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => 10 ** (first + i));
  if (decades.length >= 3) {
    const stride = Math.ceil(decades.length / count);
    return { major: logLabels(decades.filter((_, i) => i % stride === 0)), minor: decades.length > 12 ? [] : inside };
  }
  const halves = [
    ...decades,
    ...inside.filter((value) => [2, 5].includes(Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9)))),
  ].sort((a, b) => a - b);
  if (halves.length >= 3 && halves.length <= count) return { major: logLabels(halves), minor: inside };
  if (decades.length === 2) return { major: logLabels(decades), minor: inside };
  return linearTicks(axis, count);
}

function logLabels(values: readonly number[]): Tick[] {
  const isPlain = values.every((value) => value >= 0.999e-3 && value < 1e5);
  return values.map((value) => {
    const exponent = Math.floor(Math.log10(value) + 1e-9);
    const factor = Math.round(value / 10 ** exponent);
    const power = `10${superscript(exponent)}`;
    return {
      value,
      label: isPlain ? String(Number(value.toPrecision(3))) : factor === 1 ? power : `${factor}×${power}`,
    };
  });
}

/**
 * Labels of evenly spaced values, all in one form: plain decimals, or `5×10⁻⁹` when they are very small or are large
 * and round. Long whole numbers such as tags stay whole.
 */
function linearLabels(values: readonly number[]): string[] {
  const largest = values.reduce((m, value) => Math.max(m, Math.abs(value)), 0);
  if (largest === 0) return values.map(() => "0");
  const gaps = values.slice(1).map((value, i) => Math.abs(value - (values[i] ?? value)));
  const step = gaps.length === 0 ? largest : Math.min(...gaps);
  const magnitude = Math.floor(Math.log10(largest) + 1e-9);
  const stepMagnitude = Math.floor(Math.log10(step) + 1e-9);
  const digits = Math.max(0, magnitude - stepMagnitude);
  const isScientific = magnitude < -3 || magnitude >= 15 || (magnitude >= 6 && digits <= 2);
  const power = isScientific ? `×10${superscript(magnitude)}` : "";
  const scale = isScientific ? magnitude : 0;
  const decimals = Math.min(20, isScientific ? digits : Math.max(0, -stepMagnitude));
  return values.map((value) => (value === 0 ? "0" : withMinus(shift(value, -scale).toFixed(decimals)) + power));
}

/** value · 10^exponent, dividing for negative exponents, which rounds less than multiplying by 0.1… does. */
function shift(value: number, exponent: number): number {
  return exponent < 0 ? value / 10 ** -exponent : value * 10 ** exponent;
}

function withMinus(text: string): string {
  return text.replace("-", "−");
}

function superscript(exponent: number): string {
  return String(exponent).replace(/[-\d]/g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹".charAt(Number(c))));
}
