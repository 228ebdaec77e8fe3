import { type AddCommand, declare, parseValue, settingValue } from "../command.ts";
import { type ChangeOptions, doMove, view, withChange } from "../control.ts";

/** `sacla set NAME [VALUE]`: any setting of a beamline. */
export const set: AddCommand = (program, io) =>
  declare<ChangeOptions, [string, number | string | undefined]>(
    program,
    io,
    "set",
    "print or change a setting: amplifier gain, attenuator, pulse selector, undulator K",
    (command) =>
      withChange(
        command
          .argument("<name>", "name of the setting, as `sacla axes` lists it")
          .argument("[value]", "new value; omit to print the current one", parseValue),
      ),
    async (session, options, [name, value]) => {
      const looking = await view(session);
      const { info } = looking.setting(name);
      if (value === undefined) {
        const now = await looking.setting(name).value();
        return {
          json: { name, value: now, unit: info.unit, allowed: info.allowed },
          text: `${name} is ${now} ${info.unit}`.trimEnd(),
        };
      }
      const to = { [name]: settingValue(value, info.unit, name) };
      return await doMove(
        session,
        options,
        `set ${name}`,
        await looking.plan(to),
        async (control) => await control.plan(to),
      );
    },
  );
