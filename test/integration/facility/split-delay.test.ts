import { expect, it } from "vitest";
import { createSimulatedFacility, VirtualClock } from "../../../src/facility/index.ts";
import { siliconBraggDeg } from "../../../src/optics/index.ts";

const id = (name: string): string => `xfel_bl_3_st_1_sdo_${name.includes("/") ? name : `${name}/ratio`}`;
const crystals = ["bs", "br1", "br2", "bm", "cc1", "cc2"];
const URAD_PER_PULSE = 4e-6 * (Math.PI / 180) * 1e6;

it("both branches interfere where delay, photon energy and place are one", async () => {
  const clock = new VirtualClock();
  const facility = createSimulatedFacility({ clock });
  const { control } = facility;
  const hidden = facility.truth.device(3, "split-delay");
  const go = async (number: number, pulses: number): Promise<void> => {
    await control.move(`bl3_st1_pm0${number}`, Math.round(pulses));
    while ((await control.read(`bl3_st1_pm0${number}`)).state === "moving") clock.advance(0.5);
  };
  const mean = (name: string, seconds = 4): number => {
    const from = facility.live.nowTag();
    clock.advance(seconds);
    const tags = facility.tagsBetween(3, 202501, from + 1, facility.live.nowTag());
    clock.advance(0.2);
    const values = facility.column(id(name), 202501, tags).values.filter(Number.isFinite);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  await control.setShutter("bl3_shutter1", true);
  await go(19, 5000);
  const angle = siliconBraggDeg(10_000, [2, 2, 0], { refraction: true });
  const crystalAt = async (name: string, offUrad: number): Promise<void> => {
    const zero = hidden[`${name}Zero`] ?? NaN;
    await go(11 + crystals.indexOf(name), angle / 4e-6 + zero + offUrad / URAD_PER_PULSE);
  };
  const gapsAt = async (besideMm: number): Promise<void> => {
    const { gapZeroMm = NaN, gapDifferenceMm = NaN } = hidden;
    for (const sign of [1, -1])
      await go(sign > 0 ? 17 : 18, (5 + gapZeroMm + (sign * (gapDifferenceMm + besideMm)) / 2) * 1e4);
  };
  for (const name of crystals) await crystalAt(name, 0);
  await gapsAt(0);
  const best = mean("visibility");
  expect(best).toBeGreaterThan(0.55);
  // Another photon energy in one branch: a Darwin width, which is 19 µrad, leaves little in common.
  for (const name of ["cc1", "cc2"]) await crystalAt(name, 25);
  expect(mean("visibility")).toBeLessThan(0.15);
  for (const name of ["cc1", "cc2"]) await crystalAt(name, 0);
  // 40 µm more of one gap than of the other: 2 cos θ of it beside; both branches weigh as much as they have light.
  await gapsAt(0.04);
  const beside = 2000 * 0.04 * Math.cos((angle * Math.PI) / 180);
  expect(mean("visibility") - 0.05).toBeCloseTo((best - 0.05) * Math.exp(-((beside / 60) ** 2)), 1);
  const branch = async (name: string): Promise<void> => {
    await control.set("bl3_sdo_branch", name);
    clock.advance(2);
  };
  await branch("delay");
  expect(Math.abs(mean("position/x") - beside)).toBeLessThan(2);
  // BM alone turns the beam by twice its angle, 1 m before the monitor.
  await crystalAt("bm", 5);
  expect(Math.abs(mean("position/x") - beside - 10)).toBeLessThan(2);
  await branch("fixed");
  expect(Math.abs(mean("position/x"))).toBeLessThan(2);
});
