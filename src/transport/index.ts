/**
 * {@link Endpoint}, the method table, the wire form, the carriers and the wrappers. Places that hold shots are in
 * `sacla/source`.
 * @module
 */
export type { CitiusRunStatus, CitiusSensor, ReconstInfo } from "./citius-methods.ts";
export { type CarriedRequest, type Carrier, type Exchange, endpointOver } from "./client.ts";
export { decodeMessage, encodeMessage, WIRE_VERSION, type WireError, type WireMessage } from "./codec.ts";
export type { Endpoint, FrameMemory, StreamOptions } from "./endpoint.ts";
export { type HttpOptions, httpEndpoint } from "./http/client.ts";
export { inProcess } from "./in-process.ts";
export {
  type CallMethod,
  type CallParams,
  type CallResult,
  callMethods,
  type Frame,
  type LiveItem,
  type RunInfo,
  type ShotFrames,
  type StreamItem,
  type StreamMethod,
  type StreamParams,
  streamMethods,
} from "./methods.ts";
export { type NetworkOptions, networkSchemes } from "./network.ts";
export { type Address, type OpenScheme, openEndpoint } from "./open.ts";
export { replayRecording } from "./wrappers/recording.ts";
export { type CacheOptions, withCache } from "./wrappers/with-cache.ts";
export { type FaultOptions, type FaultRates, withFaults } from "./wrappers/with-faults.ts";
export { withRecording } from "./wrappers/with-recording.ts";
export { type RetryPolicy, withRetry } from "./wrappers/with-retry.ts";
export { type ZmqOptions, zmqEndpoint } from "./zmq/client.ts";
