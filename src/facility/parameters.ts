import { mpccd } from "../core/detector-families.ts";

/**
 * Every number of the simulated machine, in one place. Sources are named where there is one; the rest are choices of
 * this simulator within the range users report.
 */

export const liveParameters = {
  /** Live images can be had for this long: users' scripts go back 120 tags of 60 Hz. */
  memorySeconds: 2,
  imageDelayMs: 50,
  /** Between the quickest and the slowest sensor. */
  imageDelaySpreadMs: 10,
  /** 0-D values go through the database, so they come later than images. */
  valueDelayMs: 120,
} as const;

export const sourceParameters = {
  /** SASE pulse energy follows a Gamma distribution with M modes (Saldin et al.): relative rms 1/√M = 11 %. */
  modes: 80,
  /** Share of shots without beam. */
  beamOffShare: 0.003,
  /** Rms jitter of the centre photon energy, relative: 7 eV at 10 keV; twice that of the electrons (λ ∝ 1/γ²). */
  centreEnergyJitter: 7e-4,
  /**
   * Electrons of higher energy give more light, come earlier (chicanes) and further to the side (dispersion); a larger
   * bunch charge gives more light and comes later. Change of the pulse energy for 1 σ of either; shares of the arrival
   * jitter and of the horizontal pointing that follow them, as correlations.
   */
  lightPerEnergy: 0.03,
  lightPerCharge: 0.04,
  arrivalByEnergy: -0.5,
  arrivalByCharge: 0.3,
  pointingByEnergy: 0.6,
  /** SASE bandwidth, relative FWHM, and FWHM of one spike: 1.8 eV fs over pulses of some 5 fs. */
  bandwidth: 3.5e-3,
  spikeFwhmEv: 0.4,
  /** Bunch charge, relative rms, and the reading of its monitors. */
  bunchChargeJitter: 0.007,
  /** Pointing jitter, in beam sizes rms. */
  pointingJitter: 0.05,
  /**
   * Slow drift of the electron energy, in units of its jitter, and how the feedback takes it back: this share, so
   * often.
   */
  energyDrift: 0.5,
  energyDriftKnotSeconds: 300,
  feedbackGain: 0.9,
  feedbackSeconds: 30,
  /** X-ray against optical laser, fs rms: "on the order of 100 fs" (SPring-8 Research Frontiers 2015). */
  arrivalJitterFs: 100,
  /** Slow drift: 20 fs per √minute with a correlation time of 20 min is 20·√(20/2) = 63 fs rms. */
  arrivalDriftFs: 63,
  arrivalDriftKnotSeconds: 1200,
} as const;

/** Growth of the mean square displacement by the pump laser, Å²: ring (110) of LaB6 falls by 6 %. */
export const pumpDisplacementA2 = 0.0406;

/**
 * A crystal spectrometer whose energies lie along the columns of a sensor, on a curve: its dispersion, how it bends,
 * how the line of an energy is curved and tilted across the rows, its blur (rms), and the share of photons anywhere.
 */
export const emissionParameters = {
  middleEv: 7050,
  evPerPixel: 0.16,
  bendPixelPerEv2: 0.0025,
  curvePixel: 6e-5,
  tiltPixel: 0.01,
  blurEv: 0.6,
  background: 0.1,
} as const;

/** Two channel-cut Si(111) crystals in (+,−,−,+), as users of beamline 3 scan them. */
export const monochromatorParameters = {
  degPerPulse: 4e-6,
  /** FWHM of the Darwin curve over the photon energy: 1.33 eV at 10 keV. */
  darwinWidth: 1.33e-4,
  /** Neither crystal's zero is where its motor says: rms, pulses of 0.0035 eV at 10 keV. */
  zeroErrorPulse: 200,
  /** The height of the crystals at which they are in the beam, pulses. */
  inFrom: 3500,
  inTo: 6500,
  /**
   * The foil: edge L2 of ytterbium, the one that the bandwidth of 10 keV reaches; the width is that of the core hole,
   * the absorbance before the edge and its jump are a choice.
   */
  foilEdgeEv: 9978.2,
  foilEdgeFwhmEv: 4.6,
  foilAbsorbance: [0.4, 0.7],
} as const;

