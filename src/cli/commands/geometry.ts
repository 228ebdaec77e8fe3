import { Argument, type Command } from "commander";
import type { DetectorInfo } from "../../core/detector.ts";
import { compareGeometry, parseCrystfelGeom, type SensorMove, updateCrystfelGeom } from "../../ip/index.ts";
import { textTable } from "../../plot/text.ts";
import { type AddCommand, declare, findDetector, findRun, runArgument, type Session } from "../command.ts";
import { readText } from "../read-text.ts";

interface Options {
  readonly detector?: string;
}

interface WriteOptions extends Options {
  readonly out: string;
}

/** `sacla geometry compare` and `sacla geometry write`: a CrystFEL geometry beside that of a run. */
export const geometry: AddCommand = (program, io) => {
  const group = program
    .command("geometry")
    .description("compare a CrystFEL geometry with that of a run's detector, or move its panels there");
  declare<Options, [string, number | "newest"]>(
    group,
    io,
    "compare",
    "how far each sensor of a CrystFEL geometry lies from where the run has it, in µm and degrees",
    withArguments,
    async (session, options, [file, number]) => {
      const { sensors: panels, notes } = parseCrystfelGeom(readText(file, "The geometry file"));
      const { run, detector, infos } = await sensorsOf(session, number, options);
      const { sensors, mean, restUm } = compareGeometry(infos, panels);
      return {
        json: { bl: run.bl, run: run.number, detector: detector.id, file, sensors, mean, restUm, notes },
        text: [
          `${file} less run ${run.number} ${detector.id}: middles of the sensors; ${FRAME}`,
          movesTable(sensors, mean),
          `each by itself: ${restUm.toFixed(1)} µm rms across the beam, once the mean is taken off`,
          ...notes,
        ].join("\n"),
      };
    },
  );
  declare<WriteOptions, [string, number | "newest"]>(
    group,
    io,
    "write",
    "write a CrystFEL geometry again with its panels where the run has the sensors; every other line stays",
    (command) => withArguments(command).requiredOption("-o, --out <file>", "file to write"),
    async (session, options, [file, number]) => {
      const text = readText(file, "The geometry file");
      const { sensors: panels, notes } = parseCrystfelGeom(text);
      const { run, detector, infos } = await sensorsOf(session, number, options);
      const { sensors, mean } = compareGeometry(infos, panels);
      // A panel of the file has the name of its sensor, or the place in the order.
      const panelOf = new Map(sensors.map(({ id, panel }) => [id, panel]));
      const moved = infos.flatMap((info) => {
        const panel = panelOf.get(info.id);
        return panel === undefined ? [] : [{ ...info, id: panel }];
      });
      session.io.writeFile(options.out, updateCrystfelGeom(text, moved));
      const back = sensors.map(reversed);
      return {
        json: { bl: run.bl, run: run.number, detector: detector.id, file: options.out, sensors: back, notes },
        text: [
          `${options.out}: ${file} with ${moved.length} panels ` +
            `where run ${run.number} has the sensors of ${detector.id}`,
          `they moved by (middles of the sensors; ${FRAME}):`,
          movesTable(back, reversed(mean)),
          ...notes,
        ].join("\n"),
      };
    },
  );
};

const FRAME = "x to the right looking from the source, y up, z to the source, turns anticlockwise";

function withArguments(command: Command): Command {
  return command
    .addArgument(new Argument("<file>", "CrystFEL geometry file (.geom)"))
    .addArgument(runArgument())
    .option("--detector <id>", "detector of the run (default: the one with the most sensors)");
}

async function sensorsOf(session: Session, number: number | "newest", options: Options) {
  const run = await findRun(session, number);
  const detector = await findDetector(run, options.detector);
  const infos: DetectorInfo[] = [];
  for (const id of detector.sensors)
    infos.push(await session.facility.st.detectorInfo(run.bl, run.number, id, { signal: session.signal }));
  return { run, detector, infos };
}

type Move = Omit<SensorMove, "id" | "panel">;

function movesTable(sensors: readonly SensorMove[], mean: Move): string {
  const row = (name: string, panel: string, move: Move): string[] => [
    name,
    panel,
    ...[move.dxUm, move.dyUm, move.dzUm].map((um) => plain(um.toFixed(1))),
    plain(move.turnDeg.toFixed(4)),
  ];
  return textTable(
    ["sensor", "panel", "x µm", "y µm", "z µm", "turned °"],
    [...sensors.map((move) => row(move.id, move.panel, move)), row("all (mean)", "", mean)],
  );
}

function reversed<T extends Move>(move: T): T {
  const { dxUm, dyUm, dzUm, turnDeg } = move;
  return { ...move, dxUm: 0 - dxUm, dyUm: 0 - dyUm, dzUm: 0 - dzUm, turnDeg: 0 - turnDeg };
}

/** Without the sign of a zero. */
function plain(text: string): string {
  return text.replace(/^-(?=[0.]+$)/, "");
}
