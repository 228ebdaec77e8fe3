import { describe, expect, it } from "vitest";
import { signalNames, unitOfPath } from "../../../../src/hdf5/read/signals.ts";

describe("signalNames", () => {
  // Left: leaves as DataConvert files have them; right: equipment ids as public scripts use them.
  it.each([
    ["bl_3/shutter_1_open_valid_status", "xfel_bl_3_shutter_1_open_valid/status", ""],
    ["bl_2/shutter_1_close_valid_status", "xfel_bl_2_shutter_1_close_valid/status", ""],
    ["bl_3/lh_1/shutter_1_open_valid_status", "xfel_bl_3_lh1_shutter_1_open_valid/status", ""],
    ["bl_1/lh_1/shutter_1_close_valid_status", "xfel_bl_1_lh1_shutter_1_close_valid/status", ""],
    ["bl_3/tc/bm_1_pd_charge", "xfel_bl_3_tc_bm_1_pd/charge", "C"],
    ["bl_3/oh_2/bm_2_signal_in_coulomb", "xfel_bl_3_tc_bm_2_pd/charge", "C"],
    ["bl_2/tc/spec_1_energy", "xfel_bl_2_tc_spec_1/energy", "keV"],
    ["bl_3/tc/mono_1_position_theta", "xfel_bl_3_tc_mono_1_theta/position", "pulse"],
    ["bl_3/eh_4/laser/delay_line_motor_29", "xfel_bl_3_st_4_motor_29/position", "pulse"],
    ["bl_3/eh_2/photodiode/photodiode_user_5_in_volt", "xfel_bl_3_st_2_pd_user_5_fitting_peak/voltage", "V"],
  ])("%s is %s", (leaf, id, unit) => {
    const names = signalNames([leaf]);
    expect([...names]).toEqual([
      [leaf, leaf],
      [id, leaf],
    ]);
    expect(unitOfPath(leaf)).toBe(unit);
  });

  it("gives a leaf of unknown meaning its path only", () => {
    expect([...signalNames(["bl_3/eh_1/xfel_pulse_selector_status"]).keys()]).toEqual([
      "bl_3/eh_1/xfel_pulse_selector_status",
    ]);
  });

  it("takes the charge of a beam monitor from tc, whatever the order, and from oh_2 only without it", () => {
    const [tc, oh] = ["bl_3/tc/bm_1_pd_charge", "bl_3/oh_2/bm_1_signal_in_coulomb"];
    expect(signalNames([oh, tc]).get("xfel_bl_3_tc_bm_1_pd/charge")).toBe(tc);
    expect(signalNames([tc, oh]).get("xfel_bl_3_tc_bm_1_pd/charge")).toBe(tc);
    expect(signalNames([oh]).get("xfel_bl_3_tc_bm_1_pd/charge")).toBe(oh);
  });
});

describe("unitOfPath", () => {
  it.each([
    ["bl_3/oh_2/photon_energy_in_eV", "eV"],
    ["bl_3/oh_2/bm_1_pulse_energy_in_joule", "J"],
    ["bl_3/oh_2/attenuator_Si_thickness_in_meter", "m"],
    ["bl_3/lh_1/electrical_delay_in_psec", "ps"],
    ["bl_3/lh_1/laser_pulse_selector_status", ""],
    ["bl_3/eh_2/eh_2_optical_delay_stage_position", "pulse"],
    ["bl_3/oh_2/bm_1_horizontal", ""],
    ["acc/accelerator_status", ""],
  ])("%s is in %j", (leaf, unit) => {
    expect(unitOfPath(leaf)).toBe(unit);
  });
});
