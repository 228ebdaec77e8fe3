import { fileURLToPath } from "node:url";
import { openArchive } from "../../src/hdf5/index.ts";
import { Service } from "../../src/server/service.ts";
import { serveZmq } from "../../src/server/zmq-server.ts";
import type { Endpoint } from "../../src/transport/endpoint.ts";
import { endpointOf } from "../../src/transport/source.ts";
import { zmqEndpoint } from "../../src/transport/zmq/endpoint.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { tinySource } from "../support/tiny-source.ts";
import { endpointContract, type Subject } from "./endpoint-contract.ts";

/** A client of a server of its own, which goes with it. */
async function served(endpoint: Endpoint, address: string): Promise<Endpoint> {
  const server = await serveZmq(new Service(endpoint), address);
  const client = zmqEndpoint(server.address);
  return {
    call: (method, params, options) => client.call(method, params, options),
    stream: (method, params, options) => client.stream(method, params, options),
    close: async () => {
      await client.close();
      await server.close();
      await endpoint.close();
    },
  };
}

const tiny: Omit<Subject, "name" | "open"> = {
  bl: 3,
  run: 10,
  detector: "MPCCD-2N0-1-006",
  signal: "xfel_bl_3_tc_bm_1_pd/charge",
  missing: { detId: "MPCCD-2N0-1-006-2", tag: 1006 },
  running: { run: 12, detId: "OPAL-234363" },
};

endpointContract({ ...tiny, name: "ZeroMQ over tcp", open: () => served(endpointOf(tinySource()), "tcp://127.0.0.1:*") });

const folder = temporaryFolder();
let opened = 0;
endpointContract({ ...tiny, name: "ZeroMQ over ipc", open: () => served(endpointOf(tinySource()), `ipc://${folder}/${opened++}.sock`) });

endpointContract({
  name: "an archive behind ZeroMQ",
  open: async () => served(endpointOf(await openArchive(fileURLToPath(new URL("../../fixtures/tiny-octal.h5", import.meta.url)))), "tcp://127.0.0.1:*"),
  bl: 2,
  run: 300001,
  detector: "MPCCD-8B0-2-010",
  signal: "xfel_bl_2_tc_bm_1_pd/charge",
  missing: { detId: "MPCCD-8B0-2-010-3", tag: 384559331 },
  running: null,
});
