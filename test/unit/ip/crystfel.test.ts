import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DetectorInfo } from "../../../src/core/detector.ts";
import {
  badPixels,
  type CrystfelPanel,
  parseCrystfelGeom,
  pixelPositions,
  toCrystfelGeom,
  updateCrystfelGeom,
  usable,
} from "../../../src/ip/index.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { octal, sensor } from "./octal.ts";

const beam = { photonEnergyEv: 10_000, cameraLengthMm: 52.5 };
const python = pythonWith("numpy", "cfelpyutils.geometry");
const folder = temporaryFolder();
const stackedAt = (name: string, firstRow: number): CrystfelPanel => ({
  name,
  firstRow,
  firstColumn: 0,
  isMirrored: false,
  unitUm: 50,
  lean: [0, 0],
  dataPath: null,
  maskPath: null,
});

describe("toCrystfelGeom", () => {
  it("writes a sensor by hand calculation: x to the left, y up", () => {
    const info = sensor("q1", {
      xsize: 512,
      ysize: 1024,
      posXUm: -1755,
      posYUm: 51711,
      posZUm: 2000,
      rotationDeg: 90,
      absGain: 20,
    });
    expect(toCrystfelGeom([info], beam).split("\n").slice(2)).toEqual([
      "photon_energy = 10000",
      "clen = 0.0525",
      "",
      "rigid_group_q1 = q1",
      "rigid_group_collection_independent = q1",
      "rigid_group_collection_connected = q1",
      "",
      "q1/min_fs = 0",
      "q1/max_fs = 511",
      "q1/min_ss = 0",
      "q1/max_ss = 1023",
      "q1/res = 20000",
      "q1/fs = +0.000000000000x +1.000000000000y",
      "q1/ss = -1.000000000000x +0.000000000000y",
      "q1/corner_x = 35.100000000",
      "q1/corner_y = 1034.220000000",
      "q1/coffset = -0.002000000000",
      "q1/adu_per_eV = 0.0136986301369863 ; 136.986 ADU per photon",
      "",
    ]);
  });

  it("stacks sensors, names the data, and turns masks into bad regions that cover exactly the masked pixels", () => {
    const infos = ["MPCCD-8B0-2-003-2", "MPCCD-8B0-2-003-3"].map((id) => sensor(id));
    const masks = infos.map(({ id }) => usable(badPixels(id, 2, 80_000, [1024, 512])));
    const text = toCrystfelGeom(infos, { ...beam, masks, dataPath: "/%/data", maskPath: "/metadata/pixelmask" });
    expect(text).toContain("\ndata = /%/data\nmask = /metadata/pixelmask\nmask_good = 0x00\nmask_bad = 0xff\n");
    expect(text).toContain("MPCCD-8B0-2-003-3/min_ss = 1024\nMPCCD-8B0-2-003-3/max_ss = 2047\n");
    const { badRegions } = parseCrystfelGeom(text);
    const back = infos.map(() => new Uint8Array(1024 * 512).fill(1));
    for (const region of badRegions) {
      if (!("roi" in region)) throw new Error("only fs/ss regions are written");
      const use = back[infos.findIndex(({ id }) => id === region.sensor)];
      for (let r = region.roi.rows[0]; r < region.roi.rows[1]; r++)
        use?.fill(0, r * 512 + region.roi.columns[0], r * 512 + region.roi.columns[1]);
    }
    expect(back.map((use) => Buffer.from(use).equals(Buffer.from(masks[back.indexOf(use)]?.data ?? [])))).toEqual([
      true,
      true,
    ]);
    expect(badRegions.length).toBeLessThan(12);
  });

  it.each([
    ["no sensor", () => toCrystfelGeom([], beam), "BAD_ARGUMENT"],
    ["other widths", () => toCrystfelGeom([sensor("a"), sensor("b", { xsize: 256 })], beam), "BAD_ARGUMENT"],
    ["an id CrystFEL would take for a bad region", () => toCrystfelGeom([sensor("bad1")], beam), "BAD_ARGUMENT"],
    ["an id with a slash", () => toCrystfelGeom([sensor("a/b")], beam), "BAD_ARGUMENT"],
    ["an id twice", () => toCrystfelGeom([sensor("a"), sensor("a")], beam), "BAD_ARGUMENT"],
    ["no energy", () => toCrystfelGeom([sensor("a")], { ...beam, photonEnergyEv: 0 }), "BAD_ARGUMENT"],
    ["a path with a comment in it", () => toCrystfelGeom([sensor("a")], { ...beam, dataPath: "/a;b" }), "BAD_ARGUMENT"],
    ["a gain of 0", () => toCrystfelGeom([sensor("a", { absGain: 0 })], beam), "BAD_ARGUMENT"],
    ["NaN geometry", () => toCrystfelGeom([sensor("a", { posYUm: NaN })], beam), "BAD_GEOMETRY"],
    ["open halves", () => toCrystfelGeom([sensor("a", { manipulatorShiftUm: 3 })], beam), "BAD_GEOMETRY"],
  ])("refuses %s", (_, work, code) => {
    expect(work).toThrow(expect.objectContaining({ code }));
  });
});

