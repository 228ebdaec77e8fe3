import { SaclaError } from "../core/errors.ts";

/** Words of a line as a shell parts them: quotes keep spaces, a backslash the letter behind it, # begins a note. */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const letter = line[i] ?? "";
    if (letter === quote) quote = "";
    else if (letter === "\\" && quote !== "'") word = (word ?? "") + (line[++i] ?? "");
    else if (quote !== "") word = (word ?? "") + letter;
    else if (letter === "'" || letter === '"') [quote, word] = [letter, word ?? ""];
    else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (letter === "#" && word === undefined) break;
    else word = (word ?? "") + letter;
  }
  if (quote !== "") throw new SaclaError("BAD_ARGUMENT", `A quote ${quote} is opened and not closed.`);
  return word === undefined ? words : [...words, word];
}

/** How people at beamlines say it: each with the command that it stands for. */
export const shortForms: Readonly<Record<string, string>> = {
  "umv AXIS POSITION …": "move AXIS=POSITION … --yes",
  "umvr AXIS DISTANCE …": "move AXIS=DISTANCE … --relative --yes",
  "wm [PATTERN]": "axes [PATTERN]",
};

/** The words of a command of `sacla`, for a line that may have `sacla` before it, or be a short form. */
export function commandOf(words: readonly string[]): string[] {
  const [name = "", ...rest] = words[0] === "sacla" ? words.slice(1) : words;
  if (name === "wm") return ["axes", ...rest];
  if (name !== "umv" && name !== "umvr") return [name, ...rest];
  const options = rest.findIndex((word) => /^-\D/.test(word));
  const [pairs, others] = options < 0 ? [rest, []] : [rest.slice(0, options), rest.slice(options)];
  if (pairs.length === 0 || pairs.length % 2 === 1)
    throw new SaclaError("BAD_ARGUMENT", `${name} takes axes, each with a number behind it: ${name} delay 1.5ps.`);
  const targets = pairs.flatMap((axis, i) => (i % 2 === 0 ? [`${axis}=${pairs[i + 1]}`] : []));
  return ["move", ...targets, ...(name === "umvr" ? ["--relative"] : []), "--yes", ...others];
}
