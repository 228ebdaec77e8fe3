/**
 * What the page in a browser asks for: pictures, curves and numbers, made once for all who look.
 * @module
 */
export { withPage } from "./with-page.ts";