describe("round trip", () => {
  it("gives the octal back to the last digit, in both spellings of its angles", () => {
    const second = octal.map((info) => ({
      ...info,
      geometry: info.geometry === null ? null : { ...info.geometry, rotationDeg: -90.075, posXUm: -1599.23 },
    }));
    for (const infos of [octal, second]) {
      const text = toCrystfelGeom(infos, beam);
      expect(parseCrystfelGeom(text)).toEqual({
        sensors: infos,
        panels: infos.map(({ id }, i) => ({ ...stackedAt(id, 1024 * i) })),
        badRegions: [],
        ...beam,
        photonEnergyPath: null,
        cameraLengthPath: null,
        notes: [],
      });
      expect(toCrystfelGeom(parseCrystfelGeom(text).sensors, beam)).toBe(text);
    }
  });

  it("is exact for any sensor given to 10⁻⁴ degrees, 10⁻³ µm and 10⁻⁴ e⁻/ADU", () => {
    const thousandth = (limit: number): fc.Arbitrary<number> =>
      fc.integer({ min: -limit * 1000, max: limit * 1000 }).map((n) => n / 1000 + 0);
    const anySensor = fc.record({
      posXUm: thousandth(200_000),
      posYUm: thousandth(200_000),
      posZUm: thousandth(20_000),
      rotationDeg: fc.integer({ min: -1_799_999, max: 1_800_000 }).map((n) => n / 10_000 + 0),
      pixelSizeXUm: fc.constantFrom(50, 72.6, 100, 12.345),
      pixelSizeYUm: fc.constantFrom(50, 72.6, 100),
      ysize: fc.integer({ min: 1, max: 2000 }),
      absGain: fc.option(fc.integer({ min: 1, max: 500_000 }).map((n) => n / 10_000)),
    });
    fc.assert(
      fc.property(fc.array(anySensor, { minLength: 1, maxLength: 4 }), (fields) => {
        const infos = fields.map((f, i) => sensor(`q${i}`, f));
        const text = toCrystfelGeom(infos, beam);
        const back = parseCrystfelGeom(text);
        expect(back.sensors).toEqual(infos);
        expect(toCrystfelGeom(back.sensors, beam)).toBe(text);
      }),
    );
  });

  it("keeps any numbers at all to the printed digits", () => {
    const um = fc.double({ min: -2e5, max: 2e5, noNaN: true });
    fc.assert(
      fc.property(
        um,
        um,
        fc.double({ min: -179.999, max: 180, noNaN: true }),
        fc.double({ min: 1, max: 500, noNaN: true }),
        (posXUm, posYUm, rotationDeg, pixelSizeXUm) => {
          const info = sensor("a", { posXUm, posYUm, rotationDeg, pixelSizeXUm, pixelSizeYUm: pixelSizeXUm });
          const [back] = parseCrystfelGeom(toCrystfelGeom([info], beam)).sensors;
          expect(Math.abs((back?.geometry?.posXUm ?? NaN) - posXUm)).toBeLessThan(2e-6);
          expect(Math.abs((back?.geometry?.posYUm ?? NaN) - posYUm)).toBeLessThan(2e-6);
          expect(Math.abs((back?.geometry?.rotationDeg ?? NaN) - rotationDeg)).toBeLessThan(1e-8);
        },
      ),
    );
  });
});

