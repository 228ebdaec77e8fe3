import { endpointOf } from "../../src/source/source-endpoint.ts";
import { inProcess } from "../../src/transport/in-process.ts";
import { withCache } from "../../src/transport/wrappers/with-cache.ts";
import { withFaults } from "../../src/transport/wrappers/with-faults.ts";
import { withRetry } from "../../src/transport/wrappers/with-retry.ts";
import { tiny } from "../support/subjects.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { tinySource } from "../support/tiny-source.ts";
import { endpointContract } from "./endpoint-contract.ts";

const folder = temporaryFolder();

endpointContract({
  ...tiny,
  name: "a bad connection, asked again",
  open: async () => {
    const faults = { seed: 3, delay: 0.2, delayMs: 3, loss: 0.03, duplicate: 0.1, reorder: 0.1, disconnect: 0.1 };
    const rough = withFaults(inProcess(endpointOf(tinySource())), faults);
    return withRetry(rough, { attempts: 50, firstWaitMs: 1, longestWaitMs: 5, attemptMs: 300, seed: 1 });
  },
});

// Twice over the same folder: with answers not kept yet, and kept.
for (const name of ["an empty cache", "a full cache"]) {
  endpointContract({
    ...tiny,
    name,
    open: async () => await withCache(inProcess(endpointOf(tinySource())), { folder, maxBytes: 1e7, url: "tiny:" }),
  });
}
