import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  attenuationLengthUm,
  darwinCurve,
  type Hkl,
  SILICON_LATTICE_ANGSTROM,
  siliconBraggDeg,
  siliconBraggEv,
  siliconReflection,
  siliconRockingCurve,
  siliconSpacing,
  thicknessUmFor,
  transmission,
} from "../../../src/optics/index.ts";
import { itNeeding, itWithSharedData, pythonWith, sharedData } from "../../support/optional.ts";

const python = pythonWith("xraylib", "xrayutilities", "numpy");
const near = (value: number, wanted: number, share: number): void =>
  expect(Math.abs(value / wanted - 1), `${value} against ${wanted}`).toBeLessThan(share);

interface CrystalTruth {
  readonly hkl: Hkl;
  readonly energy_eV: number;
  readonly reflects: boolean;
  readonly bragg_deg: number;
  readonly bragg_refracted_snell_deg: number;
  readonly refraction_shift_first_order_urad: number;
  readonly darwin_plateau_sigma_urad_static: number;
  readonly darwin_plateau_sigma_urad_295K: number;
  readonly darwin_plateau_pi_urad_static: number;
  readonly darwin_fwhm_no_absorption_sigma_urad_static: number;
  readonly curve_fwhm_with_absorption_sigma_urad_static: number;
  readonly curve_peak: number;
  readonly intrinsic_width_eV_static: number;
  readonly dE_dtheta_eV_per_urad: number;
}

