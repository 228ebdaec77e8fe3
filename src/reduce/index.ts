/**
 * Many questions answered in one pass over the shots, in memory that does not grow with them.
 * @module
 */
export { type DarkMeans, darkOf, subtractDark } from "./correction.ts";
export { type Dark, darkAverage } from "./dark-average.ts";
export { type Histogram, type HistogramOptions, histogram } from "./histogram.ts";
export { type MeanAndVariance, type MinMax, mean, minMax, variance } from "./pixel-statistics.ts";
export { type QuickLook, type QuickLookOptions, quickLook, type SensorLook } from "./quick-look.ts";
export { type Reduced, type ReduceOptions, reduce } from "./reduce.ts";
export type { Accumulator, Reducer } from "./reducer.ts";
export { type RoiSeries, roiSum } from "./roi-sum.ts";
