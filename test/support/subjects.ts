/**
 * The sources that the Endpoint contract is run over, bare, served or wrapped, each with what the contract must know of
 * it.
 */
import { fileURLToPath } from "node:url";
import { createSimulatedFacility, VirtualClock } from "../../src/facility/index.ts";
import { openArchive } from "../../src/hdf5/index.ts";
import type { DataSource } from "../../src/source/data-source.ts";
import type { Subject } from "../contract/endpoint-contract.ts";

type Content = Omit<Subject, "name" | "open">;

/** What is in `tinySource()`. */
export const tiny: Content = {
  bl: 3,
  run: 10,
  detector: "MPCCD-2N0-1-006",
  signal: "xfel_bl_3_tc_bm_1_pd/charge",
  missing: { detId: "MPCCD-2N0-1-006-2", tag: 1006 },
  running: { run: 12, detId: "OPAL-234363" },
};

/** What is in {@link archiveSource}. */
export const archive: Content = {
  bl: 2,
  run: 300001,
  detector: "MPCCD-8B0-2-010",
  signal: "xfel_bl_2_tc_bm_1_pd/charge",
  missing: { detId: "MPCCD-8B0-2-010-3", tag: 384559331 },
  running: null,
};

/** The fixture in the DataConvert layout. */
export async function archiveSource(): Promise<DataSource> {
  return await openArchive(fileURLToPath(new URL("../../fixtures/tiny-octal.h5", import.meta.url)));
}

/** What is in {@link simulatedSource}. */
export const simulated: Content = {
  bl: 2,
  run: 229000,
  detector: "MPCCD-8B0-2-008",
  signal: "xfel_bl_2_st_3_bm_1_pd/charge",
  missing: { detId: "MPCCD-8B0-2-008-2", tag: 160697455 },
  running: { run: 229001, detId: "MPCCD-8B0-2-008-1" },
};

/** A simulated facility whose first live run of beamline 2 has begun. */
export function simulatedSource(): DataSource {
  const clock = new VirtualClock();
  const facility = createSimulatedFacility({ clock, missingRate: 0.05, seed: 2 });
  clock.advance(8);
  return facility;
}
