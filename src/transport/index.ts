/**
 * The seam: {@link Endpoint}, the method table, the wire form and the carriers. To plug in a place that holds shots,
 * implement {@link Source} and wrap it: `inProcess(endpointOf(source))`.
 * @module
 */
export { decodeMessage, encodeMessage, type Message, WIRE_VERSION, type WireError } from "./codec.ts";
export type { Endpoint, FrameMemory, StreamOptions } from "./endpoint.ts";
export { inProcess } from "./in-process.ts";
export {
  type CallMethod,
  type CallParams,
  type CallResult,
  callMethods,
  type Frame,
  type RunInfo,
  type ShotFrames,
  type StreamItem,
  type StreamMethod,
  type StreamParams,
  streamMethods,
} from "./methods.ts";
export { type Address, type OpenScheme, openEndpoint } from "./open.ts";
export { endpointOf, type Source } from "./source.ts";
