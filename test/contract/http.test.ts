import { endpointOf } from "../../src/source/source-endpoint.ts";
import { inProcess } from "../../src/transport/in-process.ts";
import { overHttp } from "../support/served.ts";
import { simulated, simulatedSource, tiny } from "../support/subjects.ts";
import { tinySource } from "../support/tiny-source.ts";
import { endpointContract } from "./endpoint-contract.ts";

endpointContract({ ...tiny, name: "HTTP, to a source held in memory", open: () => overHttp(endpointOf(tinySource())) });

endpointContract({
  ...simulated,
  name: "HTTP, to the simulated facility",
  open: () => overHttp(inProcess(endpointOf(simulatedSource()))),
});