describe("against cfelpyutils", () => {
  const infos: DetectorInfo[] = octal.map((info, i) => ({
    ...info,
    ...(info.geometry === null ? {} : { geometry: { ...info.geometry, posZUm: 100 * i } }),
  }));
  const script = `
import sys, numpy
from cfelpyutils.geometry import load_crystfel_geometry, compute_pix_maps
geometry = load_crystfel_geometry(sys.argv[1])
maps = compute_pix_maps(geometry.detector)
d = geometry.detector
print([[p, d["panels"][p]["adu_per_eV"], d["panels"][p]["coffset"], d["panels"][p]["clen"], d["panels"][p]["res"]] for p in d["panels"]], len(d["bad"]), geometry.beam["photon_energy"], file=sys.stderr)
bad = numpy.zeros(maps.x.shape)
for b in d["bad"].values():
    bad[b["min_ss"]:b["max_ss"] + 1, b["min_fs"]:b["max_fs"] + 1] = 1
for a in (maps.x, maps.y, bad):
    sys.stdout.buffer.write(a.astype("<f4").tobytes())
`;

  itNeeding(
    python !== undefined,
    "no Python with numpy and cfelpyutils; set SACLA_TEST_PYTHON",
    "every pixel of the octal lies where ours does, x flipped, and the same pixels are bad",
    () => {
      const masks = infos.map(({ ysize, xsize }, i) =>
        Uint8Array.from({ length: ysize * xsize }, (_, k) => (k % 512 < i || (k * (i + 1)) % 99991 === 7 ? 0 : 1)),
      );
      const file = join(folder, "octal.geom");
      writeFileSync(file, toCrystfelGeom(infos, { ...beam, masks }));
      const answer = execFileSync(python ?? "", ["-c", script, file], {
        maxBuffer: 1 << 28,
        stdio: ["ignore", "pipe", "ignore"],
      });
      const values = new Float32Array(answer.buffer.slice(answer.byteOffset, answer.byteOffset + answer.byteLength));
      const n = 8 * 1024 * 512;
      expect(values.length).toBe(3 * n);
      let worst = 0;
      let differences = 0;
      for (const [i, info] of infos.entries()) {
        const { x, y } = pixelPositions(info);
        const angle = ((info.geometry?.rotationDeg ?? NaN) * Math.PI) / 180;
        // Its maps hold the pixels' corners, ours their centres.
        const [halfX, halfY] = [(Math.cos(angle) + Math.sin(angle)) / 2, (Math.sin(angle) - Math.cos(angle)) / 2];
        for (let k = 0; k < 1024 * 512; k++) {
          const at = i * 1024 * 512 + k;
          worst = Math.max(
            worst,
            Math.abs(-(values[at] ?? NaN) + halfX - (x.data[k] ?? NaN) / 50),
            Math.abs((values[n + at] ?? NaN) + halfY - (y.data[k] ?? NaN) / 50),
          );
          if (values[2 * n + at] === masks[i]?.[k]) differences++;
        }
      }
      expect(worst).toBeLessThan(1e-3);
      expect(differences).toBe(0);
    },
  );
});

