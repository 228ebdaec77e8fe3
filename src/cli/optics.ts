import { existsSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import type { Command } from "commander";
import { SaclaError } from "../core/errors.ts";
import { defined } from "../core/options.ts";
import { type ControlView, type Experiment, toPosition, toPulses } from "../ec/index.ts";
import { readJsonFile } from "../files/index.ts";
import { asSplitDelayCorrection, ChannelCut, SplitDelay } from "../optics/index.ts";
import { energyAxis, type MonochromatorCrystal, type PseudoAxis } from "../scan/index.ts";
import type { CommonOptions, Session } from "./command.ts";
import { view } from "./control.ts";

/** The part of the experiment that says what the optics are. @throws BAD_ARGUMENT when there is none */
function opticsPart<K extends keyof Experiment["optics"]>(
  { experiment }: Session,
  part: K,
): { readonly experiment: Experiment; readonly found: NonNullable<Experiment["optics"][K]> } {
  const found = experiment?.optics[part];
  if (experiment !== undefined && found !== undefined && found !== null) return { experiment, found };
  const why =
    experiment === undefined
      ? "There is no experiment file (--experiment)"
      : `${experiment.name} has no optics.${part}`;
  throw new SaclaError("BAD_ARGUMENT", `${why}; docs/optics.md says what it must have in it.`);
}

/** The monochromator of the experiment: its crystals with their axes, and all as one axis in eV. */
export async function monochromatorOf(session: Session): Promise<{
  readonly looking: ControlView;
  readonly crystals: readonly [MonochromatorCrystal, ...MonochromatorCrystal[]];
  readonly axis: PseudoAxis;
}> {
  const { found } = opticsPart(session, "monochromator");
  const looking = await view(session);
  const crystalOf = ({ axis, ...crystal }: typeof found.first): MonochromatorCrystal => {
    const { definition } = looking.axis(axis);
    return {
      axis,
      crystal: new ChannelCut(crystal),
      toPosition: (pulses) => toPosition(definition, pulses),
      toPulses: (position) => toPulses(definition, position),
    };
  };
  const second = found.second === undefined ? [] : [crystalOf(found.second)];
  const crystals = [crystalOf(found.first), ...second] as const;
  return { looking, crystals, axis: energyAxis(crystals) };
}

/**
 * The split-delay optics of the experiment, and the file of what was learnt of them.
 * @param isMade - the file is yet to be written: it need not be there, even when it is named
 */
export async function splitDelayOf(session: Session, options: CommonOptions & CorrectionOptions, isMade = false) {
  const { experiment, found } = opticsPart(session, "splitDelay");
  const { correction: named, monitors, visibility, correlation, position, ...definition } = found;
  const beside = named === undefined || isAbsolute(named) ? named : join(dirname(options.experiment ?? ""), named);
  const file = options.correction === false ? undefined : (options.correction ?? beside);
  const stored =
    file !== undefined && ((options.correction !== undefined && !isMade) || existsSync(file))
      ? asSplitDelayCorrection(await readJsonFile("The correction", file))
      : undefined;
  const optics = new SplitDelay({ ...definition, ...defined({ correction: stored }) });
  return { experiment, optics, file, monitors, visibility, correlation, position };
}

export interface CorrectionOptions {
  readonly correction?: string | false | undefined;
}

export function withCorrection(command: Command): Command {
  return command
    .option("--correction <file>", "what was learnt (default: the file that the experiment file names, if it is there)")
    .option("--no-correction", "by the geometry alone");
}

export type Knobs = ReturnType<SplitDelay["knobs"]>;

/** @throws BAD_ARGUMENT where an axis stands at an angle that reflects nothing */
export async function knobsNow(looking: ControlView, optics: SplitDelay): Promise<Knobs> {
  const names = optics.axisNames;
  const places = await Promise.all(names.map(async (name) => await looking.axis(name).position()));
  return optics.knobs(Object.fromEntries(names.map((name, i) => [name, places[i] ?? NaN])));
}
