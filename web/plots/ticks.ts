/** How h5web's axes ask for the text of a tick: they give the others, too. */
export type TickFormat = (value: number, index?: number, all?: readonly { readonly value: number }[]) => string;

const prefixes = ["", "k", "M", "G", "T", "P"] as const;

/**
 * The number at a tick of an axis, with the prefix that suits the largest one there: 50k, 100k; never 1e+5. Small ones
 * are written with a power of ten.
 */
export const tickText: TickFormat = (value, _, all = [{ value }]) => {
  if (value === 0) return "0";
  const largest = Math.max(...all.map((tick) => Math.abs(tick.value)));
  const step = Math.abs((all[1]?.value ?? 0) - (all[0]?.value ?? value));
  const power = Math.floor(Math.log10(largest) + 1e-9);
  // As many digits as tell one tick from the next.
  const digits = step > 0 ? Math.max(1, Math.floor(Math.log10(Math.abs(value)) - Math.log10(step) + 1e-9) + 3) : 6;
  if (power >= 5) {
    const third = Math.min(prefixes.length - 1, Math.floor(power / 3));
    return `${rounded(value / 10 ** (3 * third), digits)}${prefixes[third]}`;
  }
  return power >= -3 ? rounded(value, digits) : `${rounded(value / 10 ** power, digits)}×10${superscript(power)}`;
};

/** At a logarithmic axis: of the powers of ten alone where there are many ticks. */
export const logTickText: TickFormat = (value, index, all = []) => {
  const power = Math.log10(Math.abs(value));
  const isDecade = Math.abs(power - Math.round(power)) < 1e-9;
  return isDecade || all.length <= MOST_TICKS ? tickText(value, index, [{ value }]) : "";
};

const MOST_TICKS = 8;

function rounded(value: number, digits: number): string {
  return String(Number(value.toPrecision(Math.min(15, digits)))).replace("-", "−");
}

function superscript(power: number): string {
  return [...String(power)].map((sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(sign)])).join("");
}
