import { Argument } from "commander";
import { compareGeometry, parseCrystfelGeom } from "../../ip/index.ts";
import { textTable } from "../../plot/text.ts";
import { type AddCommand, declare, findDetector, findRun, runArgument } from "../command.ts";
import { readText } from "../read-text.ts";

interface Options {
  readonly detector?: string;
}

/** `sacla geometry compare FILE.geom RUN`: how far each sensor moved. */
export const geometry: AddCommand = (program, io) => {
  const group = program.command("geometry").description("compare a CrystFEL geometry with that of a run's detector");
  declare<Options, [string, number | "newest"]>(
    group,
    io,
    "compare",
    "how far each sensor of a CrystFEL geometry lies from where the run has it, in µm and degrees",
    (command) =>
      command
        .addArgument(new Argument("<file>", "CrystFEL geometry file (.geom)"))
        .addArgument(runArgument())
        .option("--detector <id>", "detector of the run (default: the one with the most sensors)"),
    async (session, options, [file, number]) => {
      const { sensors: panels, notes } = parseCrystfelGeom(readText(file, "The geometry file"));
      const run = await findRun(session, number);
      const detector = await findDetector(run, options.detector);
      const infos = [];
      for (const id of detector.sensors)
        infos.push(await session.facility.st.detectorInfo(run.bl, run.number, id, { signal: session.signal }));
      const { sensors, mean, restUm } = compareGeometry(infos, panels);
      const row = (name: string, panel: string, move: typeof mean): string[] => [
        name,
        panel,
        ...[move.dxUm, move.dyUm, move.dzUm].map((um) => plain(um.toFixed(1))),
        plain(move.turnDeg.toFixed(4)),
      ];
      const table = textTable(
        ["sensor", "panel", "x µm", "y µm", "z µm", "turned °"],
        [...sensors.map((move) => row(move.id, move.panel, move)), row("all (mean)", "", mean)],
      );
      return {
        json: { bl: run.bl, run: run.number, detector: detector.id, file, sensors, mean, restUm, notes },
        text: [
          `${file} less run ${run.number} ${detector.id}: middles of the sensors; ` +
            "x to the right looking from the source, y up, z to the source, turns anticlockwise",
          table,
          `each by itself: ${restUm.toFixed(1)} µm rms across the beam, once the mean is taken off`,
          ...notes,
        ].join("\n"),
      };
    },
  );
};

/** Without the sign of a zero. */
function plain(text: string): string {
  return text.replace(/^-(?=[0.]+$)/, "");
}
