import { join } from "node:path";
import { endpointOf } from "../../src/source/source-endpoint.ts";
import { inProcess } from "../../src/transport/in-process.ts";
import { replayRecording } from "../../src/transport/wrappers/recording.ts";
import { withRecording } from "../../src/transport/wrappers/with-recording.ts";
import { tiny } from "../support/subjects.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { tinySource } from "../support/tiny-source.ts";
import { endpointContract } from "./endpoint-contract.ts";

const folder = temporaryFolder();

// The suite asks its questions twice, in the same order: first of the source, while they are recorded, then of the
// recordings alone. Each time it opens the subject, that is the next file.
let recorded = 0;
endpointContract({
  ...tiny,
  name: "a source that is being recorded",
  open: async () => await withRecording(inProcess(endpointOf(tinySource())), join(folder, `${recorded++}.recording`)),
});

let replayed = 0;
endpointContract({
  ...tiny,
  name: "a recording",
  open: async () => await replayRecording(join(folder, `${replayed++}.recording`)),
});
