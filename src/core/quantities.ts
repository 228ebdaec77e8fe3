/** Powers of ten of the SI prefixes in use; `u` is how keyboards write µ. */
const prefixes: Readonly<Record<string, number>> = {
  ...{ a: -18, f: -15, p: -12, n: -9, u: -6, µ: -6, μ: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12 },
};
/** Units that take a prefix. */
const bases = ["s", "m", "C", "J", "V", "A", "W", "K", "Hz", "eV", "rad", "deg", "Gy", "Pa", "T"];

interface ParsedUnit {
  readonly base: string;
  readonly exponent: number;
}

function parseUnit(unit: string): ParsedUnit | undefined {
  const text = unit === "°" ? "deg" : unit;
  // m alone is a metre and no prefix; the longest base wins, so that meV is milli-eV and no metre.
  for (const base of bases.toSorted((a, b) => b.length - a.length)) {
    if (!text.endsWith(base)) continue;
    const exponent = prefixes[text.slice(0, text.length - base.length)];
    if (exponent !== undefined) return { base, exponent };
  }
  return undefined;
}

/** By what a number in `from` is multiplied to be in `to`; undefined where the units do not fit. */
export function unitFactor(from: string, to: string): number | undefined {
  if (from === to) return 1;
  const [a, b] = [parseUnit(from), parseUnit(to)];
  if (a === undefined || b === undefined || a.base !== b.base) return undefined;
  const power = a.exponent - b.exponent;
  return power < 0 ? 1 / 10 ** -power : 10 ** power;
}

/** A number with its unit, "" for none: `1.5ps`, `-2 mm`, `5e-9`. Undefined for a text that is none. */
export function parseQuantity(text: string): { readonly value: number; readonly unit: string } | undefined {
  const [, number, unit = ""] =
    /^\s*([+\-−]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\d\s].*?)?\s*$/.exec(text) ?? [];
  if (number === undefined) return undefined;
  return { value: Number(number.replace("−", "-")), unit };
}

/** `unit` with the SI prefix that brings `largest` to 1 … 1000, and the factor that numbers are multiplied by then. */
export function prefixedUnit(unit: string, largest: number): { readonly unit: string; readonly factor: number } {
  const parsed = parseUnit(unit);
  // A unit that has a prefix already was chosen by somebody; pulses, percent and degrees take none.
  if (parsed === undefined || parsed.exponent !== 0 || ["deg", "rad"].includes(parsed.base)) return { unit, factor: 1 };
  const size = Math.abs(largest);
  if (!(size > 0) || !Number.isFinite(size)) return { unit, factor: 1 };
  const power = Math.min(12, Math.max(-18, 3 * Math.floor(Math.log10(size * (1 + 1e-12)) / 3)));
  const prefix = ["a", "f", "p", "n", "µ", "m", "", "k", "M", "G", "T"][power / 3 + 6] ?? "";
  return { unit: prefix + unit, factor: power < 0 ? 10 ** -power : 1 / 10 ** power };
}

/** A number as people write it, with four significant digits and its unit: `5.032 nC`. */
export function quantity(value: number, unit = "", digits = 4): string {
  if (!Number.isFinite(value)) return "–";
  const { unit: shown, factor } = prefixedUnit(unit, value);
  const scaled = value * factor;
  const isWhole = Number.isInteger(scaled) && Math.abs(scaled) < 1e15;
  return withUnit(isWhole ? String(scaled) : plain(scaled, digits), shown);
}

/**
 * A number with its standard error in its last digits: `5.03(8) nC`, `−0.012(3) V`, `1230(40) pulse`. Without an error
 * it is {@link quantity}.
 */
export function quantityWithError(value: number, error: number, unit = ""): string {
  if (!(error > 0) || !Number.isFinite(error) || !Number.isFinite(value)) return quantity(value, unit);
  const { unit: shown, factor } = prefixedUnit(unit, Math.max(Math.abs(value), error));
  const [scaled, wrong] = [value * factor, error * factor];
  // One digit of the error, two where it begins with 1: 0.14 is not 0.1.
  const magnitude = Math.floor(Math.log10(wrong));
  const digits = wrong / 10 ** magnitude < 1.95 ? 1 - magnitude : -magnitude;
  const power = Math.floor(Math.log10(Math.max(Math.abs(scaled), wrong)));
  if (power >= 7 || digits > 12) {
    const scale = 10 ** power;
    return withUnit(`${quantityWithError(scaled / scale, wrong / scale)}e${power}`, shown);
  }
  if (digits > 0) return withUnit(`${scaled.toFixed(digits)}(${Math.round(wrong * 10 ** digits)})`, shown);
  const step = 10 ** -digits;
  return withUnit(`${Math.round(scaled / step) * step}(${Math.round(wrong / step) * step})`, shown);
}

function plain(value: number, digits: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(digits - 1).replace("e+", "e");
  return value.toPrecision(digits).includes("e")
    ? String(Number(value.toPrecision(digits)))
    : value.toPrecision(digits);
}

function withUnit(number: string, unit: string): string {
  return unit === "" ? number : `${number} ${unit}`;
}