describe("parseCrystfelGeom", () => {
  const panel = (extra = "", ss = "+1.0x -0.0y"): string =>
    `p/min_fs = 0\np/max_fs = 3\np/min_ss = 0\np/max_ss = 7\np/res = 20000\np/fs = 0x -1y\np/ss = ${ss}\np/corner_x = 10\np/corner_y = -20\n${extra}`;

  it("reads defaults, comments, units, shifts and free-form vectors as CrystFEL does", () => {
    const text = `; a comment
photon_energy = 9.5 keV ; keV
clen = 60 mm
res = 10000
adu_per_photon = 2
detector_shift_x = 1 mm
rigid_group_all = q0,q1
q0/min_fs = 0
q0/max_fs = 3
q0/min_ss = 8
q0/max_ss = 15
q0/fs=-y
q0/ss = 1.0e0x-.0y +0.0001z
q0/corner_x = 10
q0/corner_y = -20
res = 20000
q1/max_ss = 7
q1/min_ss = 0
q1/min_fs = 4
q1/max_fs = 5
q1/fs = -1.0x + 0.0y
q1/ss = -0.0x - 1.0y
q1/corner_x = 0
q1/corner_y = 0
q1/no_index = true
badA/min_x = -20.0
badA/max_x = +20.0
badA/min_y = -10
badA/max_y = 10
badB/min_fs = 1
badB/max_fs = 1
badB/min_ss = 8
badB/max_ss = 9
badB/panel = q0
`.replaceAll("\n", "\r\n");
    const { sensors, badRegions, photonEnergyEv, cameraLengthMm } = parseCrystfelGeom(text);
    expect([photonEnergyEv, cameraLengthMm]).toEqual([9500, 60]);
    const absGain = Number((9500 / 3.65 / 2).toFixed(9));
    expect(sensors).toEqual([
      sensor("q0", {
        xsize: 4,
        ysize: 8,
        posXUm: -2000,
        posYUm: -2000,
        rotationDeg: -90,
        pixelSizeXUm: 100,
        pixelSizeYUm: 100,
        absGain,
      }),
      sensor("q1", { xsize: 2, ysize: 8, posXUm: -1000, posYUm: 0, rotationDeg: 0, absGain }),
    ]);
    expect(badRegions).toEqual([
      { name: "q1/no_index", sensor: "q1", roi: { rows: [0, 8], columns: [0, 2] } },
      { name: "badA", minX: -20, maxX: 20, minY: -10, maxY: 10 },
      { name: "badB", sensor: "q0", roi: { rows: [0, 2], columns: [1, 2] } },
    ]);
  });

  it("gives null for an energy or distance that the data file holds, and reads wavelengths", () => {
    expect(
      parseCrystfelGeom(`photon_energy = /%/photon_energy_ev\nclen = /LCLS/detector_1/EncoderValue\n${panel()}`),
    ).toMatchObject({
      photonEnergyEv: null,
      cameraLengthMm: null,
    });
    expect(parseCrystfelGeom(`wavelength = 1.0 A\n${panel()}`).photonEnergyEv).toBeCloseTo(12398.42, 2);
    expect(parseCrystfelGeom(panel()).photonEnergyEv).toBeNull();
  });

  it.each([
    ["nothing", "", 1, /no panel/],
    ["a line that is none", `${panel()}hello`, 10, /"hello" is not of the form/],
    ["a value left out", `${panel()}p/res =`, 10, /is not of the form/],
    ["a word for a number", panel("p/corner_x = ten"), 10, /corner_x of p is "ten"/],
    ["a direction that is none", panel("p/fs = 1.0x + 2.0w"), 10, /fs of p.*1.0x \+ 2.0w/],
    ["a direction of digits", panel("p/fs = 1.0.0x"), 10, /fs of p/],
    ["a direction of no length", panel("p/fs = 0x +0y"), 10, /no direction/],
    ["a panel without corner", panel().replace("p/corner_y = -20\n", ""), 1, /p begins here, but has no corner_y/],
    ["a panel inside out", panel("p/max_fs = -1"), 10, /max_fs of p is -1/],
    ["half a pixel", panel("p/max_ss = 7.5"), 10, /max_ss of p is 7.5.*whole/],
    ["no resolution", panel("p/res = 0"), 10, /res of p is 0/],
    ["an unknown unit", `clen = 5 furlong\n${panel()}`, 1, /5 furlong.*m, mm/],
    [
      "a bad region of no panel",
      `${panel()}badx/min_fs = 0\nbadx/max_fs = 1\nbadx/min_ss = 0\nbadx/max_ss = 1\nbadx/panel = q`,
      14,
      /panel "q", which is not/,
    ],
    [
      "a bad region outside its panel",
      `${panel()}badx/min_fs = 0\nbadx/max_fs = 4\nbadx/min_ss = 0\nbadx/max_ss = 1\nbadx/panel = p`,
      10,
      /fs 0…4.*0…3/,
    ],
    ["a bad region without a range", `${panel()}badx/panel = p`, 10, /badx begins here, but has no min_fs/],
    ["a bad region of two kinds", `${panel()}badx/min_x = 0\nbadx/min_fs = 1`, 11, /mixes/],
  ])("refuses %s and names the line", (_, text, line, message) => {
    expect(() => parseCrystfelGeom(text)).toThrow(
      expect.objectContaining({ code: "BAD_TEXT", message: expect.stringMatching(message), details: { line } }),
    );
    expect(() => parseCrystfelGeom(text)).toThrow(`Line ${line} `);
  });

  it.each([
    ["sheared", "+1.0x -0.01y", /sheared/],
    ["mirrored and sheared", "-1.0x -0.01y", /sheared/],
    ["leaning", "+1.0x -0.0y +0.1z", /leans/],
  ])("refuses a %s panel", (_, ss, message) => {
    expect(() => parseCrystfelGeom(panel("", ss))).toThrow(
      expect.objectContaining({ code: "BAD_GEOMETRY", message: expect.stringMatching(message) }),
    );
  });
});

