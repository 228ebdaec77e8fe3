import type { AxisInfo, SettingInfo, ShutterInfo } from "../../ec/index.ts";
import type { RequestRule } from "../../transport/request-methods.ts";
import { controlParameters } from "./parameters.ts";

/** An axis, and where it stands when nobody has moved it, pulses. */
export interface SimulatedAxis extends AxisInfo {
  readonly home: number;
}

/** A setting, its value when nobody has set it, and the seconds that a change takes. */
export interface SimulatedSetting extends SettingInfo {
  readonly home: number | string;
  readonly travelSeconds: number;
  /** Of a number that changes steadily; then `travelSeconds` is not used. */
  readonly unitsPerSecond?: number;
  /** Of a parameter of the accelerator: what may be asked. */
  readonly request?: Omit<RequestRule, "parameter">;
}

/** What a beamline has to be controlled, and what of it stands for what. */
export interface BeamlineDevices {
  readonly axes: readonly SimulatedAxis[];
  readonly shutters: readonly ShutterInfo[];
  readonly settings: readonly SimulatedSetting[];
  readonly xrayShutter: string;
  /** Undefined where there is no optical laser. */
  readonly laserShutter: string | undefined;
  readonly xraySelector: string;
  readonly laserSelector: string | undefined;
  readonly attenuator: string;
  readonly undulatorK: string;
  /** The optical delay. */
  readonly delay: string | undefined;
  /** Delay of the timing monitor's laser. */
  readonly timing: string | undefined;
  /** The stages on which the sample stands, horizontal and vertical. */
  readonly sample: readonly [string, string];
}

const micrometreStage = { speed: 10_000, speedLimits: [10, 20_000], accelerationPulsesPerS2: 40_000 } as const;

/** Motor k of a station: a stage of 1 µm a pulse, but for `rest`. */
export function axis(
  bl: number,
  station: number,
  k: number,
  meaning: string,
  rest: Partial<SimulatedAxis> = {},
): SimulatedAxis {
  return {
    kind: "axis",
    name: `bl${bl}_st${station}_pm${String(k).padStart(3, "0")}`,
    syncdb: `xfel_bl_${bl}_st_${station}_motor_${k}/position`,
    meaning,
    limitsPulses: [-50_000, 50_000],
    ...micrometreStage,
    backlashPulses: 0,
    home: 0,
    ...rest,
  };
}

const sampleAxes = (bl: number, station: number, x: number): SimulatedAxis[] =>
  ["horizontal", "vertical", "along the beam"].map((where, i) =>
    axis(bl, station, x + i, `sample stage, ${where}, 1 µm/pulse`, { backlashPulses: 5 }),
  );

const shutter = (name: string, syncdb: string, meaning: string): ShutterInfo => ({
  kind: "shutter",
  name,
  syncdb: `${syncdb}_open_valid/status`,
  meaning,
});
const xrayShutter = (bl: number): ShutterInfo =>
  shutter(`bl${bl}_shutter1`, `xfel_bl_${bl}_shutter_1`, "X-ray shutter");
const laserShutter = (bl: number): ShutterInfo =>
  shutter(`bl${bl}_lh1_shutter1`, `xfel_bl_${bl}_lh1_shutter_1`, "pump laser shutter");

/** A setting; its role says how long a change takes. */
export function setting(
  role: SettingInfo["role"],
  name: string,
  meaning: string,
  unit: string,
  allowed: SettingInfo["allowed"],
  home: number | string,
): SimulatedSetting {
  return {
    kind: "setting",
    role,
    name,
    syncdb: null,
    meaning,
    unit,
    allowed,
    home,
    travelSeconds: controlParameters.travelSeconds[role],
  };
}

/** A parameter of the accelerator that its operators change on request. */
export function accelerator(
  name: string,
  meaning: string,
  unit: string,
  allowed: SettingInfo["allowed"],
  home: number | string,
  rest: Partial<Omit<RequestRule, "parameter">> & { readonly unitsPerSecond?: number },
): SimulatedSetting {
  const { unitsPerSecond, ...rules } = rest;
  const request = { step: null, perMinute: 20, rampSeconds: 120, verification: null, ...rules };
  const made = setting("accelerator", name, `${meaning}; changed by the operators on request`, unit, allowed, home);
  return { ...made, ...(unitsPerSecond === undefined ? {} : { unitsPerSecond }), request };
}

