import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { ringAngles } from "../../../src/ip/calibrants.ts";
import { beamCentre, calibrate, fromBeamCentre, parsePoni, toPoni } from "../../../src/ip/index.ts";
import { labPlaces } from "../../../src/ip/ring-geometry.ts";
import { itInFull } from "../../support/full.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";
import { rings, square } from "../../support/powder-rings.ts";

const python = pythonWith("pyFAI.integrator.azimuthal", "pyFAI.detectors", "numpy");
const photonEnergyEv = 10_000;

describe("ringAngles", () => {
  it("gives the lines of the certificates", () => {
    const degrees = (all: number[]) => all.map((angle) => (angle * 180) / Math.PI);
    // NIST certificates, Cu Kα1 (1.5405929 Å): LaB6 (100), (110), (111), (200), (210); CeO2 (111), (200), (220).
    const copper = 12_398.419843320025 / 1.5405929;
    const lab6 = degrees(ringAngles("LaB6", copper));
    for (const [k, at] of [21.357, 30.384, 37.441, 43.506, 48.957].entries()) expect(lab6[k]).toBeCloseTo(at, 2);
    const ceo2 = degrees(ringAngles("CeO2", copper));
    for (const [k, at] of [28.549, 33.082, 47.481].entries()) expect(ceo2[k]).toBeCloseTo(at, 1);
  });
});

