import { createSimulatedFacility, VirtualClock } from "../../src/facility/index.ts";
import type { Endpoint } from "../../src/transport/endpoint.ts";
import { httpEndpoint } from "../../src/transport/http/client.ts";
import { inProcess } from "../../src/transport/in-process.ts";
import { endpointOf } from "../../src/transport/source.ts";
import { httpServer } from "../support/http.ts";
import { tinySource } from "../support/tiny-source.ts";
import { endpointContract } from "./endpoint-contract.ts";

/** A client whose server ends with it. */
async function overHttp(source: Endpoint): Promise<Endpoint> {
  const server = await httpServer(source);
  const client = httpEndpoint(server.address);
  return {
    call: (method, params, options) => client.call(method, params, options),
    stream: (method, params, options) => client.stream(method, params, options),
    close: async () => {
      await client.close();
      await server.close();
    },
  };
}

endpointContract({
  name: "HTTP, to a source held in memory",
  open: () => overHttp(endpointOf(tinySource())),
  bl: 3,
  run: 10,
  detector: "MPCCD-2N0-1-006",
  signal: "xfel_bl_3_tc_bm_1_pd/charge",
  missing: { detId: "MPCCD-2N0-1-006-2", tag: 1006 },
  running: { run: 12, detId: "OPAL-234363" },
});

endpointContract({
  name: "HTTP, to the simulated facility",
  open: () => {
    const clock = new VirtualClock();
    const facility = createSimulatedFacility({ clock, missingRate: 0.05, seed: 2 });
    // The first live run of beamline 2 has begun by then.
    clock.advance(8);
    return overHttp(inProcess(endpointOf(facility)));
  },
  bl: 2,
  run: 229000,
  detector: "MPCCD-8B0-2-008",
  signal: "xfel_bl_2_st_3_bm_1_pd/charge",
  missing: { detId: "MPCCD-8B0-2-008-2", tag: 160697455 },
  running: { run: 229001, detId: "MPCCD-8B0-2-008-1" },
});
