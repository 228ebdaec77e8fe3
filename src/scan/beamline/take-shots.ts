import type { Control } from "../../ec/index.ts";
import type { ShotsRequest, ShotsTaken } from "../messages/messages.ts";
import { askAgain } from "./again.ts";
import type { BeamGauge } from "./beam-gauge.ts";
import { BeamGuard } from "./beam-guard.ts";
import type { DoOptions } from "./beamline.ts";
import { ShotCollector, signalsOf } from "./shot-collector.ts";
import type { ShotFeed } from "./shot-feed.ts";

/** Shots at a place, as many as are asked for. */
export async function takeShots(
  feed: ShotFeed,
  control: Control,
  asked: ShotsRequest,
  gauge: BeamGauge,
  how: DoOptions,
): Promise<ShotsTaken> {
  const { signal } = how;
  const request = { ...asked, beam: await gauge.conditionFor(asked, signal) };
  const collector = new ShotCollector(request);
  const seconds = request.budget?.seconds;
  const { selector } = request;
  if (selector === undefined) await feed.begin(signalsOf(request), signal);
  else {
    // The one pulse comes at once. Shots that may have been before it are looked at too: the selector was off, so they
    // had no X-rays.
    await feed.begin(signalsOf(request), signal, 0);
    await askAgain(how, async () => await control.setting(selector).set("single"));
    // However long that took: the budget must not be spent before the pulse.
    await feed.markNow(signal);
  }
  const started = feed.nowMs;
  const beam = new BeamGuard(await gauge.guard(), feed, seconds, how);
  while (collector.outcome === undefined) {
    await feed.next((tag, read) => collector.add(tag, read, feed.isEarly(tag)), signal);
    const { outcome } = collector;
    if (outcome !== "gave-up") await beam.look(outcome === undefined ? collector.holding : null);
    if (seconds !== undefined && feed.nowMs - started > 1000 * seconds) collector.giveUp();
  }
  beam.end();
  return collector.taken(beam.heldSeconds);
}