describe("silicon crystals", () => {
  itWithSharedData("have the angles and widths of an independent program", () => {
    const truth = JSON.parse(readFileSync(`${sharedData}optics_si.truth.json`, "utf8")) as {
      crystal: readonly CrystalTruth[];
      attenuation: readonly { material: string; energy_eV: number; photo_um: number; total_um: number }[];
    };
    for (const row of truth.crystal) {
      const at = [row.energy_eV, row.hkl] as const;
      if (!row.reflects) {
        expect(() => siliconReflection(...at)).toThrow(/photonEnergyEv is \d+, but must be above/);
        continue;
      }
      const still = siliconReflection(...at, { debyeWallerA2: 0 });
      near(still.braggDeg, row.bragg_deg, 1e-9);
      near(still.refractedDeg, row.bragg_refracted_snell_deg, 1e-7);
      near(still.shiftUrad, row.refraction_shift_first_order_urad, 1e-4);
      near(still.plateauUrad, row.darwin_plateau_sigma_urad_static, 1e-3);
      near(siliconReflection(...at).plateauUrad, row.darwin_plateau_sigma_urad_295K, 1e-3);
      const pi = siliconReflection(...at, { debyeWallerA2: 0, polarization: "pi" });
      near(pi.plateauUrad, row.darwin_plateau_pi_urad_static, 1e-3);
      near(still.fwhmNoAbsorptionUrad, row.darwin_fwhm_no_absorption_sigma_urad_static, 1e-3);
      near(still.fwhmUrad, row.curve_fwhm_with_absorption_sigma_urad_static, 1.5e-3);
      near(still.peak, row.curve_peak, 2.5e-3);
      near(still.plateauEv, row.intrinsic_width_eV_static, 1e-3);
      near(still.evPerUrad, row.dE_dtheta_eV_per_urad, 1e-9);
    }
    for (const { material, energy_eV, photo_um, total_um } of truth.attenuation) {
      near(attenuationLengthUm(material, energy_eV, { process: "photo" }), photo_um, 1e-3);
      near(attenuationLengthUm(material, energy_eV), total_um, 1e-3);
    }
  });

  it("have CODATA's spacing, and the inverse of each angle", () => {
    expect(siliconSpacing([2, 2, 0])).toBeCloseTo(1.920155716, 8);
    for (const refraction of [false, true])
      for (const photonEnergyEv of [4000, 7112, 10_000, 20_000])
        for (const hkl of [
          [1, 1, 1],
          [2, 2, 0],
          [4, 0, 0],
        ] as const) {
          if (photonEnergyEv < 4600 && hkl[0] === 4) continue;
          const angle = siliconBraggDeg(photonEnergyEv, hkl, { refraction });
          near(siliconBraggEv(angle, hkl, { refraction }), photonEnergyEv, 1e-12);
        }
  });

  it("refuse reflections that silicon has not, energies and options that are none", () => {
    for (const hkl of [
      [2, 0, 0],
      [2, 2, 2],
      [1, 1, 0],
      [0, 0, 0],
      [1.5, 1, 1],
    ] as const)
      expect(() => siliconSpacing(hkl), String(hkl)).toThrow(/hkl is .* all odd/);
    expect(() => siliconBraggDeg(1000, [1, 1, 1])).toThrow(/above 1977\.\d, where Si\(111\) begins/);
    expect(() => siliconReflection(50_000, [1, 1, 1])).toThrow(/from 3000 to 30000/);
    expect(() => siliconBraggEv(0, [1, 1, 1])).toThrow(/above 0/);
    expect(() => siliconBraggDeg(9000, [1, 1, 1], { refracted: true } as object)).toThrow(/refraction/);
    expect(() => darwinCurve(9000, [1, 1, 1], [0], { polarization: "s" as "pi" })).toThrow(/sigma, pi/);
    expect(() => darwinCurve(9000, [9, 9, 9], [0])).toThrow(/BAD_ARGUMENT|must be/);
  });

  it("have a curve whose half height is at its width, and that falls off as the square", () => {
    const { fwhmUrad, peak, plateauUrad } = siliconReflection(15_000, [2, 2, 0]);
    const curve = darwinCurve(15_000, [2, 2, 0], [0, 20 * plateauUrad, 40 * plateauUrad, fwhmUrad / 2]);
    expect(curve[0]).toBeGreaterThan(0.9 * peak);
    near(curve[1] ?? 0, 4 * (curve[2] ?? 0), 0.02);
    near(curve[3] ?? 0, peak / 2, 0.2);
  });

  it("rock against each other: a triangle of 1.3 to 1.4 widths for parallel planes", () => {
    const { fwhmUrad } = siliconReflection(10_000, [1, 1, 1]);
    const angles = Array.from({ length: 161 }, (_, i) => (i - 80) * 1);
    const widthOf = (curve: Float64Array): number => {
      const top = Math.max(...curve);
      return curve.filter((value) => value >= top / 2).length;
    };
    const once = siliconRockingCurve(10_000, [1, 1, 1], angles);
    expect(widthOf(once) / fwhmUrad).toBeGreaterThan(1.3);
    expect(widthOf(once) / fwhmUrad).toBeLessThan(1.5);
    // The autocorrelation of any curve is symmetric, and greatest at 0.
    expect(once.indexOf(Math.max(...once))).toBe(80);
    for (let i = 1; i < 80; i++) expect(once[80 - i]).toBeCloseTo(once[80 + i] ?? 0, 2);
    const twice = siliconRockingCurve(10_000, [1, 1, 1], angles, { reflections: 2 });
    expect(twice[10]).toBeLessThan((once[10] ?? 0) / 20);
  });

  it("disperse in (+,+): as wide as what beam and first crystal leave of angles and energies", () => {
    const { evPerUrad, fwhmUrad } = siliconReflection(10_000, [1, 1, 1]);
    const [bandwidthRms, divergenceUrad] = [1.5e-3, 200];
    const energyUrad = (bandwidthRms * 10_000) / evPerUrad;
    const rms = 2 / Math.hypot(1 / energyUrad, 1 / divergenceUrad);
    const angles = [-2, -1, 0, 1, 2].map((sigmas) => sigmas * rms);
    const wide = siliconRockingCurve(10_000, [1, 1, 1], angles, { arrangement: "++", bandwidthRms, divergenceUrad });
    for (const [i, sigmas] of [-2, -1, 0, 1, 2].entries())
      near((wide[i] ?? 0) / (wide[2] ?? 1), Math.exp(-0.5 * sigmas * sigmas), 0.05);
    // The first crystal leaves a parallel beam a Darwin width of energies.
    const parallel = siliconRockingCurve(10_000, [1, 1, 1], [0, fwhmUrad, 4 * fwhmUrad], { arrangement: "++" });
    expect(parallel[0]).toBeGreaterThan(0.6);
    expect((parallel[1] ?? 0) / (parallel[0] ?? 1)).toBeLessThan(0.5);
    expect(parallel[2]).toBeLessThan(0.05);
  });

  itNeeding(
    python !== undefined,
    "no Python with xraylib and xrayutilities",
    "agree with xraylib and xrayutilities",
    () => {
      const program = `
import json, warnings, numpy, xraylib
warnings.filterwarnings("ignore")
import xrayutilities as xu
rows = []
for kev in (3.7, 5.55, 7.9, 10.3, 13.37, 18.2, 24.5):
    for hkl in ((1,1,1), (2,2,0), (3,1,1), (4,0,0), (3,3,1), (4,2,2), (5,1,1), (4,4,0), (4,4,4)):
        d = xu.materials.Si.planeDistance(hkl)
        if 12.39842 / kev >= 1.98 * d: continue
        chi0, chih = xu.materials.Si.chi0(1000 * kev), xu.materials.Si.chih(d and xu.materials.Si.Q(hkl), 1000 * kev, polarization="S")
        f = abs(xraylib.Crystal_F_H_StructureFactor(xraylib.Crystal_GetCrystal("Si"), kev, *hkl, 1.0, 1.0))
        rows.append([1000 * kev, list(hkl), chi0.real, abs(complex(*chih)) if isinstance(chih, tuple) else abs(chih), f])
lengths = [[z, 1000 * kev, 1e4 / xraylib.CS_Photo_CP(z, kev), 1e4 / xraylib.CS_Total_CP(z, kev)]
    for z in ("Si", "Al", "Fe", "Cu", "Ge", "Mo", "Au", "Ta", "Y3Al5O12", "H2O") for kev in (3.3, 6.1, 7.3, 9.9, 12.9, 17.7, 21.3, 29)]
print(json.dumps([rows, lengths]))
`;
      const [rows, lengths] = JSON.parse(execFileSync(python ?? "", ["-c", program], { encoding: "utf8" })) as [
        [number, Hkl, number, number, number][],
        [string, number, number, number][],
      ];
      expect(rows.length).toBeGreaterThan(40);
      for (const [ev, hkl, chi0, , structureFactor] of rows) {
        const { chi0: ours, chiH } = siliconReflection(ev, hkl, { debyeWallerA2: 0 });
        near(ours[0], chi0, 2e-3);
        // |χ_h| = r_e λ² |F| / (π V).
        const scale = (2.8179403205e-5 * (12_398.419843 / ev) ** 2) / (Math.PI * SILICON_LATTICE_ANGSTROM ** 3);
        near(Math.hypot(...chiH), scale * structureFactor, 1e-3);
      }
      for (const [material, ev, photo, total] of lengths) {
        near(attenuationLengthUm(material, ev, { process: "photo", densityGPerCm3: 1 }), photo, 3e-3);
        near(attenuationLengthUm(material, ev, { densityGPerCm3: 1 }), total, 3e-3);
      }
    },
  );
});