describe("calibrate", () => {
  const geometry = fromBeamCentre({ centreUm: { x: 1500, y: -900 }, distanceMm: 82, rot1Deg: 0.6, rot2Deg: -0.4 });
  const info = square(250);

  it("finds centre, distance and tilt of simulated rings within their errors, from elsewhere", () => {
    const image = rings(info, geometry, photonEnergyEv, 3, new Random(7));
    const found = calibrate(
      { S: image },
      { sensors: [info], calibrant: "LaB6", photonEnergyEv, distanceMm: 79, centreUm: { x: 0, y: 500 } },
    );
    const { centreUm, errors } = found;
    expect(Math.abs(centreUm.x - 1500) / errors.centreXUm).toBeLessThan(4);
    expect(Math.abs(centreUm.y + 900) / errors.centreYUm).toBeLessThan(4);
    expect(Math.abs(found.geometry.distanceMm - 82) / errors.distanceMm).toBeLessThan(4);
    expect(Math.abs((found.geometry.rot1Deg ?? 0) - 0.6) / errors.rot1Deg).toBeLessThan(4);
    expect(Math.abs((found.geometry.rot2Deg ?? 0) + 0.4) / errors.rot2Deg).toBeLessThan(4);
    expect(errors.centreXUm).toBeLessThan(10);
    expect(errors.distanceMm / 82).toBeLessThan(2e-4);
    expect(beamCentre(found.geometry).x).toBeCloseTo(centreUm.x, 6);
  });

  it("describes rings of much light in large pixels to the noise of the photons", () => {
    const image = rings(info, geometry, photonEnergyEv, 1000, new Random(8));
    const { scatter } = calibrate({ S: image }, { sensors: [info], calibrant: "LaB6", photonEnergyEv, distanceMm: 81 });
    // 1.2 where a bin of few pixels is taken for its middle.
    expect(scatter).toBeLessThan(1.1);
  });

  itInFull("finds a tilt of 3.2°, which an upright geometry does not find", () => {
    const steep = fromBeamCentre({ centreUm: { x: 900, y: 400 }, distanceMm: 80, rot1Deg: -3, rot2Deg: 1.1 });
    const image = rings(info, steep, photonEnergyEv, 3, new Random(11));
    const { geometry: found, errors } = calibrate(
      { S: image },
      { sensors: [info], calibrant: "LaB6", photonEnergyEv, distanceMm: 82 },
    );
    expect(Math.abs((found.rot1Deg ?? 0) + 3) / errors.rot1Deg).toBeLessThan(4);
    expect(Math.abs((found.rot2Deg ?? 0) - 1.1) / errors.rot2Deg).toBeLessThan(4);
    expect(Math.abs(found.distanceMm - 80) / errors.distanceMm).toBeLessThan(4);
    expect(errors.rot1Deg).toBeLessThan(0.03);
  });

  const sensors = [info];
  /** Largest of the distances to the truth, in errors, of a fit to a picture with the geometry above. */
  const pull = ({ centreUm, geometry: found, errors }: ReturnType<typeof calibrate>): number =>
    Math.max(
      Math.abs(centreUm.x - 1500) / errors.centreXUm,
      Math.abs(centreUm.y + 900) / errors.centreYUm,
      Math.abs(found.distanceMm - 82) / errors.distanceMm,
      Math.abs((found.rot1Deg ?? 0) - 0.6) / errors.rot1Deg,
      Math.abs((found.rot2Deg ?? 0) + 0.4) / errors.rot2Deg,
    );

  it("is not led astray by what solid angle and polarisation do to wide rings", () => {
    const image = rings(info, geometry, photonEnergyEv, 20_000, new Random(5), { widthDeg: 0.35 });
    const found = calibrate({ S: image }, { sensors, calibrant: "LaB6", photonEnergyEv, distanceMm: 80 });
    expect(Math.abs(found.geometry.distanceMm / 82 - 1)).toBeLessThan(2e-5);
  });

  itInFull("finds rings among unmasked hot and dead pixels, from a distance 20 % off", () => {
    const random = new Random(21);
    const image = rings(info, geometry, photonEnergyEv, 3, random).map((photons) => {
      const lot = random.uniform();
      return lot < 0.003 ? photons - 500 * Math.log(random.uniform()) : lot < 0.006 ? 0 : photons;
    });
    for (const distanceMm of [98, 66]) {
      const found = calibrate({ S: image }, { sensors, calibrant: "LaB6", photonEnergyEv, distanceMm });
      expect(pull(found)).toBeLessThan(4);
      expect(found.errors.centreXUm).toBeLessThan(12);
    }
  });

  itInFull("finds weak rings on strong diffuse light, though no sector of 10° shows them", () => {
    const image = rings(info, geometry, photonEnergyEv, 1.2, new Random(2), { level: 3 });
    const found = calibrate({ S: image }, { sensors, calibrant: "LaB6", photonEnergyEv, distanceMm: 80 });
    expect(pull(found)).toBeLessThan(4);
    expect(found.errors.centreXUm).toBeLessThan(60);
  });

  itInFull("finds the geometry from a part of the rings, the beam beside the detector", () => {
    const aside = square(250, { posXUm: 12_000 });
    const image = rings(aside, geometry, photonEnergyEv, 3, new Random(31));
    const found = calibrate({ S: image }, { sensors: [aside], calibrant: "LaB6", photonEnergyEv, distanceMm: 85 });
    expect(pull(found)).toBeLessThan(4);
  });

  itInFull("says why there is none: rings elsewhere, no ring on the detector, a single ring", () => {
    const why = (image: Float64Array, options: Partial<Parameters<typeof calibrate>[1]>, message: RegExp) =>
      expect(() =>
        calibrate({ S: image }, { sensors, calibrant: "LaB6", photonEnergyEv, distanceMm: 82, ...options }),
      ).toThrow(expect.objectContaining({ code: "NO_RINGS", message: expect.stringMatching(message) as string }));
    const image = rings(info, geometry, photonEnergyEv, 3, new Random(7));
    why(image, { photonEnergyEv: 7300 }, /most of what stands out is where LaB6 has no ring/);
    const random = new Random(3);
    const flat = Float64Array.from(image, () => random.poisson(3));
    why(flat, { distanceMm: 400, tilt: false }, /the innermost ring is at 2θ 17.2°, at the distance given 123 mm/);
    const single = rings(info, { ...geometry, distanceMm: 165 }, photonEnergyEv, 3, new Random(8));
    why(single, { distanceMm: 165 }, /a single ring stands out/);
  });

  it("refuses a picture without rings, and misspelt options", () => {
    const random = new Random(3);
    const flat = Float64Array.from({ length: info.xsize * info.ysize }, () => random.poisson(3));
    const options = { sensors: [info], calibrant: "LaB6", photonEnergyEv, distanceMm: 80 } as const;
    expect(() => calibrate({ S: flat }, options)).toThrow(expect.objectContaining({ code: "NO_RINGS" }));
    const misspelt: object = { ...options, tlit: false };
    expect(() => calibrate({ S: flat }, misspelt as typeof options)).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
  });
});

