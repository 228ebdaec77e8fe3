import type { DetectorInfo } from "../../core/detector.ts";
import { isSaclaError } from "../../core/errors.ts";
import { textTable } from "../../plot/text.ts";
import { type AddCommand, declare, findRun, runArgument } from "../command.ts";

/** `sacla detectors RUN`: detectors and sensors with size, gain and place. */
export const detectors: AddCommand = (program, io) =>
  declare<object, [number | "newest"]>(
    program,
    io,
    "detectors",
    "list the detectors of a run with size, gain and place of each sensor",
    (command) => command.addArgument(runArgument()),
    async (session, _options, [number]) => {
      const run = await findRun(session, number);
      const groups = await run.detectors({ signal: session.signal });
      const found: { detector: string; info: DetectorInfo; images: number }[] = [];
      const failures: unknown[] = [];
      for (const { id, sensors } of groups) {
        for (const sensor of sensors) {
          try {
            const info = await session.facility.st.detectorInfo(run.bl, run.number, sensor, { signal: session.signal });
            const images = (await run.tags({ detector: sensor, signal: session.signal })).length;
            found.push({ detector: id, info, images });
          } catch (error) {
            if (!isSaclaError(error, "FRAME_MISSING", "BAD_GEOMETRY", "NOT_DATACONVERT", "FILE_DAMAGED")) throw error;
            failures.push(error);
            session.io.err(`warning: ${error.message}\n`);
          }
        }
      }
      if (found.length === 0 && failures.length > 0) throw failures[0];
      const rows = found.map(({ info: { id, ysize, xsize, absGain, geometry: g }, images }) => [
        id,
        `${ysize} × ${xsize}`,
        images,
        rounded(absGain),
        rounded(g?.posXUm),
        rounded(g?.posYUm),
        rounded(g?.rotationDeg),
      ]);
      return {
        json: {
          bl: run.bl,
          run: run.number,
          detectors: found.map(({ detector, info, images }) => ({ detector, ...info, images })),
        },
        text: textTable(["sensor", "rows × columns", "images", "e⁻/ADU", "x µm", "y µm", "rotation °"], rows),
      };
    },
  );

/** Six digits: a file's singles have no more, and as doubles show ten without a meaning. */
function rounded(value: number | null | undefined): number | "" {
  return value === null || value === undefined ? "" : Number(value.toPrecision(6));
}
