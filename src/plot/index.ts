export { type ColourMap, colourMaps } from "./colour-map-names.ts";
export { type Gray16, type Gray16Options, renderGray16 } from "./gray16.ts";
export { type ImageOptions, type Mark, renderImage } from "./image.ts";
export {
  type HistogramPlotOptions,
  histogramPlot,
  type LinePlotOptions,
  linePlot,
  linePlots,
  type PlotPanel,
  type PlotSeries,
  renderLinePlot,
  renderLinePlots,
} from "./line-plot.ts";
export type { Scale } from "./options.ts";
export type { Drawable, Gap } from "./pixels.ts";
export { type Report, type ReportImage, type ReportSection, type ReportTable, reportPage } from "./report.ts";
export { sparkline, type TerminalPlotOptions, terminalPlot, textTable } from "./text.ts";
