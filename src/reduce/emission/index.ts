/** Emission lines (XES, RIXS): maps of photons, the energy scale of the spectrometer, straightened spectra, lines. */
export {
  type CalibrateEmissionOptions,
  type CalibrationLine,
  calibrateEmission,
  type EmissionCalibration,
} from "./calibrate.ts";
export {
  type DispersiveAxis,
  type EmissionCurve,
  emissionEnergyAt,
  emissionEnergyErrorAt,
  emissionPixelAt,
} from "./curve.ts";
export {
  type EmissionLine,
  type EmissionLines,
  type EmissionLinesOptions,
  fitEmissionLines,
} from "./lines.ts";
export {
  type CalibrationShots,
  type CalibrationShotsOptions,
  calibrationShots,
  type EmissionMap,
  type EmissionMaps,
  type EmissionMapsOptions,
  emissionMaps,
} from "./maps.ts";
export { type EmissionSpectrum, type EmissionSpectrumOptions, emissionSpectrum } from "./spectrum.ts";
