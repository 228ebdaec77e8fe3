import { appendFile, readFile } from "node:fs/promises";
import * as v from "valibot";
import { fileError, SaclaError, show, showList } from "../core/errors.ts";
import { asText } from "../core/guards.ts";
import type { Snapshot } from "./snapshot.ts";

const entry = v.strictObject({ device: v.string(), unit: v.string(), value: v.union([v.number(), v.string()]) });
const line = v.strictObject({
  name: v.string(),
  comment: v.string(),
  time: v.string(),
  values: v.nullable(v.record(v.string(), entry)),
});

/** A snapshot with a name. */
export interface Preset extends Snapshot {
  readonly name: string;
  readonly comment: string;
}

/**
 * Named snapshots in a file of JSON lines that only grows, so that every state a name ever had can be found again.
 *
 * @example
 * const presets = new Presets("presets.jsonl");
 * await presets.save("aligned", await control.snapshot(), "after the knife edge");
 * const move = await control.putBack(await presets.get("aligned"));
 */
export class Presets {
  readonly path: string;

  constructor(path: string) {
    this.path = asText("path", path);
  }

  /** Keeps a snapshot under a name; what the name stood for before stays in its history. @throws WRITE_FAILED */
  async save(name: string, { time, values }: Snapshot, comment = ""): Promise<void> {
    await this.#append({ name: asText("name", name), comment, time, values });
  }

  /**
   * Takes a name off the list; its history stays.
   * @throws BAD_ARGUMENT when there is none of the name
   * @throws WRITE_FAILED
   */
  async remove(name: string, comment = ""): Promise<void> {
    await this.get(name);
    await this.#append({ name, comment, time: new Date().toISOString(), values: null });
  }

  /** The newest of each name, by name. @throws BAD_TEXT naming a damaged line */
  async list(): Promise<readonly Preset[]> {
    const newest = new Map<string, v.InferOutput<typeof line>>();
    for (const entryLine of await this.#lines()) newest.set(entryLine.name, entryLine);
    return [...newest.values()].flatMap(asPreset).sort((a, b) => a.name.localeCompare(b.name));
  }

  /** What a name stands for. @throws BAD_ARGUMENT when there is none of the name @throws BAD_TEXT */
  async get(name: string): Promise<Preset> {
    const all = await this.list();
    const found = all.find((preset) => preset.name === name);
    if (found !== undefined) return found;
    throw new SaclaError(
      "BAD_ARGUMENT",
      `${show(this.path)} has no preset ${show(name)}; it has ${showList(
        all.map((preset) => preset.name),
        20,
      )}.`,
      { details: { name } },
    );
  }

  /** All that a name ever stood for, the oldest first. @throws BAD_TEXT */
  async history(name: string): Promise<readonly Preset[]> {
    return (await this.#lines()).filter((entryLine) => entryLine.name === name).flatMap(asPreset);
  }

  async #append(written: v.InferOutput<typeof line>): Promise<void> {
    try {
      // A line cut off by a crash must not swallow the next.
      const before = await this.#read();
      await appendFile(this.path, `${before === "" || before.endsWith("\n") ? "" : "\n"}${JSON.stringify(written)}\n`);
    } catch (error) {
      throw fileError("WRITE_FAILED", "The presets", this.path, error);
    }
  }

  async #read(): Promise<string> {
    try {
      return await readFile(this.path, "utf8");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
      throw error;
    }
  }

  async #lines(): Promise<v.InferOutput<typeof line>[]> {
    let content: string;
    try {
      content = await this.#read();
    } catch (error) {
      throw fileError("FILE_NOT_FOUND", "The presets", this.path, error);
    }
    const lines = content.split("\n");
    return lines.flatMap((text, i) => {
      if (text === "") return [];
      const parsed = v.safeParse(line, parse(text));
      if (parsed.success) return [parsed.output];
      // Cut off while it was written: never confirmed to anybody.
      if (parse(text) === undefined && text.startsWith("{") && !text.endsWith("}")) return [];
      throw new SaclaError("BAD_TEXT", `Line ${i + 1} of the presets ${show(this.path)} is no preset: ${show(text)}.`, {
        details: { path: this.path, line: i + 1 },
      });
    });
  }
}

function asPreset({ name, comment, time, values }: v.InferOutput<typeof line>): Preset[] {
  return values === null ? [] : [{ name, comment, time, values }];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
