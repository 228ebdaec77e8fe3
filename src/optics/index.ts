/**
 * Crystals, attenuation, split-delay optics and channel-cut monochromators: calculations, no device is touched.
 * @module
 */
export { type AttenuationOptions, attenuationLengthUm, thicknessUmFor, transmission } from "./attenuation.ts";
export { type BraggOptions, siliconBraggDeg, siliconBraggEv } from "./bragg.ts";
export { darwinCurve, type ReflectionOptions, type SiliconReflection, siliconReflection } from "./darwin.ts";
export { type RockingCurveOptions, siliconRockingCurve } from "./rocking.ts";
export {
  type Complex,
  type Hkl,
  SILICON_DEBYE_WALLER_A2,
  SILICON_LATTICE_ANGSTROM,
  siliconSpacing,
} from "./silicon.ts";
