/**
 * Passes everything on to the ZeroMQ server at an address, in a process of its own, and says where as one line of JSON.
 * Writes the processor time it has taken on each line it reads. `relay-server.ts ADDRESS`
 */
import { createInterface } from "node:readline";
import { Service } from "../../src/server/service.ts";
import { serveZmq } from "../../src/server/zmq-server.ts";
import { endpointOf } from "../../src/source/source-endpoint.ts";
import { tinySource } from "./tiny-source.ts";

const server = await serveZmq(new Service(endpointOf(tinySource())), "tcp://127.0.0.1:*", {
  relay: { owns: () => false },
});
server.relayTo(process.argv[2]);
console.log(JSON.stringify({ address: server.address }));
for await (const _ of createInterface({ input: process.stdin }))
  console.log(JSON.stringify({ cpu: process.cpuUsage() }));
await server.close();
