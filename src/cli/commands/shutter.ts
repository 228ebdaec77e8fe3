import { Argument } from "commander";
import { oneLine } from "../../core/printable.ts";
import { type AddCommand, declare } from "../command.ts";
import { type ChangeOptions, change, view, withChange } from "../control.ts";

/** `sacla shutter NAME [open|close]`. */
export const shutter: AddCommand = (program, io) =>
  declare<ChangeOptions, [string, "open" | "close" | undefined]>(
    program,
    io,
    "shutter",
    "print, open or close a shutter; closing needs no lease and no confirmation",
    (command) =>
      withChange(
        command
          .argument("<name>", "name of the shutter, as `sacla axes` lists it")
          .addArgument(new Argument("[action]", "omit to print the state").choices(["open", "close"])),
      ),
    async (session, options, [name, action]) => {
      const looking = await view(session);
      const looked = looking.shutter(name);
      const { value: now, state, why } = await looked.state();
      const told = `${name} is ${now}${state === "ready" ? "" : ` (${state}${why === "" ? "" : `: ${oneLine(why)}`})`}`;
      if (action === undefined) return { json: { name, value: now, state, why }, text: told };
      const willBe = action === "open" ? "open" : "closed";
      const shown = `${told}; will be ${willBe}`;
      if (action === "close" && options.dryRun !== true) {
        await looked.close();
        return { json: { name, now, willBe, done: true }, text: `${name} is closed` };
      }
      const { done } = await change(
        session,
        options,
        `${action} ${name}`,
        shown,
        async (control) => await control.shutter(name).open(),
      );
      return {
        json: { name, now, willBe, done },
        text: done ? `${name} is ${willBe}` : `${shown}; nothing was done`,
        exitCode: done || options.dryRun === true ? 0 : 1,
      };
    },
  );
