// Serves a run of 60 small images over ZeroMQ and HTTP, slowly, until it is killed: `serve-slowly.ts <tcp port or *>
// <http port or 0>`.
import { serve } from "../../src/server/serve.ts";
import { endpointOf } from "../../src/source/source-endpoint.ts";
import { inProcess } from "../../src/transport/in-process.ts";
import { withFaults } from "../../src/transport/wrappers/with-faults.ts";
import { tinySource } from "./tiny-source.ts";

const [zmqPort = "*", httpPort = "0"] = process.argv.slice(2);
const source = tinySource().addRun(3, { run: 20, start: 5000, images: 60 });
const slow = withFaults(inProcess(endpointOf(source)), {
  seed: 1,
  delayMs: 40,
  methods: { "st.frames": { delay: 1 } },
});
const server = await serve(slow, {
  zmq: [`tcp://127.0.0.1:${zmqPort}`],
  http: { host: "127.0.0.1", port: Number(httpPort) },
});
console.log(server.addresses.join(" "));
