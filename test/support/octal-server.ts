/**
 * Serves an OctalSource over ZeroMQ in a process of its own, and says where as one line of JSON. Writes its memory on
 * each line it reads. `octal-server.ts SHOTS DELAY_MS ADDRESS [plain|curve] [SILENCE_MS]`
 */
import { createInterface } from "node:readline";
import { Service } from "../../src/server/service.ts";
import { serveZmq } from "../../src/server/zmq-server.ts";
import { endpointOf } from "../../src/source/source-endpoint.ts";
import { OctalSource } from "./octal-source.ts";

const [shots = "1000", delayMs = "0", address = "tcp://127.0.0.1:*", kind = "plain", silenceMs = "30000"] =
  process.argv.slice(2);
const service = new Service(endpointOf(new OctalSource(Number(shots), Number(delayMs))));

async function curvePairs() {
  const { curveKeyPair } = await import("zeromq");
  return { server: curveKeyPair(), client: curveKeyPair() };
}

const pairs = kind === "curve" ? await curvePairs() : undefined;
const keys =
  pairs === undefined
    ? undefined
    : {
        server: pairs.server,
        clientOfCurve: (key: string) =>
          key === pairs.client.publicKey ? { name: "bench", role: "read" as const } : null,
      };
const server = await serveZmq(service, address, { keys, silenceMs: Number(silenceMs) });
console.log(
  JSON.stringify({ address: server.address, curve: pairs && { ...pairs.client, serverKey: pairs.server.publicKey } }),
);

for await (const _ of createInterface({ input: process.stdin })) {
  const { rss, external, arrayBuffers } = process.memoryUsage();
  console.log(JSON.stringify({ rss, external, arrayBuffers, clients: server.clients, cpu: process.cpuUsage() }));
}
await server.close();
