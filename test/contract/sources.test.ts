import { fileURLToPath } from "node:url";
import { openArchiveFolder } from "../../src/hdf5/index.ts";
import { endpointOf } from "../../src/source/source-endpoint.ts";
import { inProcess } from "../../src/transport/in-process.ts";
import { archive, archiveSource, simulated, simulatedSource, tiny } from "../support/subjects.ts";
import { tinySource } from "../support/tiny-source.ts";
import { endpointContract } from "./endpoint-contract.ts";

endpointContract({ ...tiny, name: "a source held in memory", open: async () => inProcess(endpointOf(tinySource())) });

endpointContract({
  ...archive,
  name: "an archive in the DataConvert layout",
  open: async () => inProcess(endpointOf(await archiveSource())),
});

const fixtures = fileURLToPath(new URL("../../fixtures", import.meta.url));
endpointContract({
  ...archive,
  name: "a folder of archives",
  open: async () => inProcess(endpointOf(await openArchiveFolder(fixtures))),
});

endpointContract({
  ...simulated,
  name: "the simulated facility",
  open: async () => inProcess(endpointOf(simulatedSource())),
});
