import { SaclaError } from "../core/errors.ts";

const operators: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "=": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};

/**
 * Reads a condition as people type it, `SIGNAL OPERATOR NUMBER`: `xfel_bl_3_tc_bm_1_pd/charge > 5e-9`.
 * @throws BAD_ARGUMENT when it has another form
 * @example
 * const { equipId, holds } = parseCondition("xfel_bl_3_tc_bm_1_pd/charge > 5e-9");
 * const strong = await tags.where(equipId, holds);
 */
export function parseCondition(text: string): { equipId: string; holds: (value: number) => boolean } {
  const [, equipId, operator, number] = /^\s*(\S+?)\s*(<=|>=|!=|<|>|=)\s*(\S+)\s*$/.exec(text) ?? [];
  const compare = operators[operator ?? ""];
  const limit = Number(number);
  if (equipId === undefined || compare === undefined || Number.isNaN(limit)) {
    throw new SaclaError(
      "BAD_ARGUMENT",
      `The condition ${JSON.stringify(text)} must be "SIGNAL OPERATOR NUMBER", ` +
        `with an operator of ${Object.keys(operators).join(" ")}.`,
    );
  }
  return { equipId, holds: (value) => compare(value, limit) };
}
