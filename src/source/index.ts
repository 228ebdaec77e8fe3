/**
 * Data sources: to plug in a place that holds shots, implement {@link DataSource} and wrap it:
 * `inProcess(endpointOf(source))`.
 * @module
 */
export type { CitiusSource } from "./citius-source.ts";
export type { DataSource } from "./data-source.ts";
export type { HappenedShots, ImageState, LiveSource } from "./live-source.ts";
export { endpointOf } from "./source-endpoint.ts";
