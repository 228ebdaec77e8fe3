import type { Endpoint } from "../endpoint.ts";
import type { CallMethod, CallParams, CallResult } from "../methods.ts";

/** What answers each of some methods. */
type Handlers<M extends CallMethod> = {
  readonly [K in M]: (params: CallParams<K>) => Promise<CallResult<K>>;
};

/** An Endpoint that answers the methods of `handlers` by them; `inner` answers the rest. */
export function withHandlers<M extends CallMethod>(inner: Endpoint, handlers: Handlers<M>): Endpoint {
  const own = handlers as unknown as Readonly<Record<string, (params: unknown) => Promise<never>>>;
  return {
    call: async (method, params, options) => {
      const handler = Object.hasOwn(own, method) ? own[method] : undefined;
      return handler === undefined ? await inner.call(method, params, options) : await handler(params);
    },
    stream: (method, params, options) => inner.stream(method, params, options),
    close: async () => await inner.close(),
  };
}