describe("attenuation", () => {
  it("goes from thickness to transmission and back", () => {
    for (const share of [1, 0.5, 1e-6]) {
      const thickness = thicknessUmFor("kapton", 8000, share);
      expect(transmission("kapton", 8000, thickness)).toBeCloseTo(share, 12);
    }
    expect(transmission("Al", 8000, 0)).toBe(1);
    near(attenuationLengthUm("SiO2", 9000, { densityGPerCm3: 4.4 }) * 2, attenuationLengthUm("SiO2", 9000), 1e-12);
  });

  it("jumps at an edge", () => {
    expect(attenuationLengthUm("Fe", 7100) / attenuationLengthUm("Fe", 7120)).toBeGreaterThan(7);
  });

  it("refuses what it does not know, and says what it does", () => {
    expect(() => attenuationLengthUm("Unobtainium", 8000)).toThrow(/one of Si, silicon/);
    expect(() => attenuationLengthUm("Xx", 8000, { densityGPerCm3: 1 })).toThrow(/element is "Xx".*H He Li/);
    expect(() => attenuationLengthUm("CaF2", 8000)).toThrow(/no density of CaF2/);
    expect(() => attenuationLengthUm("constructor", 8000)).toThrow(/formula/);
    expect(() => attenuationLengthUm("Si", 1000)).toThrow(/from 3000 to 30000/);
    expect(() => thicknessUmFor("Si", 8000, 0)).toThrow(/above 0/);
    expect(() => transmission("Si", 8000, -1)).toThrow(/thicknessUm/);
  });
});
