import { SaclaError, show } from "../core/errors.ts";
import { parseQuantity, unitFactor } from "../core/quantities.ts";

const operators: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "=": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};
/** The same with the sides exchanged: what `2 < signal` says of the signal. */
const turned: Readonly<Record<string, string>> = { "<": ">", "<=": ">=", ">": "<", ">=": "<=" };

/** One comparison of a condition. */
export interface Comparison {
  readonly operator: string;
  readonly limit: number;
  /** Of the limit as it was typed; "" when there was none: that of the signal is meant. */
  readonly unit: string;
}

/** A condition on a signal. */
export interface SignalCondition {
  /** Equipment id, or a name of the experiment. */
  readonly equipId: string;
  readonly comparisons: readonly Comparison[];
  /**
   * Whether a value in the unit of its signal fulfils it; for `RunTags.where`.
   * @throws BAD_ARGUMENT when a unit was typed that does not fit that of the signal
   */
  readonly holds: (value: number, tag?: number, unit?: string) => boolean;
}

/**
 * Reads a condition as people type it: `SIGNAL OPERATOR NUMBER`, such as `xfel_bl_3_tc_bm_1_pd/charge > 5e-9` or
 * `i0 > 5nC`, or a band, `4nC < i0 < 6nC`.
 * @throws BAD_ARGUMENT when it has another form
 * @example
 * const { equipId, holds } = parseCondition("xfel_bl_3_tc_bm_1_pd/charge > 5e-9");
 * const strong = await tags.where(equipId, holds);
 */
export function parseCondition(text: string): SignalCondition {
  const [, low, lower, middle, upper, high] = /^([^<>=!]+)(<=|<)([^<>=!]+)(<=|<)([^<>=!]+)$/.exec(text) ?? [];
  const [, signal, operator, number] = /^([^<>=!]+)(<=|>=|!=|<|>|=)([^<>=!]+)$/.exec(text) ?? [];
  const name = (middle ?? signal)?.trim();
  const comparisons = [
    comparison(turned[lower ?? ""], low),
    comparison(upper, high),
    comparison(operator, number),
  ].filter((one) => one !== undefined);
  if (name === undefined || /\s|^$/.test(name) || comparisons.length < (middle === undefined ? 1 : 2)) {
    throw new SaclaError(
      "BAD_ARGUMENT",
      `The condition ${show(text)} must be "SIGNAL OPERATOR NUMBER", with an operator of ` +
        `${Object.keys(operators).join(" ")} and a unit if you like ("i0 > 5nC"), or a band: "4nC < i0 < 6nC".`,
    );
  }
  return {
    equipId: name,
    comparisons,
    holds: (value, _tag, unit) =>
      comparisons.every((one) => operators[one.operator]?.(value, limitIn(one, unit ?? "", name)) === true),
  };
}

/** The limit in the unit of the signal. @throws BAD_ARGUMENT when the units do not fit */
export function limitIn({ limit, unit }: Comparison, signalUnit: string, signal: string): number {
  const factor = unit === "" ? 1 : unitFactor(unit, signalUnit);
  if (factor !== undefined) return limit * factor;
  const own = signalUnit === "" ? "has no unit" : `is in ${signalUnit}`;
  throw new SaclaError("BAD_ARGUMENT", `${signal} ${own}, so it cannot be compared with ${limit} ${unit}.`, {
    details: { signal, unit: signalUnit, given: unit },
  });
}

function comparison(operator: string | undefined, number: string | undefined): Comparison | undefined {
  const found = number === undefined ? undefined : parseQuantity(number);
  return operator === undefined || found === undefined ? undefined : { operator, limit: found.value, unit: found.unit };
}