/** Six Si(220) crystals in two branches. Errors and noise are choices of this simulator. */
export const splitDelayParameters = {
  degPerPulse: 4e-6,
  mmPerPulse: 1e-4,
  /** Distance of the faces of the channel-cut crystals. */
  channelGapMm: 5,
  /** Full width of total reflection over the photon energy: Si(220) at 295 K. */
  plateauWidth: 5.7e-5,
  /** Zeros of the angles, rms: 20 µrad, a Darwin width at 10 keV. */
  zeroErrorPulse: 290,
  /** How much a stage turns its crystal on its way, rms. */
  tiltUradPerMm: 1.5,
  /** The gap at which both branches are equally long, from nominal, rms: 13 fs at 10 keV. */
  gapZeroMm: 0.003,
  /** By how much the gaps of BR1 and BR2 differ where the delay branch comes back on the axis of the other, rms. */
  gapDifferenceMm: 0.02,
  /** From the merger to the position monitor, which stands where both halves meet. */
  leverM: 1,
  /** Size of each half there, rms, and noise of the monitor with the pointing of a shot. */
  beamUm: 30,
  positionNoiseUm: 5,
  floorCharge: 1e-13,
  /** Both halves interfere while they overlap within the coherence that the bandwidth of the crystals leaves, rms. */
  coherencePs: 0.0035,
  /** Cross-correlation of both halves: pulses, and the time in which a sample answers, rms. */
  correlationPs: 0.025,
  visibilityTop: 0.6,
  visibilityFloor: 0.05,
  visibilityNoise: 0.05,
  inFrom: 3500,
  inTo: 6500,
} as const;

export const monitorParameters = {
  /** 5e-9 C at 0.5 mJ. */
  chargePerJoule: 1e-5,
  /** Linear noise, relative rms. */
  relativeNoise: 0.005,
  /** Electronics noise, C rms; what is left without X-rays. */
  floorCharge: 1e-11,
  /** First HighTag whose monitors give noise instead of `not-converged` without X-rays. */
  noiseWithoutBeamFrom: 202001,
  /** Photodiodes: a fit finds no pulse below, the digitiser clips above, V. Useful window 5 mV to 0.9 V. */
  diodeMinimumV: 0.003,
  diodeMaximumV: 1,
  diodeNoise: 0.01,
  /** Volts of pd_user_1 … 15 at nominal pulse energy: their amplifiers are set differently, two of them badly. */
  diodeLevelsV: [0.35, 0.12, 0.55, 0.62, 0.04, 0.0031, 0.22, 0.93, 0.3, 0.08, 0.45, 0.015, 0.25, 0.5, 0.18],
  /** Systematic error of the calibration of charge in joules, rms over facilities. */
  calibrationError: 0.03,
  laserDiodeV: 0.5,
  /** Spectrometer: relative resolution of one shot, and share of shots whose fit fails. */
  spectrometerNoise: 2e-4,
  spectrometerFailureShare: 0.02,
  /** Below these photon energies (eV) the spectrometer gives nothing. */
  spectrometerMinimumEv: { 2: 4500, 3: 6500 } as Readonly<Record<number, number>>,
  /** First HighTag whose close_valid flag of the X-ray shutter works; before, only open_valid does. */
  closeFlagFrom: 201801,
  /** Beamline 2 runs whose shutter flags say open whatever the shutter does. */
  stuckFlags: { beamline: 2, firstRun: 32_348, lastRun: 81_549 },
} as const;

