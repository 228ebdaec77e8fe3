import type { Run } from "../db/index.ts";
import type { Selected } from "./average-run.ts";
import { darkWords } from "./choices.ts";
import type { Session } from "./command.ts";

/** What a picture of a run says of itself: first what it shows, then how it was made, when and by which source. */
export async function captionOf(
  session: Session,
  { run, detector, dark, chosen }: Selected,
  shots: { readonly dark: number; readonly exposed: number },
  what = "mean",
): Promise<{ readonly title: string; readonly lines: readonly [how: string, when: string] }> {
  const title = `${detector.id}, run ${run.number}: ${what} of ${shots.exposed} ${chosen.words(shots.exposed)}`;
  return { title, lines: [darkWords(run, dark, shots.dark), await whenAndWhere(session, run)] };
}

/** When a run began, its beamline, and whether it is simulated. */
export async function whenAndWhere(session: Session, run: Run): Promise<string> {
  return `${session.time(run.startTime)}, beamline ${run.bl}${await simulatedMark(session)}`;
}

/** What a picture or a plot ends a line with when nothing in it is real; else "". */
export async function simulatedMark(session: Session): Promise<string> {
  return (await session.isSimulated()) ? ", SIMULATED" : "";
}
