import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { SaclaError } from "../../core/errors.ts";
import { toWireError } from "../../transport/codec.ts";

/** Headers of one connection, which the other connection has of its own (RFC 9110, section 7.6.1). */
const ofOneConnection = new Set(["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"]);

/**
 * Passes a request on to the HTTP server that listens at the local socket `path`, and its answer back, as they come.
 */
export function relayHttp(path: string, asked: IncomingMessage, answer: ServerResponse): void {
  // A connection for each request: one that is kept could be closed in the moment it is used again.
  const passed = request({
    socketPath: path,
    agent: false,
    method: asked.method,
    path: asked.url,
    headers: headersOf(asked),
  });
  answer.on("close", () => passed.destroy());
  passed.on("response", (response) => {
    answer.writeHead(response.statusCode ?? 500, response.statusMessage, headersOf(response));
    pipeline(response, answer, () => {});
  });
  passed.on("error", (cause) => {
    if (answer.headersSent || answer.destroyed) {
      answer.destroy();
      return;
    }
    const error = new SaclaError("UNREACHABLE", "What reads the data does not answer; ask again.", { cause });
    answer.writeHead(503, { "Content-Type": "application/json", Connection: "close" });
    answer.end(JSON.stringify({ error: toWireError(error) }));
  });
  pipeline(asked, passed, () => {});
}

function headersOf({ headers }: IncomingMessage): NodeJS.Dict<string | string[]> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ofOneConnection.has(name)));
}
