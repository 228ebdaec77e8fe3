import { type AddCommand, declare } from "../command.ts";
import { type ChangeOptions, doMove, view, withChange } from "../control.ts";

/** `sacla amp NAME [VALUE]`: amplifier gains and all other settings. */
export const amp: AddCommand = (program, io) =>
  declare<ChangeOptions, [string, number | string | undefined]>(
    program,
    io,
    "amp",
    "tell or put a setting: amplifier gain, attenuator, pulse selector, K of ID1",
    (command) =>
      withChange(
        command
          .argument("<name>", "as `sacla axes` lists it")
          .argument("[value]", "what it shall be; without it, what it is", (text: string) =>
            text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text),
          ),
      ),
    async (session, options, [name, value]) => {
      const looking = await view(session, options);
      const { info } = looking.setting(name);
      if (value === undefined) {
        const now = await looking.setting(name).value();
        return {
          json: { name, value: now, unit: info.unit, allowed: info.allowed },
          text: `${name} is ${now} ${info.unit}`.trimEnd(),
        };
      }
      const to = { [name]: value };
      return await doMove(
        session,
        options,
        `set ${name}`,
        await looking.plan(to),
        async (control) => await control.plan(to),
      );
    },
  );
