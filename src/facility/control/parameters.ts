/** Every number of the simulated control, in one place; see ../parameters.ts. */
export const controlParameters = {
  shutterTravelSeconds: 0.2,
  /** `accelerator`: of what does not change steadily. */
  travelSeconds: { selector: 0.05, attenuator: 0.5, amplifier: 0.1, "undulator-k": 1, accelerator: 3 },
  /** Between the end of a run and the moment it can be read. */
  storingSeconds: 0.5,
  selectorValues: ["off", "single", 1, 2, 3, 5, 6, 10, 15, 30, 60],
  siliconUm: [0, 25, 50, 100, 200, 300, 400, 500, 700, 1000, 1500],
  /** Attenuation length of silicon at 10 keV, µm: 1 / (33.89 cm²/g × 2.33 g/cm³), NIST XCOM; it grows as E³. */
  siliconLengthUm: 126.6,
  siliconEnergyEv: 10_000,
  gains: [0.01, 0.1, 1, 10, 100, 1000],
  undulatorK: { from: 2.09, to: 2.11, home: 2.1 },
  /** Undulators of a beamline; K of the first one is what a beamline may change. */
  undulators: 18,
  /** An undulator that is off by this share of the photon energy lases 1/e with the others: some FEL parameter ρ. */
  gainWidth: 1e-3,
  /** Stages stop at a moment of their own choice when stuck, after these shares of the way. */
  stuckFrom: 0.2,
  stuckTo: 0.8,
  /** Steps that are lost: a share of the way, and some. */
  slipShare: 0.03,
  slipPulses: 4,
  /** Speed of a motion that is late. */
  lateSpeedShare: 0.1,
  /** Knots of the slow drifts. */
  driftKnotSeconds: 300,
  /** The diode in the reflection sees so much off the peak. */
  crystalBackground: 0.02,
  crystalCentrePulse: 2000,
  crystalSigmaPulse: [30, 60],
  /** Hidden values lie so far round those of the runs that begin by themselves. */
  t0SpreadPulse: 300,
  riseFs: [50, 120],
  /**
   * The pump FEL of the two-colour scheme: what it does to the crystal's reflection. Both colours are from the same
   * electrons: no jitter between them.
   */
  pumpFel: {
    amplitude: -0.3,
    riseFs: 30,
    recoveryFs: 400,
    /** One shot of the delay seen at the chicane; light of the pump in the spectrometer, on and off. */
    delayNoiseFs: 4,
    pumpLight: 1,
    pumpLightSpread: 0.25,
    pumpLightFloor: 0.03,
  },
  /** What the operators change on request beside the pump FEL. */
  machine: {
    photonEnergyKev: 10,
    knobs: [
      { name: "steer_x", meaning: "steering before the undulators, horizontal" },
      { name: "steer_y", meaning: "steering before the undulators, vertical" },
      { name: "quad_1", meaning: "matching quadrupole 1" },
      { name: "quad_2", meaning: "matching quadrupole 2" },
      { name: "phase_1", meaning: "phase of the last bunch compressor" },
      { name: "taper_1", meaning: "taper of the undulators" },
    ],
    /** How far from home the best value of a knob is. */
    bestFrom: 0.1,
    bestTo: 0.6,
    /** The taper at which the spectrum is narrowest is drawn from this range; relative noise of the width of a shot. */
    narrowFrom: -0.5,
    narrowTo: 0.5,
    widthNoise: 0.1,
    /** Off the optimum by so much, a knob leaves half of the light. */
    width: 1.2,
    knobNoise: 0.005,
  },
  /** Places of the sample in the same square of so many pulses are one spot. */
  spotPulse: 20,
  /** What is left of the sample's signal after one shot of nominal energy, and after many. */
  damagePerShot: 0.84,
  damageFloor: 0.2,
} as const;
