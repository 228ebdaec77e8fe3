import { SaclaError, show } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import { type Column, emptyColumn, formatSyncValue, parseSyncValue, setEntry } from "../core/syncdb.ts";
import { asTags, MAX_TAG } from "../core/tags.ts";

/** A tag list as MakeTagList writes it and DataConvert reads it. The HighTag is not in the text. */
export interface TagListFile {
  /** Detectors the list was made for; may be empty. */
  readonly detectors: readonly string[];
  /** In the order of the text. */
  readonly tags: Uint32Array;
}

/** One signal as `syncdaq_get` prints it. */
export interface SyncdaqOutput {
  /** In the order of the text. */
  readonly tags: Uint32Array;
  /** One value per tag; `equipId` is the one given, since the text does not name it. */
  readonly column: Column;
}

/**
 * Reads a tag list: first line `det,<id>,<id>…`, then one tag per line.
 * @throws BAD_TEXT naming the line
 * @example const { detectors, tags } = parseTagList(await readFile("taglist.txt", "utf8"));
 */
export function parseTagList(text: string): TagListFile {
  const [first = "", ...rest] = linesOf(text);
  const [word, ...ids] = first.split(",").map((cell) => cell.trim());
  if (word !== "det") throw badText("tag list", 1, first, "det,<detector id>,…");
  return {
    detectors: ids.filter((id) => id !== ""),
    tags: Uint32Array.from(rest, (line, i) => tagIn(line, "tag list", i + 2, line)),
  };
}

/**
 * Writes a tag list in the form {@link parseTagList} reads.
 * @throws BAD_ARGUMENT for a detector id with a comma or line break
 */
export function formatTagList({
  detectors,
  tags,
}: {
  readonly detectors: readonly string[];
  readonly tags: Iterable<number>;
}): string {
  for (const id of detectors)
    if (id === "" || /[,\r\n]|^\s|\s$/.test(id))
      throw badArgument("detector id", id, "a name without comma or line break");
  return `${[["det", ...detectors].join(","), ...asTags(tags)].join("\n")}\n`;
}

/**
 * Reads the output of `syncdaq_get`: lines `tag, value` with the unit glued to the number, or `not-converged`,
 * `saturated`; at the end `total <number of lines>`. A value without a leading number is `missing`.
 * @param equipId - the signal that was asked for
 * @throws BAD_TEXT naming the line; also when units differ or lines were lost
 */
export function parseSyncdaq(equipId: string, text: string): SyncdaqOutput {
  const lines = linesOf(text);
  const last = lines.pop() ?? "";
  const total = Number(/^total\s+(\d+)$/.exec(last.trim())?.[1]);
  if (total !== lines.length)
    throw badText("syncdaq_get output", lines.length + 1, last, `total ${lines.length}, the number of lines above`);
  const tags = new Uint32Array(total);
  const values = lines.map((line, i) => {
    const [, tag, value] = /^([^,]*),(.*\S.*)$/.exec(line) ?? [];
    if (tag === undefined || value === undefined) throw badText("syncdaq_get output", i + 1, line, "<tag>, <value>");
    tags[i] = tagIn(tag, "syncdaq_get output", i + 1, line);
    return parseSyncValue(value.trim());
  });
  const unit = values.find((entry) => "value" in entry)?.unit ?? "";
  const column = emptyColumn(equipId, unit, total);
  values.forEach((entry, i) => {
    if ("value" in entry && entry.unit !== unit)
      throw badText("syncdaq_get output", i + 1, lines[i] ?? "", `a value in ${show(unit)} like those above`);
    setEntry(column, i, "value" in entry ? entry.value : entry.reason);
  });
  return { tags, column };
}

/**
 * Writes one signal as `syncdaq_get` prints it. Numbers get six significant digits.
 * @throws BAD_ARGUMENT when the column has not one value per tag
 */
export function formatSyncdaq(tags: Iterable<number>, column: Column): string {
  const list = asTags(tags);
  if (list.length !== column.values.length)
    throw badArgument("the number of tags", list.length, `${column.values.length}, one per value of ${column.equipId}`);
  const lines = Array.from(list, (tag, i) => `${tag}, ${formatSyncValue(column, i)}`);
  return `${[...lines, `total ${list.length}`].join("\n")}\n`;
}

/** The lines of a text, whatever ends them; empty lines at the end are no lines. */
export function linesOf(text: string): string[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/);
  while (lines.at(-1)?.trim() === "") lines.pop();
  return lines;
}

/** A cell as a tag. @throws BAD_TEXT showing the whole line */
export function tagIn(cell: string, format: string, lineNumber: number, line: string): number {
  const tag = /^\s*\d+\s*$/.test(cell) ? Number(cell) : NaN;
  if (!(tag <= MAX_TAG)) throw badText(format, lineNumber, line, `a tag, a whole number from 0 to ${MAX_TAG}`);
  return tag;
}

/** The error for a line that does not follow its format. */
export function badText(format: string, lineNumber: number, line: string, wanted: string): SaclaError {
  return new SaclaError("BAD_TEXT", `Line ${lineNumber} of the ${format} is ${show(line)}, but must be ${wanted}.`, {
    details: { format, lineNumber, line, wanted },
  });
}
