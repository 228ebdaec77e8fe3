import { join } from "node:path";
import type { DetectorInfo } from "../../src/core/detector.ts";
import { Db } from "../../src/db/index.ts";
import { convert } from "../../src/hdf5/index.ts";
import { endpointOf } from "../../src/source/index.ts";
import { St } from "../../src/st/index.ts";
import { inProcess } from "../../src/transport/index.ts";
import { type TimingImage, timingImages } from "./timing-images.ts";
import { TinySource } from "./tiny-source.ts";

export const TIMING_RUN = 10;
export const TIMING_FIRST_TAG = 1000;
export const timingCamera = "OPAL-234363";
const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
export const timingStage = "xfel_bl_3_st_1_motor_73/position";
const FS_PER_PIXEL = 2.6;
const FS_PER_PULSE = 6.671;

/** The pictures of {@link timingImages} as a run of beamline 3 of two tags each, with BM1 and the timing stage. */
class TimingSource extends TinySource {
  readonly images: readonly TimingImage[];

  constructor(images: readonly TimingImage[], pulseAt: (i: number) => number) {
    const detectors = [timingCamera];
    super({ 3: [{ run: TIMING_RUN, start: TIMING_FIRST_TAG, images: images.length, detectors }] });
    this.images = images;
    const at = (tag: number): number => (tag - TIMING_FIRST_TAG) / 2;
    this.setSignal(bm1, "C", (tag) => (images[at(tag)]?.xrays === true ? 5e-9 : 1e-12));
    this.setSignal(timingStage, "pulse", (tag) => pulseAt(at(tag)));
  }

  override detectorInfo(_bl: number, _run: number, detId: string): DetectorInfo {
    const [ysize = 0, xsize = 0] = this.images[0]?.image.shape ?? [];
    return { id: detId, xsize, ysize, absGain: null, geometry: null };
  }

  override readFrame(_bl: number, _run: number, _detId: string, tag: number, out: Float32Array): boolean {
    const image = this.images[(tag - TIMING_FIRST_TAG) / 2];
    if (image === undefined) return false;
    out.set(image.image.data as Uint16Array);
    return true;
  }
}

/** Writes such a run, its stage scanned up and down again, as an HDF5 file. */
export async function timingRunFile(folder: string): Promise<{ path: string; images: readonly TimingImage[] }> {
  const shots = 110;
  // Up and down over 11 positions, five shots at each.
  const pulseAt = (i: number): number => 11_950 + 10 * Math.floor(Math.min(i, shots - 1 - i) / 5);
  const shiftPx = (i: number): number => (-FS_PER_PULSE * (pulseAt(i) - 12_000)) / FS_PER_PIXEL;
  const images = timingImages({ seed: 12, shots, depth: [0.2, 0.3], jitterPx: 10, secondShare: 0, shiftPx });
  const endpoint = inProcess(endpointOf(new TimingSource(images, pulseAt)));
  const path = join(folder, "timing.h5");
  await convert(
    { db: new Db(endpoint), st: new St(endpoint) },
    { bl: 3, run: TIMING_RUN, pixels: "uint16", signals: [bm1, timingStage] },
    path,
  );
  return { path, images };
}
