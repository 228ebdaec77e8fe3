import { fileURLToPath } from "node:url";
import { createSimulatedFacility, VirtualClock } from "../../src/facility/index.ts";
import { openArchive, openArchiveFolder } from "../../src/hdf5/index.ts";
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

endpointContract({
  name: "a folder of archives",
  open: async () => inProcess(endpointOf(await openArchiveFolder(fileURLToPath(new URL("../../fixtures", import.meta.url))))),
  bl: 2,
  run: 300001,
  detector: "MPCCD-8B0-2-010",
  signal: "xfel_bl_2_tc_bm_1_pd/charge",
  missing: { detId: "MPCCD-8B0-2-010-3", tag: 384559331 },
  running: null,
});

endpointContract({
  name: "the simulated facility",
  open: async () => {
    const clock = new VirtualClock();
    const facility = createSimulatedFacility({ clock, missingRate: 0.05, seed: 2 });
    // The first live run of beamline 2 has begun by then.
    clock.advance(8);
    return inProcess(endpointOf(facility));
  },
  bl: 2,
  run: 229000,
  detector: "MPCCD-8B0-2-008",
  signal: "xfel_bl_2_st_3_bm_1_pd/charge",
  missing: { detId: "MPCCD-8B0-2-008-2", tag: 160697455 },
  running: { run: 229001, detId: "MPCCD-8B0-2-008-1" },
});
