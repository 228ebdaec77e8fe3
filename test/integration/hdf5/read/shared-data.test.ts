import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { openArchive } from "../../../../src/hdf5/index.ts";
import { cases } from "../../../support/full.ts";
import { itWithSharedData, sharedData } from "../../../support/optional.ts";

interface Truth {
  readonly run: number;
  readonly beamline: number;
  readonly detector: string;
  readonly tags: number[];
  readonly light_tags: number[];
  readonly image_shape: [number, number];
  readonly bm_1_in_coulomb: number[];
  readonly photon_energy_ev: number[];
  readonly sensors: {
    id: string;
    absgain: number;
    pos_um: [number, number, number];
    rotation_deg: number;
    sum_by_tag: Record<string, number>;
  }[];
}

const files: readonly [name: string, step: number][] = [
  ["206178", 2],
  ["651251", 1],
];
for (const [name, step] of cases(files, 1)) {
  itWithSharedData(`${name}.h5 agrees with numpy in every image, signal and position`, async () => {
    const truth = JSON.parse(readFileSync(join(sharedData, `${name}.truth.json`), "utf8")) as Truth;
    const { run, beamline: bl } = truth;
    const [ysize, xsize] = truth.image_shape;
    const archive = await openArchive(join(sharedData, `${name}.h5`));
    expect([archive.beamlines(), archive.runs(bl, 9)]).toEqual([[bl], [run]]);
    const tags = await archive.tags(bl, run);
    expect([...tags]).toEqual(truth.tags);
    const info = await archive.runInfo(bl, run);
    expect(info).toMatchObject({
      comment: "powder, rings and six spots",
      start_tagnumber: tags[0],
      total_tagnumber: truth.tags.length * step,
    });
    expect(info.stoptime - info.starttime).toBeCloseTo(info.total_tagnumber / 60, 4);
    expect(await archive.photonEnergyKev(bl, run)).toBe(10);
    expect(await archive.detectors(bl, run)).toEqual([truth.detector, ...truth.sensors.map(({ id }) => id)]);

    const column = async (id: string) => await archive.column(id, info.hightagnumber, tags);
    expect(await column(`xfel_bl_${bl}_tc_bm_1_pd/charge`)).toMatchObject({
      unit: "C",
      values: Float64Array.from(truth.bm_1_in_coulomb),
    });
    expect(await column(`bl_${bl}/oh_2/photon_energy_in_eV`)).toMatchObject({
      unit: "eV",
      values: Float64Array.from(truth.photon_energy_ev),
    });
    const open = truth.tags.map((tag) => (truth.light_tags.includes(tag) ? 1 : 0));
    expect(await column(`xfel_bl_${bl}_shutter_1_open_valid/status`)).toMatchObject({
      unit: "",
      values: Float64Array.from(open),
    });

    const image = new Float32Array(ysize * xsize);
    for (const sensor of truth.sensors) {
      const [posXUm, posYUm, posZUm] = sensor.pos_um;
      const geometry = {
        posXUm,
        posYUm,
        posZUm,
        rotationDeg: Math.fround(sensor.rotation_deg),
        pixelSizeXUm: 50,
        pixelSizeYUm: 50,
        manipulatorShiftUm: 0,
      };
      expect(await archive.detectorInfo(bl, run, sensor.id)).toEqual({
        id: sensor.id,
        xsize,
        ysize,
        absGain: Math.fround(sensor.absgain),
        geometry,
      });
      for (const [tag, expected] of Object.entries(sensor.sum_by_tag)) {
        expect(await archive.readFrame(bl, run, sensor.id, Number(tag), image)).toBe(true);
        let sum = 0;
        for (const value of image) sum += value;
        expect(sum).toBe(expected);
      }
    }
    archive.close();
  });
}
