/**
 * Serving an Endpoint to other programs and computers, over ZeroMQ and HTTP: see docs/serving.md.
 * @module
 */
export { FileAudit, openAudit } from "./audit.ts";
export { type HttpServer, type HttpServerOptions, serveHttp, type TlsFiles } from "./http-server.ts";
export { type KaraboBridge, type KaraboBridgeOptions, serveKaraboBridge } from "./karabo/bridge.ts";
export { type KeyEntry, Keys, newCurveKey, newToken, revokeKey, roles } from "./keys.ts";
export { Limits, type LimitsOptions } from "./limits.ts";
export { ServerMetrics } from "./metrics.ts";
export { openApiDocument } from "./openapi.ts";
export { isPagePath } from "./page-routes.ts";
export { type ServeOptions, type Server, serve } from "./serve.ts";
export {
  type AuditEntry,
  type AuditLog,
  type Client,
  type Health,
  type Role,
  type ServedTable,
  Service,
  type ServiceOptions,
  type ServiceRequest,
  wholeTable,
} from "./service.ts";
export { type CurveKeys, serveZmq, type ZmqServer, type ZmqServerOptions } from "./zmq-server.ts";
