import { textTable } from "../../plot/text.ts";
import { type AddCommand, print } from "../command.ts";
import { readSettings } from "../settings.ts";

/** `sacla config`: the defaults that commands have here, and where each comes from. */
export const config: AddCommand = (program, io) => {
  program
    .command("config")
    .description(
      "show the defaults that commands have here, and where each comes from: options come before all of them",
    )
    .option("--url <address>", "as if commands had this: a sacla.json beside the data counts first")
    .option("--json", "print one JSON object")
    .action(({ url, json }: { url?: string; json?: boolean }) => {
      const settings = readSettings(io, url);
      const all = settings.list();
      const rows = all.map(({ key, value, from, meaning }) => [key, value ?? "", from, meaning]);
      const files =
        settings.files.length === 0
          ? 'no sacla.json here; one looks like this: {"experiment": "experiment.json", "bl": 3, "as": "your name"}'
          : `read: ${settings.files.join(", ")}`;
      print(io, json === true, {
        json: { settings: all, files: settings.files },
        text: `${textTable(["setting", "value", "from", "meaning"], rows)}\n${files}`,
      });
    });
};
