import { InvalidArgumentError } from "commander";
import { parseQuantity } from "../../core/quantities.ts";
import { type AddCommand, declare, inUnit, type Typed } from "../command.ts";
import { type ChangeOptions, doMove, view, withChange } from "../control.ts";

interface Options extends ChangeOptions {
  readonly relative?: boolean;
}
type Target = readonly [name: string, value: Typed];

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
          .argument("<axis=position...>", "in the unit of the axis, or with its own: delay=1.5ps", parseTarget)
          .option("-r, --relative", "positions are relative to the current ones"),
      ),
    async (session, options, [targets]) => {
      const looking = await view(session);
      const to: Record<string, number> = {};
      for (const [name, typed] of targets) {
        const axis = looking.axis(name);
        const value = inUnit(typed, axis.unit, name);
        to[name] = options.relative === true ? value + (await axis.position()) : value;
      }
      const what = `move ${Object.keys(to).join(", ")}`;
      return await doMove(session, options, what, await looking.plan(to), (control) => control.plan(to));
    },
  );

function parseTarget(text: string, before: readonly Target[] | undefined): readonly Target[] {
  const [, name, value] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  const typed = value === undefined ? undefined : parseQuantity(value);
  if (name === undefined || typed === undefined)
    throw new InvalidArgumentError("It must be AXIS=POSITION, such as delay=1.5 or delay=1.5ps.");
  if (before?.some(([other]) => other === name) === true)
    throw new InvalidArgumentError(`${name} can go to one position only, but is given two.`);
  return [...(before ?? []), [name, typed]];
}
