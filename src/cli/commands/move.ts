import { InvalidArgumentError } from "commander";
import type { Control } from "../../ec/index.ts";
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
    "move axes together: shows now and will be, then asks",
    (command) =>
      withChange(
        command
          .argument("<axis=position...>", "in the unit of the axis", parseTarget)
          .option("-r, --relative", "by so much, from where it is"),
      ),
    async (session, options, [targets]) => {
      const plan = async (control: Control, to: Readonly<Record<string, number>>) => await control.plan(to);
      const looking = await view(session, options);
      const to: Record<string, number> = {};
      for (const [name, value] of targets)
        to[name] = options.relative === true ? value + (await looking.axis(name).position()) : value;
      return await doMove(session, options, `move ${Object.keys(to).join(", ")}`, await plan(looking, to), (control) =>
        plan(control, to),
      );
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
