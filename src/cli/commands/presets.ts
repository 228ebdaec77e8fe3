import { Argument } from "commander";
import { SaclaError } from "../../core/errors.ts";
import { oneLine } from "../../core/printable.ts";
import { type Preset, Presets } from "../../ec/index.ts";
import { textTable } from "../../plot/text.ts";
import { type AddCommand, type CommandResult, declare } from "../command.ts";
import { type ChangeOptions, doMove, view, withChange } from "../control.ts";
import { PRESETS_FILE } from "../page-options.ts";

type Action = "list" | "save" | "show" | "diff" | "restore" | "history" | "remove";
interface Options extends ChangeOptions {
  readonly file: string;
  readonly comment: string;
  readonly only?: readonly string[];
}

/** `sacla presets list|save|show|diff|restore|history|remove [NAME]`. */
export const presets: AddCommand = (program, io) =>
  declare<Options, [Action, string | undefined]>(
    program,
    io,
    "presets",
    "keep where devices are under a name, compare, put back",
    (command) =>
      withChange(
        command
          .addArgument(
            new Argument("<action>").choices(["list", "save", "show", "diff", "restore", "history", "remove"]),
          )
          .argument("[name]", "of the preset; list needs none")
          .option("--file <path>", "where presets are kept, JSON lines", PRESETS_FILE)
          .option("--comment <text>", "kept with it", "")
          .option("--only <names>", "save these alone, with commas between", (text: string) => text.split(",")),
      ),
    async (session, options, [action, name]) => {
      const kept = new Presets(options.file);
      if (action === "list") return listed(await kept.list());
      if (name === undefined)
        throw new SaclaError("BAD_ARGUMENT", `presets ${action} needs a name: sacla presets ${action} NAME.`);
      if (action === "history") return listed(await kept.history(name));
      if (action === "show") return shown(await kept.get(name));
      if (action === "remove") {
        if (options.dryRun !== true) await kept.remove(name, options.comment);
        return {
          json: { name, done: options.dryRun !== true },
          text: options.dryRun === true ? `${name} would be removed` : `${name} was removed; its history stays`,
        };
      }
      const looking = await view(session);
      if (action === "save") {
        const snapshot = await looking.snapshot(options.only);
        if (options.dryRun !== true) await kept.save(name, snapshot, options.comment);
        return shown({ ...snapshot, name, comment: options.comment });
      }
      const preset = await kept.get(name);
      if (action === "restore") {
        const move = await looking.putBack(preset);
        if (move.table().length === 0)
          return {
            json: { table: [], problems: [], seconds: 0, done: true, at: {} },
            text: `all is as in ${name}; nothing to put back`,
          };
        return await doMove(
          session,
          options,
          `put back ${name}`,
          move,
          async (control) => await control.putBack(preset),
        );
      }
      const differences = await looking.diff(preset);
      const rows = differences.map(({ name: device, before, now }) => [device, before.value, now.value, now.unit]);
      return {
        json: { name, differences },
        text: rows.length === 0 ? `all is as in ${name}` : textTable(["name", "preset", "now", "unit"], rows),
      };
    },
  );

function listed(all: readonly Preset[]): CommandResult {
  const rows = all.map(({ name, time, comment, values }) => [name, time, Object.keys(values).length, comment]);
  return {
    json: { presets: all },
    text: rows.length === 0 ? "there are no presets" : textTable(["name", "time", "devices", "comment"], rows),
  };
}

function shown(preset: Preset): CommandResult {
  const rows = Object.entries(preset.values).map(([name, { value, unit, device }]) => [name, value, unit, device]);
  const title = oneLine(`${preset.name}, ${preset.time} ${preset.comment}`);
  return {
    json: preset,
    text: `${title}\n${textTable(["name", "value", "unit", "device"], rows)}`,
  };
}
