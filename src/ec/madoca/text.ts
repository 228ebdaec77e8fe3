import { SaclaError, show } from "../../core/errors.ts";

/** A reply of five fields: object, verb, subject (who asked), complement, status. */
export interface MadocaReply {
  readonly object: string;
  readonly verb: string;
  readonly complement: string;
  /** 0: fine. */
  readonly status: number;
}

/** A complement taken apart: `inactive_1234pulse`, `locked_44.999000mm`, `99.5mA`, `open`. */
interface Complement {
  /** Lower case; "" when there is a value only. */
  readonly word: string;
  readonly value: number | null;
  readonly unit: string;
}

/** Neither side sends more. */
export const LONGEST_MESSAGE = 8000;

/** @throws BAD_MESSAGE */
export function parseReply(text: string): MadocaReply {
  const [object, verb, subject, ...rest] = text.trim().split("/");
  const status = rest.pop();
  if (
    object === undefined ||
    verb === undefined ||
    subject === undefined ||
    rest.length === 0 ||
    status === undefined ||
    !/^[+-]?\d+$/.test(status.trim())
  ) {
    throw new SaclaError(
      "BAD_MESSAGE",
      `A MADOCA reply is ${show(text)}, but must be object/verb/subject/complement/status; ` +
        "is it a MADOCA server that answers?",
      {
        details: { text: show(text) },
      },
    );
  }
  return { object, verb, complement: rest.join("/").trim(), status: Number(status) };
}

/** Whether a text without a line break can be a whole reply. */
export function isWhole(text: string): boolean {
  return /^[^/]*\/[^/]*\/[^/]*\/.*\/[+-]?\d+\s*$/s.test(text);
}

/** State, value and glued unit. What has no number is all word. */
export function parseComplement(text: string): Complement {
  const match = /^(?:([a-z]+)_)?([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)([a-z%]*)$/i.exec(text.trim());
  if (match === null) return { word: text.trim().toLowerCase(), value: null, unit: "" };
  const [, word = "", value = "", unit = ""] = match;
  return { word: word.toLowerCase(), value: Number(value), unit };
}

/** The words that are states everywhere; any other word of a setting is its value. */
const states = /^(inactive|active|moving|busy|locked|fail)(?:_(.+))?$/i;

/** State and value of a setting; null when there is none. */
export function parseSetting(text: string): { readonly word: string; readonly value: number | string | null } {
  const [, word = "", rest = null] = states.exec(text.trim()) ?? [];
  const value = word === "" ? text.trim() : rest;
  const number = value === null ? null : parseComplement(value);
  const isNumber = number !== null && number.word === "" && number.value !== null;
  return { word: word.toLowerCase(), value: isNumber ? number.value : value };
}
