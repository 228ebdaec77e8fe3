/**
 * Many questions answered in one pass over the shots, in memory that does not grow with them.
 * @module
 */

export {
  type ClassOfShots,
  meanOfRatios,
  type OnOff,
  type OnOffOptions,
  onOffDifference,
  type RatioMethod,
  ratioOfSums,
  type ShotNumbers,
} from "../core/ratio.ts";
export { accumulate, memoryOf, type Reading } from "./accumulate.ts";
export {
  type Accumulated,
  type Accumulators,
  type CheckpointAbout,
  type CheckpointHead,
  type CheckpointSource,
  checkpointHead,
  heldTags,
  mergeCheckpoints,
  readCheckpoint,
  writeCheckpoint,
} from "./checkpoints/checkpoint-file.ts";
export { digestOf } from "./checkpoints/digest.ts";
export {
  type BySensor,
  type CommonModeOptions,
  type Correction,
  type CorrectionStage as CorrectionPass,
  commonModeLevels,
  correct,
  type NormaliseOptions,
  type PhotonsOptions,
  type PortLevel,
} from "./corrections/index.ts";
export {
  BinAxis,
  type CubeAxis,
  type EdgesAxis,
  type RangeAxis,
  type ShotValue,
  scanTargets,
  type TargetsAxis,
} from "./cube/axes.ts";
export {
  Cube,
  type CubeCheckpoint,
  type CubeUpdateOptions,
  cube,
} from "./cube/cube.ts";
export {
  type CorrectedDelayOptions,
  correctedDelay,
  type DelayStage,
  edgeLimits,
  type JitterOptions,
} from "./cube/delay.ts";
export type { CubeLabel, CubeOptions } from "./cube/options.ts";
export type { RegionSum } from "./cube/region.ts";
export { type BinStatistics, type Contrast, contrast, type MeanAndError, withPooledErrors } from "./cube/statistics.ts";
export { type Dark, darkAverage } from "./dark-average.ts";
export { type DarkMeans, darkOf, subtractDark } from "./dark-means.ts";
export {
  type ClassOfPicture,
  type DifferenceOptions,
  type DifferencePicture,
  differencePicture,
} from "./difference.ts";
export {
  type CalibrateEmissionOptions,
  type CalibrationLine,
  type CalibrationShots,
  type CalibrationShotsOptions,
  calibrateEmission,
  calibrationShots,
  type DispersiveAxis,
  type EmissionCalibration,
  type EmissionCurve,
  type EmissionLine,
  type EmissionLines,
  type EmissionLinesOptions,
  type EmissionMap,
  type EmissionMaps,
  type EmissionMapsOptions,
  type EmissionSpectrum,
  type EmissionSpectrumOptions,
  emissionEnergyAt,
  emissionEnergyErrorAt,
  emissionMaps,
  emissionPixelAt,
  emissionSpectrum,
  fitEmissionLines,
} from "./emission/index.ts";
export { quantize, quantizeHigh } from "./engine/exact.ts";
export { type ParallelOptions, reduceInParallel } from "./engine/parallel.ts";
export type { PartModule, PartTask } from "./engine/part.ts";
export { type Checkpoint, PartialResult, type SensorState } from "./engine/partial-result.ts";
export { ShotSeries } from "./engine/shot-series.ts";
export { createStack, type ImageStack, StackedShots, type StackOptions, shotsFrom } from "./engine/stack.ts";
export type { SavedState } from "./engine/state.ts";
export type {
  BatchStatistics,
  HistogramSpec,
  Statistic,
} from "./engine/statistic.ts";
export type { WideSums } from "./engine/wide-sum.ts";
export { type Condition, filterShots } from "./filter.ts";
export { type MonitorCheck, type MonitorCheckOptions, monitorCheck } from "./monitor-check.ts";
export type { AccumulateOptions } from "./pass.ts";
export {
  assemblerFor,
  findSpots,
  type Picture,
  type PictureClass,
  type PictureOptions,
  type PictureSteps,
  picture,
  type SensorMean,
} from "./picture.ts";
export {
  type DarkSource,
  type QuickLook,
  type QuickLookOptions,
  quickLook,
  type SensorSummary,
  type ShotReader,
} from "./quick-look.ts";
export { type Reduced, type ReduceOptions, reduce, resultsOf, type ShotSelection } from "./reduce.ts";
export {
  type ArrayField,
  type ClassDispatch,
  defineReducer,
  type KernelWork,
  type Layout,
  type Reducer,
  type ScratchField,
  type SeriesField,
  type State,
} from "./reducer.ts";
export { type ByClass, byClass } from "./reducers/by-class.ts";
export { type Covariance, type CovarianceOptions, covariance } from "./reducers/covariance/covariance.ts";
export { type DarkMapOptions, type DarkMaps, type DarkPort, darkMaps } from "./reducers/dark-maps.ts";
export type { DropletEfficiency } from "./reducers/droplet-efficiency.ts";
export { type DropletOptions, type Droplets, droplets } from "./reducers/droplets.ts";
export { type Histogram, type HistogramOptions, histogram } from "./reducers/histogram.ts";
export { combineHits, findPeaks, type HitOptions, type Hits, hits, hitTags, type Peaks } from "./reducers/hits.ts";
export { classOf, type IsLight, type LightSignal, lightDarkClasses } from "./reducers/light-dark.ts";
export { type Normalised, type NormalisedOptions, normalised } from "./reducers/normalised.ts";
export {
  type AduPerPhoton,
  aduPerPhoton,
  type PhotonCountOptions,
  type PhotonCounts,
  photonCounts,
} from "./reducers/photon-counts.ts";
export { type PixelHistogram, type PixelHistogramOptions, pixelHistogram } from "./reducers/pixel-histogram.ts";
export { type MeanAndVariance, type MinMax, mean, minMax, variance } from "./reducers/pixel-statistics.ts";
export { type Projections, projections } from "./reducers/projections.ts";
export type { RadialAxisOptions, RadialUnit, SectorOptions } from "./reducers/radial-axis.ts";
export type { RadialProfileOptions } from "./reducers/radial-options.ts";
export { radialProfile } from "./reducers/radial-profile.ts";
export { combineProfiles, type RadialProfile, type ShotProfiles } from "./reducers/radial-results.ts";
export { radiusToQ } from "./reducers/radius-to-q.ts";
export type { ReadNoise } from "./reducers/read-noise.ts";
export { type OneRoiSeries, type RoisSeries, roiSeries } from "./reducers/roi-series.ts";
export { type RoiSeries, roiSum } from "./reducers/roi-sum.ts";
export { type SpeckleContrast, type SpeckleContrastOptions, speckleContrast } from "./reducers/speckle-contrast.ts";
export {
  type SpeckleDelay,
  type SpeckleDelays,
  type SpeckleDelaysOptions,
  speckleDelays,
} from "./reducers/speckle-delays.ts";
