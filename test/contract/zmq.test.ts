import { endpointOf } from "../../src/source/source-endpoint.ts";
import { overZmq } from "../support/served.ts";
import { archive, archiveSource, tiny } from "../support/subjects.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { tinySource } from "../support/tiny-source.ts";
import { endpointContract } from "./endpoint-contract.ts";

endpointContract({ ...tiny, name: "ZeroMQ over tcp", open: () => overZmq(endpointOf(tinySource())) });

const folder = temporaryFolder();
let opened = 0;
endpointContract({
  ...tiny,
  name: "ZeroMQ over ipc",
  open: () => overZmq(endpointOf(tinySource()), `ipc://${folder}/${opened++}.sock`),
});

endpointContract({
  ...archive,
  name: "an archive behind ZeroMQ",
  open: async () => overZmq(endpointOf(await archiveSource())),
});
