import { type HttpServer, type HttpServerOptions, serveHttp } from "../../src/server/http-server.ts";
import { type ServedTable, Service, type ServiceOptions } from "../../src/server/service.ts";
import type { Endpoint } from "../../src/transport/endpoint.ts";

/** A server on a free port of this computer, and what ends it. */
export async function httpServer(
  endpoint: Endpoint,
  options: Partial<HttpServerOptions> = {},
  serviceOptions: ServiceOptions = {},
  table?: ServedTable,
): Promise<HttpServer & { readonly service: Service }> {
  const service = new Service(endpoint, serviceOptions, table);
  const server = await serveHttp(service, { port: 0, ...options });
  return {
    service,
    address: server.address,
    close: async () => {
      await service.close();
      await server.close();
      await endpoint.close();
    },
  };
}
