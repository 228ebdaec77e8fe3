/**
 * Many questions answered in one pass over the shots, in memory that does not grow with them.
 * @module
 */

export { Accumulated, type AccumulateOptions, accumulate, type Checkpoint, type Lane, memoryOf } from "./accumulate.ts";
export { type DarkMeans, darkOf, subtractDark } from "./correction.ts";
export { type Dark, darkAverage } from "./dark-average.ts";
export { coarse, onGrid } from "./exact.ts";
export { type Histogram, type HistogramOptions, histogram } from "./histogram.ts";
export { type MeanAndVariance, type MinMax, mean, minMax, variance } from "./pixel-statistics.ts";
export { type QuickLook, type QuickLookOptions, quickLook, type SensorLook } from "./quick-look.ts";
export { type Reduced, type ReduceOptions, reduce, resultsOf } from "./reduce.ts";
export { type ArrayField, defineReducer, type Layout, type Reducer, type SeriesField, type State } from "./reducer.ts";
export { type RoiSeries, roiSum } from "./roi-sum.ts";
export { Series } from "./series.ts";
export type { SavedState } from "./state.ts";
