import { expect, it } from "vitest";
import { curveDelays } from "../../../src/cli/commands/delay-scan.ts";
import { type DelayScanFit, fittedChange } from "../../../src/scan/index.ts";

it("the curve of a fit is drawn close where it bends, however far its points are from each other", () => {
  const curve = Array.from({ length: 50 }, (_, k) => ({ delayFs: -2000 + 200 * k }));
  const fit = { t0Fs: 130, riseFs: 30, lifetimeFs: 2000, amplitude: -0.4, offset: 0, background: 0.01, curve };
  const delays = curveDelays(fit as unknown as DelayScanFit);
  const y = delays.map((delay) => fittedChange(fit as unknown as DelayScanFit, delay));
  const steps = y.slice(1).map((value, i) => Math.abs(value - (y[i] ?? NaN)));
  expect(Math.max(...steps)).toBeLessThan(0.05 * 0.4);
  expect([delays[0], delays.at(-1)]).toEqual([-2000, 7800]);
});
