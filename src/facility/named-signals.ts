/**
 * Equipment ids that public scripts name beyond those that follow a pattern: the gun and the first cavities,
 * photodiodes by their older names, and older spellings of names, which stand for the same signal.
 */

/** Steady signals of the machine, with unit, value and spread. What a waveform is as one number is an assumption. */
export const gunSignals: readonly (readonly [equipId: string, unit: string, base: number, spread: number])[] = [
  ...["thy_g1", "thy_g2"].flatMap((part) => [
    [`xfel_llrf_gun_${part}/waveform`, "V", 1.2, 0.01] as const,
    [`xfel_llrf_gun_${part}_ta/voltage`, "V", 1.2, 0.01] as const,
  ]),
  ["xfel_llrf_gun_dtube_vk/waveform", "V", 4.8, 0.02],
  ["xfel_llrf_gun_dtube_vk_ta/voltage", "V", 4.8, 0.02],
  ["xfel_llrf_gun_dtube_vk_tb/voltage", "V", 4.7, 0.02],
  ["xfel_llrf_gun_dtube_ik/waveform", "A", 1.1, 0.005],
  ["xfel_llrf_gun_dtube_ik_ta/current", "A", 1.1, 0.005],
  ["xfel_llrf_gun_dtube_ik_tb/current", "A", 1.0, 0.005],
  ...["238", "476"].flatMap((cavity) =>
    ["pickup", "fwd", "bwd"].flatMap((port, i) => [
      [`xfel_llrf_${cavity}_iq_cav_${port}_i/waveform`, "a.u.", 800 - 200 * i, 1] as const,
      [`xfel_llrf_${cavity}_iq_cav_${port}_q/waveform`, "a.u.", 120 + 30 * i, 1] as const,
      [`xfel_llrf_${cavity}_iq_cav_${port}_ta/phase`, "deg", 20 + 15 * i, 0.03] as const,
      [`xfel_llrf_${cavity}_iq_cav_${port}_ta/amplitude`, "a.u.", 900 - 200 * i, 0.5] as const,
    ]),
  ),
];

/** Photodiodes of station 3 by their older names: `pd_K` for `pd_user_K`, up to 14. */
export const olderDiodes: readonly string[] = Array.from(
  { length: 14 },
  (_, i) => `xfel_bl_3_st_3_pd_${i + 1}_fitting_peak/voltage`,
);

/** Names of beam monitors' diodes without a side, and of older spelling. */
export const monitorDiodes: readonly string[] = [
  "xfel_bl_3_st_2_bm_1_pd_peak/voltage",
  "xfel_bl_3_st2_bm_1_pd_peak/voltage",
];

/** Older spellings of names of beamline 3, by which old runs are read: [older, today's]. */
export const olderSpellings: readonly (readonly [older: string, now: string])[] = [
  ["xfel_bl_lh1_shutter_1_open_valid/status", "xfel_bl_3_lh1_shutter_1_open_valid/status"],
  ["xfel_bl_lh1_shutter_1_close_valid/status", "xfel_bl_3_lh1_shutter_1_close_valid/status"],
  ...[2, 3].flatMap((station) =>
    Array.from(
      { length: 60 },
      (_, i) =>
        [`xfel_bl_3_st${station}_motor_${i + 1}/position`, `xfel_bl_3_st_${station}_motor_${i + 1}/position`] as const,
    ),
  ),
];
