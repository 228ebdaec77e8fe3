import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { SaclaError } from "../core/errors.ts";
import { badArgument, isRecord } from "../core/guards.ts";
import { replaceFile } from "../files/index.ts";

/** Layouts of one experiment. */
const MOST = 200;

/** What the page is to show, by name, for each experiment: a JSON file beside that of the presets. */
export class Layouts {
  readonly file: string;

  constructor(presets: string) {
    this.file = join(dirname(presets), "layouts.json");
  }

  /** @throws BAD_TEXT when the file is not one of layouts */
  list(owner: string): { name: string; place: string }[] {
    const kept = this.#read().get(owner) ?? {};
    return Object.entries(kept)
      .map(([name, place]) => ({ name, place }))
      .sort((a, b) => a.name.localeCompare(b.name));
  }

  /**
   * @param place - null: the layout is forgotten
   * @throws BAD_TEXT as {@link list} @throws BAD_ARGUMENT when there are too many
   */
  save(owner: string, name: string, place: string | null): void {
    const all = this.#read();
    const { [name]: _, ...others } = all.get(owner) ?? {};
    if (place !== null && Object.keys(others).length >= MOST)
      throw badArgument("the layouts of an experiment", MOST + 1, `at most ${MOST}; forget one first`);
    all.set(owner, place === null ? others : { ...others, [name]: place });
    replaceFile(this.file, `${JSON.stringify(Object.fromEntries(all), null, 1)}\n`);
  }

  #read(): Map<string, Record<string, string>> {
    if (!existsSync(this.file)) return new Map();
    let found: unknown;
    try {
      found = JSON.parse(readFileSync(this.file, "utf8"));
    } catch (cause) {
      throw new SaclaError("BAD_TEXT", `The layouts ${this.file} are no JSON; mend the file, or move it away.`, {
        cause,
      });
    }
    return new Map(
      Object.entries(isRecord(found) ? found : {}).map(([owner, kept]) => [
        owner,
        Object.fromEntries(
          Object.entries(isRecord(kept) ? kept : {}).filter(
            (entry): entry is [string, string] => typeof entry[1] === "string" && entry[1].startsWith("#/"),
          ),
        ),
      ]),
    );
  }
}
