import { expect, it } from "vitest";
import { times } from "../../support/full.ts";
import { histogram, quantile, stopUnderLoad } from "../../support/stop-under-load.ts";

// The short form of `npm run bench:stop`: what is done is asserted, how long it takes is printed.
it("stops reach a server whose readers do their worst, with its audit's disk full and its main loop busy", async () => {
  const stops = times(60, 10);
  const report = await stopUnderLoad({ seed: 1, stops, seconds: times(5, 1), clients: times(24, 8), say: () => {} });
  console.log(`99 % of ${report.ms.length} stops within ${quantile(report.ms, 0.99).toFixed(1)} ms`);
  console.log(histogram(report.ms).join("\n"));
  const { notStopped, failed, leaseLost, notBooked } = report;
  expect({ notStopped, failed, leaseLost, notBooked }).toEqual({
    notStopped: 0,
    failed: 0,
    leaseLost: 0,
    notBooked: 0,
  });
  expect(report.ms.length).toBeGreaterThanOrEqual(stops);
});
