import { Service } from "../../src/server/service.ts";
import { serveZmq } from "../../src/server/zmq-server.ts";
import type { Endpoint } from "../../src/transport/endpoint.ts";
import { httpEndpoint } from "../../src/transport/http/client.ts";
import { zmqEndpoint } from "../../src/transport/zmq/client.ts";
import { httpServer } from "./http.ts";

/** A client of an HTTP server of its own, which goes with it, as does what is served. */
export async function overHttp(endpoint: Endpoint): Promise<Endpoint> {
  const server = await httpServer(endpoint);
  return goingTogether(httpEndpoint(server.address), () => server.close());
}

/** A client of a ZeroMQ server of its own, which goes with it, as does what is served. */
export async function overZmq(endpoint: Endpoint, address = "tcp://127.0.0.1:*"): Promise<Endpoint> {
  const server = await serveZmq(new Service(endpoint), address);
  return goingTogether(zmqEndpoint(server.address), async () => {
    await server.close();
    await endpoint.close();
  });
}

function goingTogether(client: Endpoint, closeServer: () => Promise<void>): Endpoint {
  return {
    call: (method, params, options) => client.call(method, params, options),
    stream: (method, params, options) => client.stream(method, params, options),
    close: async () => {
      await client.close();
      await closeServer();
    },
  };
}
