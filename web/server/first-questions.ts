import { askAhead, readSessionAhead } from "./connection.ts";
import { placeNow } from "./location.ts";

/** What is needed before a panel can be drawn, all at once, while the rest of the page is loaded. */
export function askFirst(): void {
  readSessionAhead();
  const about = askAhead("facility.describe", {});
  const beamlines = askAhead("db.listBeamlines", {});
  const settings = askAhead("page.experiment", {});
  const { panel, params } = placeNow();
  if (panel !== "live") return;
  const askDetectors = async (): Promise<void> => {
    const [{ methods }, known, { defaults }] = await Promise.all([about, beamlines, settings]);
    const bl = beamlineOf(params.get("bl"), defaults.bl, known);
    if (methods.includes("live.shots")) await askAhead("live.readDetidlist", { bl });
  };
  // What fails is told when it is asked again.
  askDetectors().catch(() => {});
}

/** That of the address, else of the settings, else 3 or the first that the source has. */
export function beamlineOf(given: string | null, usual: number | null, known: readonly number[] = []): number {
  if (given !== null) return Number(given);
  const wanted = usual ?? 3;
  return known.length === 0 || known.includes(wanted) ? wanted : (known[0] ?? wanted);
}
