import { InvalidArgumentError } from "commander";
import { type AddCommand, declare } from "../command.ts";
import { type ChangeOptions, doMove, view, withChange } from "../control.ts";

interface Options extends ChangeOptions {
  readonly relative?: boolean;
}
type Target = readonly [name: string, value: number];

/** `sacla move AXIS=POSITION …`: shows now → will be, asks, moves all together. */
export const move: AddCommand = (program, io) =>
  declare<Options, [readonly Target[]]>(
    program,
    io,
    "move",
    "move axes together: shows current and target positions, then asks for confirmation",
    (command) =>
      withChange(
        command
          .argument("<axis=position...>", "in the unit of the axis", parseTarget)
          .option("-r, --relative", "positions are relative to the current ones"),
      ),
    async (session, options, [targets]) => {
      const looking = await view(session);
      const to: Record<string, number> = {};
      for (const [name, value] of targets)
        to[name] = options.relative === true ? value + (await looking.axis(name).position()) : value;
      const what = `move ${Object.keys(to).join(", ")}`;
      return await doMove(session, options, what, await looking.plan(to), (control) => control.plan(to));
    },
  );

function parseTarget(text: string, before: readonly Target[] | undefined): readonly Target[] {
  const [, name, value] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  const number = Number(value);
  if (name === undefined || value === undefined || value.trim() === "" || !Number.isFinite(number)) {
    throw new InvalidArgumentError("It must be AXIS=POSITION, such as delay=1.5.");
  }
  if (before?.some(([other]) => other === name) === true)
    throw new InvalidArgumentError(`${name} can go to one position only, but is given two.`);
  return [...(before ?? []), [name, number]];
}
