import type { CallOptions } from "../../core/async.ts";
import type { Names } from "../../core/names.ts";
import type { Endpoint, StreamOptions } from "../endpoint.ts";
import type { CallMethod, CallParams, CallResult, StreamItem, StreamMethod, StreamParams } from "../methods.ts";

/** Where the parameters of methods name signals and detectors. */
const signalKeys = ["equipId", "equipIds", "signals"];
const detectorKeys = ["detId", "detIds"];

/** An Endpoint that can be asked for signals and detectors by names of one's own, such as those of an experiment. */
export function withNames(inner: Endpoint, names: Names): Endpoint {
  const meant = <P extends object>(params: P): P => {
    const found: Record<string, unknown> = Object.fromEntries(Object.entries(params));
    translate(found, signalKeys, (name) => names.signalId(name));
    translate(found, detectorKeys, (name) => names.detectorId(name));
    // The same keys with values of the same types.
    return found as unknown as P;
  };
  return {
    names,
    call: async <M extends CallMethod>(
      method: M,
      params: CallParams<M>,
      options?: CallOptions,
    ): Promise<CallResult<M>> => await inner.call(method, meant(params), options),
    stream: <M extends StreamMethod>(
      method: M,
      params: StreamParams<M>,
      options?: StreamOptions,
    ): AsyncIterable<StreamItem<M>> => inner.stream(method, meant(params), options),
    close: async () => await inner.close(),
  };
}

function translate(params: Record<string, unknown>, keys: readonly string[], idOf: (name: string) => string): void {
  for (const key of keys) {
    const value = params[key];
    if (typeof value === "string") params[key] = idOf(value);
    else if (Array.isArray(value))
      params[key] = value.map((one: unknown) => (typeof one === "string" ? idOf(one) : one));
  }
}
