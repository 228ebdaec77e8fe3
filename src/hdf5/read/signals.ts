/**
 * Names of 0-D signals. DataConvert stores each signal at a path of its own choice inside `event_info`. SyncDB and
 * every script at the facility know the signal by an equipment id. The paths below are those whose meaning is known for
 * certain; any other signal is asked for by its path.
 */

/** From a path inside `event_info` to an equipment id. Of two paths for one id, the earlier line wins. */
const equipmentIds: readonly (readonly [path: RegExp, id: string])[] = [
  [/^bl_(\d+)\/shutter_1_(open|close)_valid_status$/, "xfel_bl_$1_shutter_1_$2_valid/status"],
  [/^bl_(\d+)\/lh_1\/shutter_1_(open|close)_valid_status$/, "xfel_bl_$1_lh1_shutter_1_$2_valid/status"],
  [/^bl_(\d+)\/tc\/bm_(\d+)_pd_charge$/, "xfel_bl_$1_tc_bm_$2_pd/charge"],
  [/^bl_(\d+)\/oh_2\/bm_(\d+)_signal_in_coulomb$/, "xfel_bl_$1_tc_bm_$2_pd/charge"],
  [/^bl_(\d+)\/tc\/spec_1_energy$/, "xfel_bl_$1_tc_spec_1/energy"],
  [/^bl_(\d+)\/tc\/mono_1_position_theta$/, "xfel_bl_$1_tc_mono_1_theta/position"],
  [/^bl_(\d+)\/eh_(\d+)\/laser\/delay_line_motor_(\d+)$/, "xfel_bl_$1_st_$2_motor_$3/position"],
  [
    /^bl_(\d+)\/eh_(\d+)\/photodiode\/photodiode_user_(\d+)_in_volt$/,
    "xfel_bl_$1_st_$2_pd_user_$3_fitting_peak/voltage",
  ],
  // Where `sacla convert` puts what DataConvert has no place for.
  [/^syncdb\/(.+)$/, "$1"],
];

const units: readonly (readonly [path: RegExp, unit: string])[] = [
  [/_status$/, ""],
  [/_in_volt$/, "V"],
  [/(_in_coulomb|_charge)$/, "C"],
  [/_in_joule$/, "J"],
  [/_in_eV$/, "eV"],
  [/(_in_keV|\/spec_\d+_energy)$/, "keV"],
  [/_in_meter$/, "m"],
  [/_in_micro_meter$/, "um"],
  [/_in_psec$/, "ps"],
  [/_in_sec$/, "s"],
  [/_in_degree$/, "degree"],
  [/_in_pixel$/, "pixel"],
  [/(_motor_\d+|_theta|_position)$/, "pulse"],
];

/** Unit of a signal by its path inside `event_info`; "" for flags and for names without a unit. */
export function unitOfPath(path: string): string {
  return units.find(([pattern]) => pattern.test(path))?.[1] ?? "";
}

/**
 * Every name by which a signal can be asked for, with its path inside `event_info`: the path itself and, where one is
 * known, the equipment id.
 *
 * @example
 * signalNames(["bl_3/tc/bm_1_pd_charge"]).get("xfel_bl_3_tc_bm_1_pd/charge"); // "bl_3/tc/bm_1_pd_charge"
 */
export function signalNames(paths: readonly string[]): Map<string, string> {
  const names = new Map(paths.map((path) => [path, path]));
  for (const [pattern, template] of equipmentIds) {
    for (const path of paths) {
      const id = pattern.test(path) ? path.replace(pattern, template) : path;
      if (!names.has(id)) names.set(id, path);
    }
  }
  return names;
}

/** From an equipment id to a path: the table above the other way round, the earlier line first. */
const pathTemplates: readonly (readonly [id: RegExp, path: string])[] = equipmentIds.map(([pattern, template]) => {
  const groups = pattern.source.match(/\([^)]*\)/g) ?? [];
  let n = 0;
  const path = pattern.source
    .slice(1, -1)
    .replaceAll("\\/", "/")
    .replace(/\([^)]*\)/g, () => `$${++n}`);
  return [new RegExp(`^${template.replace(/\$(\d)/g, (_, k: string) => groups[Number(k) - 1] ?? "")}$`), path];
});

/**
 * The path inside `event_info` at which to store a signal, so that {@link signalNames} finds it by the same name: the
 * path of DataConvert, if it is known and of the run's beamline, else one below `syncdb`. A name that is such a path
 * already stays as it is.
 *
 * @example
 * eventInfoPathOf("xfel_bl_3_tc_bm_1_pd/charge", 3); // "bl_3/tc/bm_1_pd_charge"
 * eventInfoPathOf("xfel_bl_2_tc_bm_1_pd/charge", 3); // "syncdb/xfel_bl_2_tc_bm_1_pd/charge"
 */
export function eventInfoPathOf(name: string, bl: number): string {
  if (isEventInfoPath(name, bl)) return name;
  for (const [id, template] of pathTemplates) {
    const path = id.test(name) ? name.replace(id, template) : "";
    // A file has signals of one beamline only, by which readers know it.
    if (path.startsWith(`bl_${bl}/`)) return path;
  }
  return `syncdb/${name}`;
}

/** Whether a name is a path inside `event_info` already, as an archive names its signals. */
function isEventInfoPath(name: string, bl: number): boolean {
  return name.startsWith("syncdb/") || name.startsWith("acc/") || name.startsWith(`bl_${bl}/`);
}

/**
 * The signals that a conversion writes by default: all that an archive stores; from a facility those that DataConvert
 * has a path for, without the ones of the experimental hutches.
 */
export function defaultSignals(names: readonly string[], bl: number): string[] {
  const stored = names.filter((name) => isEventInfoPath(name, bl));
  if (stored.length > 0) return oneNameEach(names, bl).filter((name) => isEventInfoPath(name, bl));
  return names.filter((name) => new RegExp(`^bl_${bl}/(?!eh_)`).test(eventInfoPathOf(name, bl)));
}

/**
 * Signals of the experimental hutch that a conversion adds where the run has them: delay stage and user diodes. A
 * facility lists those of every hutch, used or not.
 */
export function hutchSignals(names: readonly string[], bl: number, hutch: number): string[] {
  const path = new RegExp(`^bl_${bl}/eh_${hutch}/(laser/delay_line_motor_|photodiode/photodiode_user_)`);
  return names.filter((name) => !isEventInfoPath(name, bl) && path.test(eventInfoPathOf(name, bl)));
}

/** An archive lists a signal by its path and often by its equipment id too: only the path is kept. */
export function oneNameEach(names: readonly string[], bl: number): string[] {
  const paths = names.filter((name) => isEventInfoPath(name, bl));
  const covered = signalNames(paths);
  return names.filter((name) => isEventInfoPath(name, bl) || !covered.has(name));
}