/** A detector as other facilities write it, one odd feature a test; all numbers are made up. */
const foreign = `; two modules of a detector that leans, mirrored, with shifts and places in the data file
photon_energy = /instrument/photon_energy keV
clen = /instrument/distance mm
detector_shift_x = /instrument/shift_x mm
detector_shift_y = 0.5 mm
adu_per_photon = 1
res = 13333.3
data = /entry/data/data
dim0 = %
dim1 = ss
dim2 = fs
mask0_file = bad.h5
mask0_data = /mask
mask0_goodbits = 0x0
mask0_badbits = 0xffff
rigid_group_all =
m0/min_fs = 0
m0/max_fs = 99
m0/min_ss = 50
m0/max_ss = 99
m0/corner_x = -120.5 ; by hand
m0/corner_y = 30
m0/fs = +0.999950x -0.010000y
m0/ss = -0.010000x -0.999950y -0.004000z
m1 / min_fs = 100
m1/max_fs = 199
m1/min_ss = 0.0
m1/max_ss = 49
m1/corner_x = 10
m1/corner_y = -30
m1/fs = x
m1/ss = 0.0005x +y
m1/coffset = 0.001
bad_last/panel = m0
bad_last/min_fs = 0
bad_last/max_fs = 99
bad_last/min_ss = 98
bad_last/max_ss = 99
bad_gone/min_x = 5
bad_gone/max_x = -5
bad_gone/min_y = 0
bad_gone/max_y = 1
group_all = m0,m1
`;

