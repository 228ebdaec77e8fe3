import { type PixelUnit, unitOfPixels } from "../core/detector.ts";
import { SaclaError } from "../core/errors.ts";
import type { Image } from "../core/ndarray.ts";
import { quantity } from "../core/quantities.ts";
import { counted } from "../core/show.ts";
import { timeText, type Zone } from "../core/time-text.ts";
import { monitorOf } from "../db/beam-monitor.ts";
import type { Run, SignalColumn } from "../db/index.ts";
import type { Assembler, BrightSpot } from "../ip/index.ts";
import { histogramPlot, linePlot, renderImage, reportPage } from "../plot/index.ts";
import type { QuickLook } from "../reduce/index.ts";
import { assemblerFor, axesOf, correctedMeans, findSpots, sumHistograms, summarise } from "../reduce/picture.ts";
import { ledgerLine } from "./average-run.ts";
import { darkWords } from "./choices.ts";
import { viewWords } from "./picture.ts";
import { drawnColumn } from "./signal-plot.ts";

/** The assembled average with its brightest spots. */
export interface Assembled {
  readonly image: Image;
  readonly assembler: Assembler;
  readonly brightest: readonly BrightSpot[];
}

/** Assembles the means of a first look. @throws BAD_GEOMETRY for a detector without geometry */
export async function assembleMeans({ run, detector, sensors }: QuickLook): Promise<Assembled> {
  const infos = sensors.map(({ info }) => info);
  const assembler = await assemblerFor(run, infos, "source");
  if (assembler === null)
    throw new SaclaError(
      "BAD_GEOMETRY",
      `${detector.id} of run ${run.number} has no geometry to assemble; name another with --detector.`,
    );
  const images = correctedMeans(sensors);
  const image = assembler.assemble(images);
  return { image, assembler, brightest: findSpots(assembler, image, images) };
}

/** The beam monitor of the run that is recorded, BM1 first; null when none is. */
export async function beamMonitor(run: Run): Promise<SignalColumn | null> {
  const name = await monitorOf(run);
  return name === null ? null : await run.column(name);
}

/** The demo's report: one HTML page with everything in it. */
export function demoReport(
  look: QuickLook,
  assembled: Assembled,
  monitor: SignalColumn | null,
  address: string,
  zone: Zone,
  isSimulated: boolean,
): string {
  const { run, detector, tags, ledger } = look;
  const when = `${timeText(run.startTime, zone)}, beamline ${run.bl}${isSimulated ? ", SIMULATED" : ""}`;
  return reportPage({
    title: `Run ${run.number}, ${detector.id}`,
    subtitle: `${when}: ${run.comment}`,
    sections: [
      pictureSection(look, assembled, when),
      histogramSection(look),
      ...(monitor === null ? [] : [monitorSection(monitor, look)]),
      sensorSection(look),
      {
        heading: "Shots",
        text:
          `${ledgerLine(ledger)}. ${tags.dark.length} dark and ${counted(tags.exposed.length, "exposed shot")}, ` +
          `classified by: ${look.basis?.rule ?? "no rule"} (${look.basis?.signals.join(", ") ?? ""}).`,
        ...(ledger.dropped.length === 0
          ? {}
          : {
              table: {
                header: ["dropped because", "shots", "tags"],
                rows: ledger.dropped.map(({ reason, tags: t }) => [
                  reason,
                  t.length,
                  t.length > 8 ? `${t.slice(0, 8).join(", ")}, …` : t.join(", "),
                ]),
              },
            }),
      },
    ],
    footer: `Made by sacla from ${address}.`,
  });
}

/** The unit of the pixels of all sensors. */
export function unitOf({ sensors }: QuickLook): PixelUnit {
  return unitOfPixels(sensors[0]?.info);
}

type Section = Parameters<typeof reportPage>[0]["sections"][number];

function pictureSection(look: QuickLook, { image, assembler, brightest }: Assembled, when: string): Section {
  const { run, detector, tags } = look;
  const title = `${detector.id}, run ${run.number}: mean of ${counted(tags.exposed.length, "exposed shot")}`;
  const dark = darkWords(run, tags.dark.length === 0 ? "none" : "head", tags.dark.length);
  const lines = [`${dark}, ${viewWords(assembler.view)}`, when];
  return {
    heading: "Assembled average",
    text:
      `Mean of the exposed shots${tags.dark.length === 0 ? "" : " less the mean of the dark ones"}, ` +
      `assembled to ${assembler.width} × ${assembler.height} pixels of ${assembler.pixelSizeUm} µm ` +
      `as seen from the ${assembler.view}.`,
    image: {
      png: renderImage(image, { title, lines, unit: unitOf(look), positions: axesOf(assembler), maxWidth: 1200 }),
      alt: `Assembled average of run ${run.number}, ${assembler.view} view`,
      caption: `${assembler.view} view, the cross is the beam; grey: no sensor, or a sensor edge left out.`,
    },
    table: {
      header: ["brightest at column", "row", unitOf(look)],
      rows: brightest.map(({ column, row, value }) => [column, row, Number(value.toPrecision(5))]),
    },
  };
}

function histogramSection(look: QuickLook): Section {
  const { sensors, run } = look;
  const { from, counts } = sumHistograms(sensors);
  return {
    heading: "Histogram of the pixels",
    text:
      "All pixels of all exposed shots, less the dark. " +
      "The peak at 0 is read noise, the next one a single X-ray photon.",
    svg: histogramPlot(counts, {
      from,
      title: `run ${run.number}, all sensors`,
      xLabel: unitOf(look),
      yLabel: "pixels",
    }),
  };
}

function monitorSection(monitor: SignalColumn, { run }: QuickLook): Section {
  const { values, label } = drawnColumn(monitor);
  const { ok, ...bad } = monitor.counts;
  const missing = Object.entries(bad)
    .filter(([, n]) => n > 0)
    .map(([reason, n]) => `${n} ${reason}`)
    .join(", ");
  return {
    heading: "Beam monitor",
    text:
      `${monitor.equipId}: ${ok} of ${monitor.length} shots have ` +
      `a value${missing === "" ? "" : ` (${missing})`}; ` +
      `mean ${quantity(monitor.mean(), monitor.unit)}.`,
    svg: linePlot([{ x: Array.from(monitor.tags), y: values, style: "points" }], {
      title: `run ${run.number}`,
      xLabel: "tag",
      yLabel: label,
    }),
  };
}

function sensorSection(look: QuickLook): Section {
  const { sensors } = look;
  const unit = unitOf(look);
  const rows = sensors.map(({ id, info, correctedMean, darkMean }) => {
    const { sum, max, argmax } = summarise(correctedMean);
    const dark = darkMean === null ? "" : Number((summarise(darkMean).sum / darkMean.size).toFixed(2));
    return [
      id,
      dark,
      Number((sum / correctedMean.size).toPrecision(5)),
      Number(max.toPrecision(5)),
      argmax.join(", "),
      info.absGain === null ? "" : Number(info.absGain.toPrecision(5)),
    ];
  });
  return {
    heading: "Sensors",
    table: {
      header: ["sensor", `dark mean, ${unit}`, `mean, ${unit}`, `max, ${unit}`, "at row, column", "e⁻/ADU"],
      rows,
    },
  };
}
