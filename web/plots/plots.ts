// What @h5web/lib draws: half of the page, loaded by later.tsx.
export { BrushedCurve } from "./brushed-curve.tsx";
export { Curve } from "./curve.tsx";
export { H5Picture } from "./h5-picture.tsx";
export { PicturePlot } from "./picture-plot.tsx";
