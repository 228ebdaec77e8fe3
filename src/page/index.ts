/**
 * What the page in a browser asks for: pictures, curves and numbers, made once for all who look.
 * @module
 */
export type { RunColumn } from "./run-summaries.ts";
export { type PageDefaults, type PageOptions, type RunReport, withPage } from "./with-page.ts";
