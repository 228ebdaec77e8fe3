/**
 * Crystals, attenuation, split-delay optics and channel-cut monochromators: calculations, no device is touched.
 * @module
 */
export { type AttenuationOptions, attenuationLengthUm, thicknessUmFor, transmission } from "./attenuation.ts";
export { type BraggOptions, siliconBraggDeg, siliconBraggEv } from "./bragg.ts";
export {
  type AngleDrive,
  ChannelCut,
  type ChannelCutOptions,
  type EnergyCalibration,
  type PairExit,
  pairExit,
} from "./channel-cut.ts";
export { darwinCurve, type ReflectionOptions, type SiliconReflection, siliconReflection } from "./darwin.ts";
export { type RockingCurveOptions, siliconRockingCurve } from "./rocking.ts";
export {
  type Complex,
  type Hkl,
  SILICON_DEBYE_WALLER_A2,
  SILICON_LATTICE_ANGSTROM,
  siliconSpacing,
} from "./silicon.ts";
export {
  type KnobRange,
  type LimitsByAxis,
  SplitDelay,
  type SplitDelayAxes,
  type SplitDelayGeometry,
  type SplitDelayKnobs,
  type SplitDelayOptions,
  splitDelayCrystals,
  splitDelayGeometry,
} from "./split-delay.ts";
export {
  type AxisCorrection,
  asSplitDelayCorrection,
  learnSplitDelayCorrection,
  type SplitDelayCorrection,
  type SplitDelayPoint,
  withAlignment,
  withInheritedErrors,
  withZeroDelay,
  type ZeroDelay,
} from "./split-delay-correction.ts";
