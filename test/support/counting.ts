import type { Endpoint } from "../../src/transport/endpoint.ts";

/** An endpoint that writes down every question it is asked, streams too, as `method parameters`. */
export function counting(endpoint: Endpoint): Endpoint & { readonly asked: string[] } {
  const asked: string[] = [];
  const note = (method: string, params: unknown): void => void asked.push(`${method} ${JSON.stringify(params)}`);
  return {
    asked,
    call: (method, params, options) => {
      note(method, params);
      return endpoint.call(method, params, options);
    },
    stream: (method, params, options) => {
      note(method, params);
      return endpoint.stream(method, params, options);
    },
    close: () => endpoint.close(),
  };
}
