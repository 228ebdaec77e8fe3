/** What signals are, by parts of their names; old spellings lack underscores or the beamline. From public scripts. */
const meanings: readonly (readonly [part: RegExp, meaning: string])[] = [
  [/_tc_?bm_?(\d)_pd\/charge$/, "beam monitor $1 (BM$1, I0): charge, follows the pulse energy"],
  [/_st_?(\d)_(?:direct_)?bm_?\d_pd\/charge_calib_in_joule$/, "beam monitor of station $1, as pulse energy"],
  [/_st_?(\d)_(?:direct_)?bm_?\d_pd\/charge$/, "beam monitor of station $1: charge"],
  [/_st_?(\d)_bm_?\d_pd_(\w+?)(?:_fitting)?_peak\/voltage$/, "$2 diode of the beam monitor of station $1"],
  [/_tc_?gm_?(\d)_pd/, "gas monitor $1 (GM$1, I0)"],
  [/lh_?1_shutter_1_open_valid\/status$/, "pump laser: 1 when its shutter is open"],
  [/lh_?1_shutter_1_close_valid\/status$/, "pump laser: 1 when its shutter is closed"],
  [/lh_1\/laser_pulse_selector_status$/, "pump laser: 1 when its pulse selector lets the pulse pass"],
  [/shutter_1_open_valid\/status$/, "X-rays: 1 when the shutter is open"],
  [/shutter_1_close_valid\/status$/, "X-rays: 1 when the shutter is closed (dark shots)"],
  [/_st_?(\d)_pd_user_(\d+)_fitting_peak\/voltage$/, "user photodiode $2 of station $1"],
  [/_st_?(\d)_(?:pd_)?laser_fitting_peak\/voltage$/, "laser photodiode of station $1"],
  [/_st_?(\d)_pd_(\d+)_fitting_peak\/voltage$/, "photodiode $2 of station $1"],
  [/_tc_spec_1\/energy$/, "photon energy of the shot (spectrometer)"],
  [/_tc_mono_1_theta\/position$/, "monochromator angle"],
  [/_st_?(\d)_motor_(?:user_|facility_)?(\d+)\/position$/, "motor $2 of station $1"],
  [/beamstatus\/summary$/, "1 when there was beam"],
  [/_mon_ct_cb_\d+_charge/, "bunch charge in the accelerator"],
  [/_mon_bpm_bl\d_(\d+)_([xy])\/summary$/, "beam position monitor $1, $2"],
  [/_kly_\d_pickup\/phase$/, "klystron: phase of the RF"],
  [/_kly_\d_pickup\/amplitude$/, "klystron: amplitude of the RF"],
];

/** What a signal is, in words; "" where its name does not say. */
export function signalMeaning(equipId: string): string {
  for (const [part, meaning] of meanings) {
    const match = part.exec(equipId);
    if (match !== null) return meaning.replace(/\$(\d)/g, (_, group: string) => match[Number(group)] ?? "");
  }
  return "";
}

/** The equipment id of BM1, BM2, … of a beamline, as people call beam monitors; undefined for another word. */
export function wellKnownSignal(word: string, bl: number): string | undefined {
  const [, kind, number] = /^(bm|gm)[ _-]?([12])$/i.exec(word) ?? [];
  if (number === undefined) return undefined;
  return kind?.toLowerCase() === "gm"
    ? `xfel_bl_${bl}_tc_gm_${number}_pd_fitting_peak/voltage`
    : `xfel_bl_${bl}_tc_bm_${number}_pd/charge`;
}

/** The names whose id or meaning has every word of a text, whatever case and underscores: `BM1`, `photodiode 9`. */
export function searchByMeaning(names: readonly string[], text: string): string[] {
  const squeezed = (part: string): string => part.toLowerCase().replace(/[_\s-]+/g, "");
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  if (words.length === 0) return [...names];
  const meant = names.filter((name) => words.every((word) => hasWord(signalMeaning(name).toLowerCase(), word)));
  if (meant.length > 0) return meant;
  return names.filter((name) => {
    const meaning = signalMeaning(name).toLowerCase();
    const id = squeezed(name);
    const numbers: readonly string[] = name.match(/\d+/g) ?? [];
    const hasPart = (word: string): boolean =>
      /^\d+$/.test(word) ? numbers.includes(word) : id.includes(squeezed(word));
    return words.every((word) => hasPart(word) || hasWord(meaning, word));
  });
}

/** A number must be a word of its own: 1 is not in 10. */
function hasWord(meaning: string, word: string): boolean {
  if (!/^\d+$/.test(word)) return meaning.includes(word);
  return meaning.split(/[^a-z0-9]+/).includes(word);
}
