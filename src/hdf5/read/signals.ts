/**
 * Names of 0-D signals. DataConvert stores each under a path of its own choice inside `event_info`; SyncDB and every
 * script at the facility know it by an equipment id. The leaves below are those whose meaning is known for certain;
 * any other is reached by its path.
 */

/** From a path inside `event_info` to an equipment id. Of two leaves for one id, the earlier line wins. */
const equipmentIds: readonly (readonly [leaf: RegExp, id: string])[] = [
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

const units: readonly (readonly [leaf: RegExp, unit: string])[] = [
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
  [/(_motor_\d+|_theta|_position)$/, "pulse"],
];

/** Unit of a leaf of `event_info`, by its name; "" for flags and for names that tell none. */
export function unitOfLeaf(leaf: string): string {
  return units.find(([pattern]) => pattern.test(leaf))?.[1] ?? "";
}

/**
 * Every name a signal can be asked by, with the leaf that holds it: the leaf itself and, where it has one, the
 * equipment id.
 *
 * @example
 * signalNames(["bl_3/tc/bm_1_pd_charge"]).get("xfel_bl_3_tc_bm_1_pd/charge"); // "bl_3/tc/bm_1_pd_charge"
 */
export function signalNames(leaves: readonly string[]): Map<string, string> {
  const names = new Map(leaves.map((leaf) => [leaf, leaf]));
  for (const [pattern, template] of equipmentIds) {
    for (const leaf of leaves) {
      const id = pattern.test(leaf) ? leaf.replace(pattern, template) : leaf;
      if (!names.has(id)) names.set(id, leaf);
    }
  }
  return names;
}

/** Equipment ids, with the leaf each comes from: the table above turned round, its first line winning. */
const leaves: readonly (readonly [id: RegExp, leaf: string])[] = equipmentIds.map(([pattern, template]) => {
  const groups = pattern.source.match(/\([^)]*\)/g) ?? [];
  let n = 0;
  const leaf = pattern.source
    .slice(1, -1)
    .replaceAll("\\/", "/")
    .replace(/\([^)]*\)/g, () => `$${++n}`);
  return [new RegExp(`^${template.replace(/\$(\d)/g, (_, k: string) => groups[Number(k) - 1] ?? "")}$`), leaf];
});

/**
 * The leaf of `event_info` to store a signal in, so that {@link signalNames} finds it again by the same name: where
 * DataConvert puts it, if that is known and of the run's beamline, else below `syncdb`. A name that is a leaf already
 * stays where it is.
 *
 * @example
 * leafOfSignal("xfel_bl_3_tc_bm_1_pd/charge", 3); // "bl_3/tc/bm_1_pd_charge"
 * leafOfSignal("xfel_bl_2_tc_bm_1_pd/charge", 3); // "syncdb/xfel_bl_2_tc_bm_1_pd/charge"
 */
export function leafOfSignal(name: string, bl: number): string {
  if (isLeaf(name, bl)) return name;
  for (const [id, template] of leaves) {
    const leaf = id.test(name) ? name.replace(id, template) : "";
    // A file has signals of one beamline only, by which readers know it.
    if (leaf.startsWith(`bl_${bl}/`)) return leaf;
  }
  return `syncdb/${name}`;
}

/** Whether a name is a path inside `event_info` already, as an archive names its signals. */
export function isLeaf(name: string, bl: number): boolean {
  return name.startsWith("syncdb/") || name.startsWith("acc/") || name.startsWith(`bl_${bl}/`);
}
