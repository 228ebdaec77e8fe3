// Emission lines of a crystal spectrometer: photons counted, the energy scale from calibration shots, lines with errors.
// Run: npx tsx node_modules/sacla/examples/emission-lines.ts
import { mkdir, writeFile } from "node:fs/promises";
import { linePlot } from "sacla/plot";
import { calibrateEmission, darkAverage, emissionMaps, emissionSpectrum, fitEmissionLines, reduce } from "sacla/reduce";
import { calibration, darkShots, lightShots, perPhotonAdu, sensor } from "./parts/emission-shots.ts";

// Of a run these are facility.shots({ run, detectors: [sensor], tags }), aduPerPhoton(7050, info.absGain) and
// calibrationShots(await run.column(monochromator), { fromEv: 7000, toEv: 7100 }).
const dark = await darkAverage(darkShots());
const reducers = { maps: emissionMaps({ aduPerPhoton: perPhotonAdu, noiseAdu: dark, calibration }) };
const { maps, ledger } = await reduce(lightShots(), reducers, { dark });
const found = maps[sensor];
if (found === undefined) throw new Error(`no image of ${sensor}`);

const curve = calibrateEmission(found.calibration);
for (const { energyEv, photons, offPx, offErrorPx } of curve.lines)
  console.log(`${energyEv} eV: ${photons.toFixed(0)} photons, ${offPx.toFixed(3)} ± ${offErrorPx.toFixed(3)} px off`);

const spectrum = emissionSpectrum(found.sample.photons, curve);
const { lines, curve: fitted } = fitEmissionLines(spectrum, curve, { lines: 2 });
for (const { energyEv, energyErrorEv, fwhmEv, photons } of lines)
  console.log(
    `line at ${energyEv.toFixed(2)} ± ${energyErrorEv.toFixed(2)} eV, ${fwhmEv.toFixed(1)} eV wide, ${photons.toFixed(0)} photons`,
  );
console.log(ledger.used, "of", ledger.asked, "shots used");

await mkdir("out", { recursive: true });
const { energyEv: x, perEv: y, error } = spectrum;
const series = [
  { label: "counted", x, y, error, style: "points" },
  { label: "fit", x, y: fitted },
] as const;
await writeFile("out/emission.svg", linePlot(series, { xLabel: "photon energy (eV)", yLabel: "photons per eV" }));