const { selectorValues, siliconUm, gains, undulatorK } = controlParameters;
const selectors = "which pulses pass: every n-th, none (off), or one and then none (single)";

function commonSettings(bl: number): SimulatedSetting[] {
  return [
    setting("selector", `bl${bl}_selector1`, `X-ray pulse selector; ${selectors}`, "", selectorValues, 1),
    setting("attenuator", `bl${bl}_attenuator1`, "silicon in the beam, behind the beam monitors", "µm", siliconUm, 0),
    setting(
      "undulator-k",
      `bl${bl}_id1_k`,
      "K of ID1",
      "",
      { from: undulatorK.from, to: undulatorK.to },
      undulatorK.home,
    ),
  ];
}

const laserSelector = (bl: number): SimulatedSetting =>
  setting("selector", `bl${bl}_lh1_selector1`, `pump laser pulse selector; ${selectors}`, "", selectorValues, 2);

const amplifiers = (bl: number, station: number): SimulatedSetting[] =>
  Array.from({ length: 15 }, (_, i) =>
    setting(
      "amplifier",
      `bl${bl}_st${station}_pd${i + 1}_gain`,
      `amplifier of xfel_bl_${bl}_st_${station}_pd_user_${i + 1}`,
      "",
      gains,
      1,
    ),
  );

/** Equipment id of the photodiode of a station. */
export const diode = (bl: number, station: number): string =>
  `xfel_bl_${bl}_st_${station}_pd_user_3_fitting_peak/voltage`;

/** The photodiodes behind the samples of the beamlines. */
export const sampleDiodes: ReadonlySet<string> = new Set([diode(1, 4), diode(2, 3), diode(3, 2)]);

const delayHome = 12_000;
const common = (bl: number) => ({
  xrayShutter: `bl${bl}_shutter1`,
  xraySelector: `bl${bl}_selector1`,
  attenuator: `bl${bl}_attenuator1`,
  undulatorK: `bl${bl}_id1_k`,
});
const laser = (bl: number) => ({ laserShutter: `bl${bl}_lh1_shutter1`, laserSelector: `bl${bl}_lh1_selector1` });

/** The devices of each beamline, but for those in `simulatedDevices`. */
export const controlledBeamlines: readonly { readonly bl: number; readonly devices: BeamlineDevices }[] = [
  {
    bl: 1,
    devices: {
      ...common(1),
      ...laser(1),
      axes: [axis(1, 4, 22, "optical delay, 6.67 fs/pulse", { home: delayHome }), ...sampleAxes(1, 4, 40)],
      shutters: [xrayShutter(1), laserShutter(1)],
      settings: [...commonSettings(1), laserSelector(1), ...amplifiers(1, 4)],
      delay: "bl1_st4_pm022",
      timing: undefined,
      sample: ["bl1_st4_pm040", "bl1_st4_pm041"],
    },
  },
  {
    bl: 2,
    devices: {
      ...common(2),
      laserShutter: undefined,
      laserSelector: undefined,
      axes: sampleAxes(2, 3, 40),
      shutters: [xrayShutter(2)],
      settings: [...commonSettings(2), ...amplifiers(2, 3)],
      delay: undefined,
      timing: undefined,
      sample: ["bl2_st3_pm040", "bl2_st3_pm041"],
    },
  },
  {
    bl: 3,
    devices: {
      ...common(3),
      ...laser(3),
      axes: [
        axis(3, 2, 1, "optical delay, 6.67 fs/pulse", { home: delayHome }),
        ...sampleAxes(3, 2, 40),
        axis(3, 1, 73, "timing monitor delay, 6.67 fs/pulse", { home: 30_000 }),
        axis(3, 4, 37, "detector rotation, 1e-4 deg/pulse", { limitsPulses: "unlimited" }),
      ],
      shutters: [xrayShutter(3), laserShutter(3)],
      settings: [...commonSettings(3), laserSelector(3), ...amplifiers(3, 1), ...amplifiers(3, 2), ...amplifiers(3, 4)],
      delay: "bl3_st2_pm001",
      timing: "bl3_st1_pm073",
      sample: ["bl3_st2_pm040", "bl3_st2_pm041"],
    },
  },
];
