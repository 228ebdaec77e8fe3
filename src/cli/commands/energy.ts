import type { Command } from "commander";
import { isSaclaError, SaclaError, toSaclaError } from "../../core/errors.ts";
import { textTable } from "../../plot/index.ts";
import { type EdgeScan, edgeScan } from "../../scan/index.ts";
import {
  type AddCommand,
  type CommandResult,
  declare,
  declareSubcommands,
  inUnit,
  parseCount,
  parseNumber,
  parseTyped,
  type Session,
  type Typed,
} from "../command.ts";
import { type ChangeOptions, cell, doMove, withChange } from "../control.ts";
import { curveSettings, type PointFlags, tellEnd, withPoints } from "../curve-options.ts";
import type { Io } from "../io.ts";
import { monochromatorOf } from "../optics.ts";
import { type ScanningOptions, withScanning } from "../scan-options.ts";
import { runPlan } from "../scanning.ts";
import { contextOf, requireSignals } from "./scan.ts";

/** All of an edge scan but its axis, which the experiment file says. */
type EdgeSettings = Omit<Parameters<typeof edgeScan>[0], "axis">;

interface EdgeOptions extends ScanningOptions, PointFlags {
  readonly signal: string;
  readonly fluorescence?: boolean;
}

/** `sacla energy [EV]`: where the monochromator is, or its crystals together to an energy; `sacla energy edge`. */
export const energy: AddCommand = (program, io) => {
  declare<ChangeOptions, [Typed | undefined]>(
    program,
    io,
    "energy",
    "photon energy of the channel-cut monochromator: show it, or move its crystals together; edge: calibrate it",
    (command) => withChange(command.argument("[ev]", "photon energy to go to, eV, or with its unit: 9keV", parseTyped)),
    async (session, options, [typed]) => {
      const monochromator = await monochromatorOf(session);
      if (typed === undefined) return await shown(monochromator);
      const ev = inUnit(typed, "eV", "the photon energy");
      const { looking, axis } = monochromator;
      const to = axis.forward(ev);
      return await doMove(session, options, `photon energy ${ev} eV`, await looking.plan(to), (control) =>
        control.plan(to),
      );
    },
  );
  declareSubcommands(program, io, "energy", [addEdge]);
};

/** Each crystal: where it is, what it reflects. */
async function shown({ looking, crystals }: Awaited<ReturnType<typeof monochromatorOf>>): Promise<CommandResult> {
  const rows = await Promise.all(
    crystals.map(async ({ axis, crystal, toPulses }) => {
      const position = await looking.axis(axis).position();
      const { unit } = looking.axis(axis);
      try {
        const photonEnergyEv = crystal.photonEnergyEv(toPulses(position));
        return { axis, position, unit, photonEnergyEv, evPerPulse: crystal.evPerPulse(photonEnergyEv), problem: "" };
      } catch (error) {
        // At an angle that reflects nothing there is no energy to show; the axis is.
        if (!isSaclaError(error, "BAD_ARGUMENT")) throw error;
        const nothing = { photonEnergyEv: null, evPerPulse: null, problem: toSaclaError(error).message };
        return { axis, position, unit, ...nothing };
      }
    }),
  );
  return {
    json: { crystals: rows },
    text: textTable(
      ["axis", "now", "unit", "photon energy eV", "eV/pulse", ""],
      rows.map(({ axis, position, unit, photonEnergyEv, evPerPulse, problem }) => [
        axis,
        cell(position),
        unit,
        photonEnergyEv?.toFixed(3) ?? "",
        evPerPulse?.toPrecision(4) ?? "",
        problem,
      ]),
    ),
  };
}

function addEdge(group: Command, io: Io): void {
  declare<EdgeOptions, [number, number, number, number]>(
    group,
    io,
    "edge",
    "scan the energy over an absorption edge and say how far the monochromator is off",
    (command) =>
      withScanning(
        withPoints(
          command
            .argument("<edge>", "energy of the edge, eV", parseNumber)
            .argument("<from>", "eV", parseNumber)
            .argument("<to>", "eV, included", parseNumber)
            .argument("<points>", "number of energies", parseCount)
            .requiredOption("--signal <id>", "behind the sample, or its fluorescence")
            .option(
              "--fluorescence",
              "the signal rises with the absorption (default: it is what the sample lets through)",
            ),
          30,
        ),
      ),
    async (session, options, [edgeEv, from, to, points]) => {
      if (options.normalise === undefined)
        throw new SaclaError(
          "BAD_ARGUMENT",
          "Say --normalise ID: the signal before the sample, behind the monochromator.",
        );
      const common = curveSettings(options, {}, options.normalise, { from, to, points });
      await requireSignals(session, common.shots.signals ?? []);
      const detected = options.fluorescence === true ? "fluorescence" : "transmission";
      const settings: EdgeSettings = { ...common, edgeEv, detected };
      return await runEdge(session, options, settings, { command: "energy edge", settings, ...contextOf(options) });
    },
  );
}

/** Runs it, or goes on with it, and says what calibrates each crystal. */
export async function runEdge(
  session: Session,
  options: ScanningOptions,
  settings: EdgeSettings,
  context: Readonly<Record<string, unknown>>,
  resumes?: string,
): Promise<CommandResult> {
  const { axis, crystals } = await monochromatorOf(session);
  const { edgeEv } = settings;
  const plan = edgeScan({ ...settings, axis });
  const answer = await runPlan(session, options, plan, context, resumes);
  return tellEnd(plan, answer, (found: EdgeScan) => {
    const seenEv = edgeEv + found.offEv;
    const seen = `the edge of ${edgeEv} eV was seen at ${seenEv.toFixed(3)} ± ${found.errorEv.toFixed(3)} eV`;
    if (Math.abs(found.offEv) <= 3 * found.errorEv)
      return `${seen}: where it should be, within three errors; nothing to calibrate`;
    const zeros = crystals.map(({ axis: name, crystal }) => {
      const pulseError = found.errorEv / Math.abs(crystal.evPerPulse(edgeEv));
      const { zeroPulse } = crystal.calibrated({ pulse: crystal.pulses(seenEv), pulseError, energyEv: edgeEv });
      const to = `${Math.round(zeroPulse)} ± ${Math.ceil(pulseError)}`;
      return `  zeroPulse of ${name}: ${to} (now ${crystal.zeroPulse})`;
    });
    return [`${seen}; to calibrate, write to the experiment file, optics.monochromator:`, ...zeros].join("\n");
  });
}
