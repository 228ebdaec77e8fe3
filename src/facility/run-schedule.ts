import { experiments, liveHightag } from "./experiments.ts";
import { isPaused, type PlannedRun, plannedRun } from "./planned-run.ts";

/** Runs that control started, and where the planned ones end because of it. */
interface OwnRuns {
  controlledFromTag(bl: number): number;
  controlled(bl: number): readonly PlannedRun[];
}

/** What has happened so far: the newest tag, and the state of each run. */
export class RunSchedule {
  readonly #nowTag: () => number;
  readonly #own: OwnRuns;

  /** `nowTag` gives the newest tag of the live HighTag. */
  constructor(nowTag: () => number, own: OwnRuns) {
    this.#nowTag = nowTag;
    this.#own = own;
  }

  /** The newest tag of a HighTag that has happened: everything, for a HighTag of the past. */
  newestTag(hightag: number): number {
    return hightag === liveHightag ? this.#nowTag() : Infinity;
  }

  /** A run that is planned or was started; undefined when there is none, or control has taken its place. */
  run(bl: number, run: number): PlannedRun | undefined {
    const controlled = this.#own.controlled(bl);
    const first = controlled[0]?.run ?? Infinity;
    if (run >= first) return controlled[run - first];
    const planned = plannedRun(bl, run);
    const taken = this.#own.controlledFromTag(bl);
    if (planned === undefined || planned.experiment.hightag !== liveHightag || planned.endTag <= taken + 1)
      return planned;
    return planned.startTag > taken ? undefined : { ...planned, endTag: taken + 1 };
  }

  /** −1 not yet existing, 0 stopped, 1 paused, 2 running. */
  status(planned: PlannedRun | undefined): -1 | 0 | 1 | 2 {
    if (planned === undefined) return -1;
    const now = this.newestTag(planned.experiment.hightag);
    const state = planned.state?.(now);
    if (state !== undefined) return state === "ready" ? 0 : state === "paused" ? 1 : 2;
    if (now < planned.startTag) return -1;
    if (now >= planned.endTag) return 0;
    return isPaused(planned, now - planned.startTag) ? 1 : 2;
  }

  /** End of the tags taken so far, exclusive. */
  endTag(planned: PlannedRun): number {
    return Math.max(planned.startTag, Math.min(planned.endTag, this.newestTag(planned.experiment.hightag) + 1));
  }

  /** The newest `last` runs of a beamline that have begun, ascending. */
  runs(bl: number, last: number): number[] {
    const controlled = this.#own.controlled(bl);
    const found = controlled
      .slice(Math.max(0, controlled.length - last))
      .map(({ run }) => run)
      .reverse();
    const own = experiments.filter((e) => e.beamline === bl).sort((a, b) => b.firstRun - a.firstRun);
    for (const experiment of own) {
      const { hightag, firstTag, pitchTags, firstRun, lastRun } = experiment;
      const upTo =
        hightag === liveHightag ? Math.min(this.newestTag(hightag), this.#own.controlledFromTag(bl)) : Infinity;
      const newest = Math.min(lastRun, firstRun + Math.floor((upTo - firstTag) / pitchTags));
      for (let run = newest; run >= firstRun && found.length < last; run--) found.push(run);
    }
    return found.reverse();
  }
}
