/**
 * What a terminal does not show but obeys, or what makes a line look like another one: control characters (escape
 * sequences begin with one) but line break and tab, line and paragraph separators, marks that change the direction of
 * text (Unicode TR 36), and invisible tag characters.
 */
const unprintable = /[^\P{Cc}\n\t]|[\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/gu;
const rows = new RegExp(`(?:${unprintable.source}|[\\n\\t])+`, "gu");

/**
 * A text of which a terminal shows every character: what it would obey is written as in JSON (`\u001b`). Applied to
 * JSON the value stays the same, because such characters stand only within its strings.
 */
export function printable(text: string): string {
  return text.replace(unprintable, (character) =>
    Array.from(
      { length: character.length },
      (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}

/** A text with a space for each row of characters that a terminal obeys or does not show, line breaks and tabs too. */
export function spaced(text: string): string {
  return text.replace(rows, " ");
}

/** A text of somebody else (a name, reason, comment) within a line: {@link printable}, and without line breaks. */
export function oneLine(text: string): string {
  return printable(text.replace(/\r?\n|\t/g, " "));
}
