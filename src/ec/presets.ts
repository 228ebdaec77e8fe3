import * as v from "valibot";
import { SaclaError, show, showList } from "../core/errors.ts";
import { asText } from "../core/guards.ts";
import { AppendLog, readLog } from "../files/index.ts";
import type { Snapshot } from "./snapshot.ts";

const entry = v.strictObject({ device: v.string(), unit: v.string(), value: v.union([v.number(), v.string()]) });
const presetLine = v.strictObject({
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
    const newest = new Map<string, v.InferOutput<typeof presetLine>>();
    for (const entryLine of this.#lines()) newest.set(entryLine.name, entryLine);
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
    return this.#lines()
      .filter((entryLine) => entryLine.name === name)
      .flatMap(asPreset);
  }

  async #append(written: v.InferOutput<typeof presetLine>): Promise<void> {
    const log = AppendLog.join(this.path);
    try {
      log.append(written);
      await log.sync();
    } finally {
      log.close();
    }
  }

  #lines(): v.InferOutput<typeof presetLine>[] {
    return readLog("The presets", this.path).map(({ line, text, value }) => {
      const parsed = v.safeParse(presetLine, value);
      if (parsed.success) return parsed.output;
      throw new SaclaError("BAD_TEXT", `Line ${line} of the presets ${show(this.path)} is no preset: ${show(text)}.`, {
        details: { path: this.path, line },
      });
    });
  }
}

function asPreset({ name, comment, time, values }: v.InferOutput<typeof presetLine>): Preset[] {
  return values === null ? [] : [{ name, comment, time, values }];
}