export const mpccdParameters = {
  xsize: mpccd.columns,
  ysize: mpccd.rows,
  pixelSizeUm: mpccd.pixelSizeUm,
  ports: 8,
  /** Pedestal of port p is pedestalAdu + p × pedestalStepAdu, p from 0. */
  pedestalAdu: 100,
  pedestalStepAdu: 3,
  /** Pixel-to-pixel spread of the pedestal, ADU rms. */
  fixedPatternAdu: 3,
  /** Common and per-port drift of the pedestal, ADU rms, between knots one minute apart. */
  commonDriftAdu: 0.5,
  portDriftAdu: 0.05,
  driftKnotSeconds: 60,
  /** Noise common to a row of one image, ADU rms. */
  rowNoiseAdu: 1,
  readNoiseElectrons: 200,
  /** Share of hot and of dead pixels, half each of 0.05 %. */
  hotShare: 0.00025,
  deadShare: 0.00025,
  hotMinimumAdu: 300,
  hotMaximumAdu: 3000,
  saturationAdu: 65_535,
  /** Silicon of phase III sensors (the letter B in their id) and of all others, µm. */
  phase3ThicknessUm: 300,
  thicknessUm: 50,
  /**
   * Rms width of the charge cloud over the thickness: 7 µm in 300 µm, by diffusion √(2kT/qV) at 90 V; 1.2 µm in 50 µm.
   */
  chargeCloudShare: 7 / 300,
  /** Above this many photons an image is drawn pixel by pixel, without charge sharing, instead of photon by photon. */
  photonByPhotonLimit: 400_000,
} as const;

export const timingParameters = {
  /** Optical delay stages: 1 µm per pulse, there and back: 2 µm / c. */
  fsPerPulse: 6.671,
  /** Scale of the timing monitor; published campaigns have 2.44 to 2.8. */
  fsPerPixel: 2.6,
  /** Column of the edge at zero arrival difference with the stage at its zero. */
  zeroPixel: 1000,
  /** Position of the timing-laser stage for which the above holds. */
  zeroPulse: 30_000,
  /** Accuracy of the two estimators, px rms: 7 fs (Katayama 2016) for the fit. */
  fitNoisePixel: 2.7,
  derivativeNoisePixel: 3.5,
  /** The estimators' noise is for an edge of this depth, and grows as the edge fades; below the least they give up. */
  noiseDepth: 0.15,
  leastDepth: 0.04,
  /** How often the second of two edges is taken for the first. */
  confusedShare: 0.3,
} as const;

export const cameraParameters = {
  xsize: 2048,
  ysize: 256,
  /** 12-bit grey. */
  maximumGrey: 4095,
  offsetGrey: 40,
  laserGrey: 2400,
  /** Widths of the laser on the crystal, px rms. */
  laserWidthPixel: 900,
  laserHeightPixel: 70,
  /** Loss of transmission behind the edge at 0.5 mJ; grows with pulse energy up to the maximum. */
  edgeDepth: 0.15,
  edgeDepthMaximum: 0.5,
  edgeDepthEnergyJ: 0.5e-3,
  edgeSigmaFs: 40,
  /** The edge fades and comes back as the crystal wears and is moved on: rms of ln(depth), between knots. */
  edgeFading: 0.3,
  edgeFadingKnotSeconds: 60,
  /** Share of shots without an edge although X-rays came, and with a second one, so many pixels on. */
  edgeMissingShare: 0.01,
  secondEdgeShare: 0.015,
  secondEdgePixel: [60, 300],
  secondEdgeDepth: [0.4, 0.9],
  columnNoise: 0.03,
  /** Fringes of the laser: their phases wander from shot to shot, rms radian, between knots so far apart. */
  fringes: [
    { depth: 0.02, periodPixel: 37 },
    { depth: 0.015, periodPixel: 163 },
  ],
  fringeWander: 1.5,
  fringeKnotSeconds: 2,
  /** Share of shots at which the timing laser failed: a dark picture. */
  laserMissingShare: 0.003,
  pixelNoiseGrey: 12,
} as const;
