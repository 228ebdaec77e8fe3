import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DetectorInfo } from "../../../src/core/detector.ts";
import { badPixels, parseCrystfelGeom, pixelPositions, toCrystfelGeom, usable } from "../../../src/ip/index.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { octal, sensor } from "./octal.ts";

const beam = { photonEnergyEv: 10_000, cameraLengthMm: 52.5 };
const python = pythonWith("numpy", "cfelpyutils");
const folder = temporaryFolder();

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
      "mask_good = 0x00",
      "mask_bad = 0xff",
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
    expect(text).toContain("\ndata = /%/data\nmask = /metadata/pixelmask\n");
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
      expect(parseCrystfelGeom(text)).toEqual({ sensors: infos, badRegions: [], ...beam });
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
    ["mirrored", "-1.0x +0.0y", /mirrored/],
    ["sheared", "+1.0x -0.001y", /sheared/],
    ["leaning", "+1.0x -0.0y +0.1z", /leans/],
  ])("refuses a %s panel", (_, ss, message) => {
    expect(() => parseCrystfelGeom(panel("", ss))).toThrow(
      expect.objectContaining({ code: "BAD_GEOMETRY", message: expect.stringMatching(message) }),
    );
  });
});
