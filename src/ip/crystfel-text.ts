import { SaclaError, show } from "../core/errors.ts";

/** A value of the file. */
export interface Entry {
  readonly text: string;
  readonly line: number;
}

/** A panel or bad region while it is read. */
export interface Block {
  readonly name: string;
  readonly line: number;
  readonly entries: Map<string, Entry>;
}

/** The panels and bad regions of a CrystFEL geometry file, and what holds for all. @throws BAD_TEXT */
export function readBlocks(text: string): { panels: Block[]; bads: Block[]; defaults: Map<string, Entry> } {
  const panels = new Map<string, Block>();
  const bads = new Map<string, Block>();
  const defaults = new Map<string, Entry>();
  for (const [i, raw] of text.split(/\r\n?|\n/).entries()) {
    const content = raw.replace(/;.*/, "").trim();
    if (content === "") continue;
    const line = i + 1;
    const match = /^(?:([^/=]+?)\s*\/\s*)?([^/=\s]+)\s*=\s*(.*)$/.exec(content);
    const key = match?.[2];
    const value = match?.[3];
    // Groups are for refinement alone, and may be empty.
    if (key !== undefined && /^(rigid_)?group/.test(key) && match?.[1] === undefined) continue;
    if (key === undefined || value === undefined || value === "")
      throw badGeomText(line, `${show(content)} is not of the form key = value or panel/key = value`);
    const name = match?.[1];
    if (name === undefined) {
      defaults.set(key, { text: value, line });
      continue;
    }
    const isBad = name.startsWith("bad");
    const blocks = isBad ? bads : panels;
    const block = blocks.get(name) ?? { name, line, entries: new Map(isBad ? [] : defaults) };
    blocks.set(name, block);
    block.entries.set(key, { text: value, line });
  }
  return { panels: [...panels.values()], bads: [...bads.values()], defaults };
}

export function withUnit({ text, line }: Entry, units: Readonly<Record<string, number>>): number {
  const match = /^(\S+?)\s*([a-zA-Z]*)$/.exec(text);
  const value = Number(match?.[1]);
  const factor = units[match?.[2] ?? ""];
  if (!Number.isFinite(value) || factor === undefined) {
    throw badGeomText(
      line,
      `${show(text)} is not a number with a unit of ${Object.keys(units).filter(Boolean).join(", ")}`,
    );
  }
  return value * factor;
}

export function entry(block: Block, key: string): Entry {
  const found = block.entries.get(key);
  if (found === undefined) throw badGeomText(block.line, `${block.name} begins here, but has no ${key}`);
  return found;
}

export function number(block: Block, key: string): number {
  const { text, line } = entry(block, key);
  const value = Number(text);
  if (!Number.isFinite(value))
    throw badGeomText(line, `${key} of ${block.name} is ${show(text)}, but must be a number`);
  return value;
}

export function positive(block: Block, key: string): number {
  const value = number(block, key);
  if (value <= 0) throw badGeomText(entry(block, key).line, `${key} of ${block.name} is ${value}, but must be above 0`);
  return value;
}

export function whole(block: Block, key: string): number {
  const value = number(block, key);
  if (!Number.isInteger(value) || value < 0)
    throw badGeomText(entry(block, key).line, `${key} of ${block.name} is ${value}, but must be a whole number from 0`);
  return value;
}

export function badGeomText(line: number, problem: string): SaclaError {
  return new SaclaError("BAD_TEXT", `Line ${line} of the CrystFEL geometry: ${problem}.`, { details: { line } });
}
