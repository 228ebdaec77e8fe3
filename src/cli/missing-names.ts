import { isSaclaError, SaclaError, show } from "../core/errors.ts";

/** What lists the ids that can be used instead of a name. */
const lists = { UNKNOWN_SIGNAL: "sacla signals", UNKNOWN_DEVICE: "sacla axes", UNKNOWN_DETECTOR: "sacla detectors" };

/** The error; where it is about a name that only an experiment file can define, it says which file was looked at. */
export function withExperimentFile(error: unknown, path: string | undefined): unknown {
  if (!isSaclaError(error, "UNKNOWN_SIGNAL", "UNKNOWN_DEVICE", "UNKNOWN_DETECTOR")) return error;
  const { code, message, details } = error;
  const { equipId, device, detId, name = equipId ?? device ?? detId } = details;
  if (typeof name !== "string" || !couldBeOwn(name)) return error;
  const hint =
    path === undefined
      ? `${show(name)} may be a name of an experiment file, but no file was given: --experiment FILE, ` +
        'SACLA_EXPERIMENT, or "experiment" in sacla.json (sacla config shows it). docs/experiment-file.md shows ' +
        `how to write one; ${lists[code as keyof typeof lists]} lists ids, which need no file.`
      : `The experiment file ${path} does not define it.`;
  return new SaclaError(code, `${message}\n${hint}`, { details, cause: error });
}

/** Ids of the facility have slashes, hyphens or the name of the beamline. */
export function couldBeOwn(name: string): boolean {
  return /^[a-z]\w*$/i.test(name) && !/^(xfel|bl\d)_/.test(name);
}