const picture = { width: 40, height: 30, pixelSizeUm: 100, view: "source" } as const;
const tilted = { distanceMm: 81.5, normalUm: { x: 130, y: -470 }, rot1Deg: 2, rot2Deg: -3, rot3Deg: 11 };

describe("PONI files", () => {
  it("go out and in, in both views", () => {
    for (const view of ["source", "detector"] as const) {
      const { geometry, photonEnergyEv: energy } = parsePoni(toPoni(tilted, { ...picture, view, photonEnergyEv }), {
        ...picture,
        view,
      });
      expect(energy).toBeCloseTo(photonEnergyEv, 6);
      expect(geometry.distanceMm).toBeCloseTo(tilted.distanceMm, 9);
      expect(geometry.normalUm.x).toBeCloseTo(130, 6);
      expect(geometry.normalUm.y).toBeCloseTo(-470, 6);
      expect(geometry.rot1Deg).toBeCloseTo(2, 9);
      expect(geometry.rot2Deg).toBeCloseTo(-3, 9);
      expect(geometry.rot3Deg).toBeCloseTo(11, 9);
    }
  });

  it("that are none are refused", () => {
    const bad = (text: string) =>
      expect(() => parsePoni(text, picture)).toThrow(expect.objectContaining({ code: "BAD_TEXT" }));
    bad("poni_version: 4\nDistance: 0.1");
    const whole = toPoni(tilted, { ...picture, photonEnergyEv });
    bad(`${whole}Parallax: True\n`);
    bad(whole.replaceAll("0.0001", "0.00005"));
    bad(`PixelSize1: 5e-05\nPixelSize2: 5e-05\nDistance: 0.1\nPoni1: 0\nPoni2: 0\nRot1: 0\nRot2: 0\nRot3: 0`);
    bad("poni_version: 2.1\nDistance: near");
    bad('poni_version: 2.1\nDetector_config: {"orientation": 7}\nDistance: 0.1');
    bad("poni_version: 2.1\nDetector_config: {\nDistance: 0.1");
  });

  itNeeding(python !== undefined, "no Python with pyFAI", "give pyFAI our 2θ and azimuth, and give us pyFAI's", () => {
    const script = `
import sys, json, os, tempfile, logging, numpy as np
logging.disable(logging.CRITICAL)
import pyFAI
from pyFAI.detectors import Detector
from pyFAI.integrator.azimuthal import AzimuthalIntegrator
out = {}
texts = json.load(sys.stdin)
folder = tempfile.mkdtemp()
for view, text in texts.items():
    path = os.path.join(folder, view + ".poni")
    open(path, "w").write(text)
    ai = pyFAI.load(path)
    shape = ai.detector.max_shape
    out[view] = dict(tth=ai.center_array(shape, "2th_rad").ravel().tolist(), chi=ai.center_array(shape, "chi_rad").ravel().tolist())
    os.remove(path)
for orientation in (1, 2, 3, 4):
    det = Detector(pixel1=1e-4, pixel2=1e-4, max_shape=(30, 40), orientation=orientation)
    ai = AzimuthalIntegrator(dist=0.08, poni1=1e-3, poni2=2.3e-3, rot1=0.03, rot2=-0.05, rot3=0.2, wavelength=1.2398419843320025e-10, detector=det)
    path = os.path.join(folder, "o.poni")
    ai.save(path)
    out[str(orientation)] = dict(text=open(path).read(), tth=ai.center_array((30, 40), "2th_rad").ravel().tolist())
    os.remove(path)
values = "Distance: 0.08\\nPoni1: 0.001\\nPoni2: 0.0023\\nRot1: 0.03\\nRot2: -0.05\\nRot3: 0.2\\nWavelength: 1.2398e-10\\n"
others = dict(sizes="PixelSize1: 1e-4\\nPixelSize2: 1e-4\\n" + values, sizesOfDetector="Detector: Detector\\nPixelSize1: 1e-4\\nPixelSize2: 1e-4\\nSplineFile: None\\n" + values,
    named="Detector: Eiger500k\\n" + values,
    three='poni_version: 3\\nDetector: Detector\\nDetector_config: {"pixel1": 1e-4, "pixel2": 1e-4, "orientation": 2, "max_shape": [30, 40]}\\n' + values + "Parallax: False\\n")
for name, text in others.items():
    open(path, "w").write(text)
    ai = pyFAI.load(path)
    shape = (30, 40) if name != "named" else ai.detector.max_shape
    out[name] = dict(text=text, tth=ai.center_array(shape, "2th_rad").ravel()[::97].tolist(), shape=list(shape), pixel=ai.detector.pixel1 * 1e6)
    os.remove(path)
os.rmdir(folder)
json.dump(out, sys.stdout)
`;
    const texts = {
      source: toPoni(tilted, { ...picture, photonEnergyEv }),
      detector: toPoni(tilted, { ...picture, view: "detector", photonEnergyEv }),
    };
    const theirs = JSON.parse(
      execFileSync(python ?? "", ["-c", script], {
        input: JSON.stringify(texts),
        encoding: "utf8",
        stdio: ["pipe", "pipe", "ignore"],
        maxBuffer: 1e8,
      }),
    ) as Record<string, { text: string; tth: number[]; chi: number[]; shape: [number, number]; pixel: number }>;
    const anglesOf = (
      geometry: typeof tilted | ReturnType<typeof parsePoni>["geometry"],
      view: "source" | "detector",
      { width, height, pixelSizeUm }: { width: number; height: number; pixelSizeUm: number } = picture,
    ) => {
      const toLab = labPlaces(geometry);
      const place = { x: 0, y: 0, z: 0 };
      return Array.from({ length: width * height }, (_, i) => {
        const [row, column] = [Math.floor(i / width), i % width];
        const x = (column + 0.5 - width / 2) * pixelSizeUm;
        toLab(view === "source" ? x : -x, (height / 2 - row - 0.5) * pixelSizeUm, place);
        return [Math.atan2(Math.sqrt(place.x ** 2 + place.y ** 2), place.z), Math.atan2(place.y, place.x)] as const;
      });
    };
    for (const view of ["source", "detector"] as const)
      anglesOf(tilted, view).forEach(([tth, chi], i) => {
        expect(Math.abs(tth - (theirs[view]?.tth[i] ?? NaN))).toBeLessThan(1e-6);
        expect(Math.abs(Math.sin(chi - (theirs[view]?.chi[i] ?? NaN)))).toBeLessThan(1e-5);
      });
    for (const orientation of ["1", "2", "3", "4"])
      for (const view of ["source", "detector"] as const) {
        const { geometry } = parsePoni(theirs[orientation]?.text ?? "", { ...picture, view });
        anglesOf(geometry, view).forEach(([tth], i) => {
          expect(Math.abs(tth - (theirs[orientation]?.tth[i] ?? NaN))).toBeLessThan(1e-6);
        });
      }
    // Versions 1, with pixel sizes or a detector by name, and 3.
    for (const name of ["sizes", "sizesOfDetector", "named", "three"]) {
      const { text, tth, shape, pixel } = theirs[name] ?? expect.fail(name);
      const own = { width: shape[1], height: shape[0], pixelSizeUm: pixel, view: "source" } as const;
      const angles = anglesOf(parsePoni(text, own).geometry, "source", own);
      expect(tth.length).toBeGreaterThan(10);
      for (const [k, angle] of tth.entries()) expect(Math.abs((angles[97 * k]?.[0] ?? NaN) - angle)).toBeLessThan(1e-6);
    }
  });
});
