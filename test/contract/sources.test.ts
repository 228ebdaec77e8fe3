import { fileURLToPath } from "node:url";
import { openArchive } from "../../src/hdf5/index.ts";
import { inProcess } from "../../src/transport/in-process.ts";
import { endpointOf } from "../../src/transport/source.ts";
import { tinySource } from "../support/tiny-source.ts";
import { endpointContract } from "./endpoint-contract.ts";

endpointContract({
  name: "a source held in memory",
  open: async () => inProcess(endpointOf(tinySource())),
  bl: 3,
  run: 10,
  detector: "MPCCD-2N0-1-006",
  signal: "xfel_bl_3_tc_bm_1_pd/charge",
  missing: { detId: "MPCCD-2N0-1-006-2", tag: 1006 },
  running: { run: 12, detId: "OPAL-234363" },
});

endpointContract({
  name: "an archive in the DataConvert layout",
  open: async () => inProcess(endpointOf(await openArchive(fileURLToPath(new URL("../../fixtures/tiny-octal.h5", import.meta.url))))),
  bl: 2,
  run: 300001,
  detector: "MPCCD-8B0-2-010",
  signal: "xfel_bl_2_tc_bm_1_pd/charge",
  missing: { detId: "MPCCD-8B0-2-010-3", tag: 384559331 },
  running: null,
});