describe("files of other detectors", () => {
  const at = (text: string, name: string, row: number, column: number): readonly number[] => {
    const { sensors, panels } = parseCrystfelGeom(text);
    const i = panels.findIndex((p) => p.name === name);
    const info = sensors[i];
    if (info === undefined) throw new Error(name);
    const { x, y } = pixelPositions(info);
    const r = panels[i]?.isMirrored === true ? info.ysize - 1 - row : row;
    return [-x.get(r, column) / (1e6 / 13333.3), y.get(r, column) / (1e6 / 13333.3)];
  };

  it("are read: mirrored and leaning panels, places in the data file, shifts, regions without pixels", () => {
    const { sensors, panels, badRegions, notes, ...rest } = parseCrystfelGeom(foreign);
    expect(rest).toEqual({
      photonEnergyEv: null,
      photonEnergyPath: "/instrument/photon_energy",
      cameraLengthMm: null,
      cameraLengthPath: "/instrument/distance",
    });
    expect(panels).toEqual([
      {
        name: "m0",
        firstRow: 50,
        firstColumn: 0,
        isMirrored: true,
        unitUm: 1e6 / 13_333.3,
        lean: [0, -0.004],
        dataPath: "/entry/data/data",
        dims: ["%", "ss", "fs"],
        maskPath: "/mask",
      },
      {
        name: "m1",
        firstRow: 0,
        firstColumn: 100,
        isMirrored: false,
        unitUm: 1e6 / 13_333.3,
        lean: [0, 0],
        dataPath: "/entry/data/data",
        dims: ["%", "ss", "fs"],
        maskPath: "/mask",
      },
    ]);
    expect(sensors.map(({ xsize, ysize }) => [xsize, ysize])).toEqual([
      [100, 50],
      [100, 50],
    ]);
    expect(sensors[1]?.geometry?.posZUm).toBe(-1000);
    // The last two rows of the panel are the first two of the sensor, whose image has its rows in reverse order.
    expect(badRegions).toEqual([{ name: "bad_last", sensor: "m0", roi: { rows: [0, 2], columns: [0, 100] } }]);
    expect(notes).toEqual([
      expect.stringMatching(/^Line 4: detector_shift_x is at \/instrument\/shift_x/),
      expect.stringMatching(/^Line 24: panel m0 leans out of the plane by 0.2 pixels/),
      expect.stringMatching(/^Line \d+: bad region bad_gone has no pixels/),
    ]);
  });

  it("every pixel lies where CrystFEL puts it: corner + (fs + ½)·fs vector + (ss + ½)·ss vector + shift", () => {
    const shift = 0.5e-3 * 13333.3;
    const [row, column] = [7, 31];
    const [x, y] = at(foreign, "m0", row, column);
    expect(x).toBeCloseTo(-120.5 + (column + 0.5) * 0.99995 - (row + 0.5) * 0.01, 6);
    expect(y).toBeCloseTo(30 - (column + 0.5) * 0.01 - (row + 0.5) * 0.99995 + shift, 6);
    // Sheared by 0.0005: off by at most half of it over a hundred pixels.
    const [x1 = NaN, y1 = NaN] = at(foreign, "m1", 49, 99);
    expect(Math.abs(x1 - (10 + 99.5 + 49.5 * 0.0005))).toBeLessThan(0.03);
    expect(Math.abs(y1 - (-30 + 49.5 + shift))).toBeLessThan(0.03);
  });

  it("a bad region needs no panel where there is one, and a range it lacks is 0", () => {
    const [one = ""] = foreign.split("m1 /");
    const text = `${one}bad_v/min_fs = 3\nbad_v/max_fs = 4\nbad_v/min_ss = 50\nbad_v/max_ss = 51\n`;
    expect(parseCrystfelGeom(text).badRegions).toEqual([
      { name: "bad_v", sensor: "m0", roi: { rows: [48, 50], columns: [3, 5] } },
    ]);
    expect(() => parseCrystfelGeom(`${text}bad_w/max_fs = 9\n`)).toThrow(/bad_w has ss 0…0, but panel m0 has 50…99/);
  });

  it("are written back with the panels moved and every other line as it was", () => {
    const { sensors } = parseCrystfelGeom(foreign);
    expect(updateCrystfelGeom(foreign, sensors)).toBe(foreign);
    const moved = sensors.map((info) =>
      info.geometry === null ? info : { ...info, geometry: { ...info.geometry, posXUm: info.geometry.posXUm - 75 } },
    );
    const text = updateCrystfelGeom(foreign, moved);
    const kept = (line: string): boolean => !/^m\d\/(corner|fs|ss|coffset)/.test(line);
    expect(text.split("\n").filter(kept).join("\n").trim()).toBe(foreign.split("\n").filter(kept).join("\n").trim());
    expect(text).toMatch(/^m0\/corner_x = -119\.5000\d* ; by hand$/m);
    expect(text).toMatch(/^m0\/ss = .*-0\.004000000000z$/m);
    expect(parseCrystfelGeom(text).panels).toEqual(parseCrystfelGeom(foreign).panels);
    for (const [i, { geometry }] of parseCrystfelGeom(text).sensors.entries()) {
      expect(Math.abs((geometry?.posXUm ?? NaN) - (moved[i]?.geometry?.posXUm ?? NaN))).toBeLessThan(1e-5);
      expect(geometry?.posYUm).toBeCloseTo(moved[i]?.geometry?.posYUm ?? NaN, 5);
      expect(geometry?.rotationDeg).toBeCloseTo(moved[i]?.geometry?.rotationDeg ?? NaN, 6);
    }
    expect(() => updateCrystfelGeom(foreign, [sensor("m9")])).toThrow(/no panel m9; it has .*m0.*m1/);
  });

  it("of electrons have no photon energy, and old line ends are read", () => {
    const text = foreign.replace(/photon_energy = .*/, "electron_voltage = 300 kV").replaceAll("\n", "\r");
    expect(parseCrystfelGeom(text)).toMatchObject({ photonEnergyEv: null, photonEnergyPath: null });
  });
});

/**
 * What data_template_new_from_string of libcrystfel 0.12 refuses, in words: a top-level key that it does not know; an
 * `a/b` line of a panel with a key it does not know; mask bits without the place of a mask; no wavelength, no camera
 * length; a panel without extent, corner, fs, ss, res, or either adu_per_eV or adu_per_photon; values without a panel
 * after the last panel; a mask path with more % than the data path; a bad region outside its panel.
 */
