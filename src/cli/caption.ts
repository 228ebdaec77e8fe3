import { type PixelUnit, unitOfPixels } from "../core/detector.ts";
import type { DetectorGroup } from "../core/detectors.ts";
import type { Run } from "../db/index.ts";
import type { Selected } from "./average-run.ts";
import { darkWords } from "./choices.ts";
import type { Session } from "./command.ts";

interface Caption {
  readonly title: string;
  readonly lines: readonly [how: string, when: string];
  readonly unit: PixelUnit;
}

/** A value of a pixel for people. */
export function pixelText(value: number, unit: PixelUnit): string {
  return unit === "ADU" ? value.toFixed(1) : value.toPrecision(4);
}

/** What a picture of a run says of itself: first what it shows, then how it was made, when and by which source. */
export async function captionOf(
  session: Session,
  { run, detector, dark, chosen }: Selected,
  shots: { readonly dark: number; readonly exposed: number },
  what = "mean",
): Promise<Caption> {
  const title = `${detector.id}, run ${run.number}: ${what} of ${shots.exposed} ${chosen.words(shots.exposed)}`;
  const lines = [darkWords(run, dark, shots.dark), await whenAndWhere(session, run)] as const;
  return { title, lines, unit: await pixelUnit(session, run, detector) };
}

/** The unit of the pixels of a detector. */
export async function pixelUnit({ signal }: Session, run: Run, { id, sensors }: DetectorGroup): Promise<PixelUnit> {
  return unitOfPixels(await run.detectorInfo(sensors[0] ?? id, { signal }));
}

/** When a run began, its beamline, and whether it is simulated. */
export async function whenAndWhere(session: Session, run: Run): Promise<string> {
  return `${session.time(run.startTime)}, beamline ${run.bl}${await simulatedMark(session)}`;
}

/** What a picture or a plot ends a line with when nothing in it is real; else "". */
export async function simulatedMark(session: Session): Promise<string> {
  return (await session.isSimulated()) ? ", SIMULATED" : "";
}
