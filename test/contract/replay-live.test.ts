import { VirtualClock } from "../../src/facility/index.ts";
import { replayLive } from "../../src/live/index.ts";
import { endpointOf } from "../../src/source/source-endpoint.ts";
import { inProcess } from "../../src/transport/in-process.ts";
import { tiny } from "../support/subjects.ts";
import { tinySource } from "../support/tiny-source.ts";
import { endpointContract } from "./endpoint-contract.ts";

endpointContract({
  ...tiny,
  // Its one run is over.
  running: null,
  name: "a run played as if live, when it is over",
  open: async () => {
    const clock = new VirtualClock();
    const endpoint = await replayLive(inProcess(endpointOf(tinySource())), {
      bl: 3,
      run: 10,
      clock,
      memorySeconds: 1000,
    });
    await endpoint.call("db.readTagnumberNewest", { equipId: "xfel_bl_3_tc_bm_1_pd/charge" });
    clock.advance(100);
    return endpoint;
  },
});