function crystfelComplaints(text: string): string[] {
  const perPanel =
    /^(min_fs|max_fs|min_ss|max_ss|corner_x|corner_y|res|fs|ss|coffset|adu_per_eV|adu_per_photon|data|dim\d|mask|mask_good|mask_bad|no_index)$/;
  const top = /^(photon_energy|clen|detector_shift_[xy]|rigid_group.*|group_.*)$/;
  const complaints: string[] = [];
  const defaults = new Map<string, string>();
  const panels = new Map<string, Map<string, string>>();
  const beam = new Map<string, string>();
  let unused = false;
  for (const raw of text.split("\n")) {
    const line = raw.replace(/;.*/, "").trim();
    if (line === "") continue;
    const [left = "", value = ""] = line.split(/\s*=\s*(.*)/s);
    const [name = "", key] = left.split("/");
    if (value === "") complaints.push(`no value: ${line}`);
    if (key === undefined && top.test(name)) beam.set(name, value);
    else if (key === undefined && perPanel.test(name)) {
      defaults.set(name, value);
      unused = true;
    } else if (key === undefined) complaints.push(`unknown: ${line}`);
    else if (name.startsWith("bad")) {
      if (!/^(panel|(min|max)_(fs|ss|x|y))$/.test(key)) complaints.push(`unknown: ${line}`);
    } else {
      if (!panels.has(name)) unused = false;
      const panel = panels.get(name) ?? new Map(defaults);
      panels.set(name, panel.set(key, value));
      if (!perPanel.test(key)) complaints.push(`unknown: ${line}`);
    }
  }
  if (unused) complaints.push("values after the last panel");
  for (const key of ["photon_energy", "clen"]) if (!beam.has(key)) complaints.push(`no ${key}`);
  if (!/^(\/\S+|[\d.]+)( k?eV)?$/.test(beam.get("photon_energy") ?? "")) complaints.push("photon_energy");
  for (const [name, panel] of panels) {
    for (const key of ["min_fs", "max_fs", "min_ss", "max_ss", "corner_x", "corner_y", "res", "fs", "ss"])
      if (!panel.has(key)) complaints.push(`${name} has no ${key}`);
    if (!panel.has("adu_per_eV") && !panel.has("adu_per_photon")) complaints.push(`${name} has no scale`);
    if ((panel.has("mask_good") || panel.has("mask_bad")) && !panel.has("mask")) complaints.push(`${name}: mask bits`);
    const placeholders = (key: string): number => (panel.get(key) ?? "").split("%").length;
    if (placeholders("mask") > placeholders("data")) complaints.push(`${name}: % in mask`);
    for (const key of ["fs", "ss"])
      if (!/^[-+.\dxyz ]+$/.test(panel.get(key) ?? "")) complaints.push(`${name}/${key} = ${panel.get(key)}`);
  }
  return complaints;
}

describe("the rules of libcrystfel 0.12's parser", () => {
  it("hold for what is written, with and without a mask, in ADU and in photons", () => {
    expect(crystfelComplaints(toCrystfelGeom(octal, beam))).toEqual([]);
    const paths = {
      dataPath: "/entry/data/data",
      hasShotAxis: true,
      maskPath: "/entry/instrument/detector/pixel_mask",
      photonEnergyPath: "/entry/instrument/beam/incident_energy",
    };
    const text = toCrystfelGeom(octal, { ...beam, aduPerPhoton: 1, ...paths });
    expect(crystfelComplaints(text)).toEqual([]);
    expect(text).toContain(
      "\nphoton_energy = /entry/instrument/beam/incident_energy ; of each shot; 10000.0 eV on average\n",
    );
    expect(text).toContain("\nadu_per_photon = 1\n");
    expect(text).not.toContain("adu_per_eV");
    expect(text).toContain("\ndim0 = %\ndim1 = ss\ndim2 = fs\n");
    expect(parseCrystfelGeom(text)).toMatchObject({ photonEnergyPath: paths.photonEnergyPath, photonEnergyEv: null });
    // As it was written before: mask bits without a mask.
    expect(crystfelComplaints(text.replace(/^mask = .*$/m, ""))).toContain("MPCCD-8-2-001-1: mask bits");
  });
});
