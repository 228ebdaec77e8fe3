import { SaclaError } from "../../core/errors.ts";
import { LedgerBook } from "../../core/ledger.ts";
import { type Axis, type Control, type Experiment, toPosition } from "../../ec/index.ts";
import type { FlyRequest, FlyTaken } from "../messages/messages.ts";
import { askAgain, onceMoreAfterSlip } from "./again.ts";
import type { BeamGauge } from "./beam-gauge.ts";
import type { DoOptions } from "./beamline.ts";
import { NO_BEAM, signalsOf, whyNoBeam, whyNotGood } from "./shot-collector.ts";
import type { ShotFeed } from "./shot-feed.ts";
import { takeShots } from "./take-shots.ts";

/** The last shots of a flight are in the database so long after it. */
const LONGEST_LAST_SHOTS_MS = 30_000;

/** Flies at the speed that spreads the shots over the way; the axis has its usual speed before and afterwards. */
export async function fly(
  newFeed: () => ShotFeed,
  control: Control,
  request: FlyRequest,
  rateHz: number,
  experiment: Experiment | undefined,
  gauge: BeamGauge,
  how: DoOptions,
): Promise<FlyTaken> {
  const { signal } = how;
  const { axis: name, from, to, shots, signals = [], conditions = [] } = request;
  const axis = control.axis(name);
  const position = experiment === undefined ? undefined : experiment.signal(name);
  if (position === undefined) {
    throw new SaclaError(
      "UNSUPPORTED",
      `A fly scan needs the position of ${name} at every shot; name its signal in the experiment file.`,
    );
  }
  await onceMoreAfterSlip(how, async () => await askAgain(how, async () => await axis.moveTo(from, { signal })));
  const usual = axis.speed;
  await axis.setSpeed((Math.abs(to - from) * rateHz) / (shots - 1));
  try {
    const beam = await gauge.conditionFor(request, signal);
    // It begins with beam; a trip on the way costs its shots.
    if (beam !== undefined) await takeShots(newFeed(), control, { count: 1, beam }, gauge, how);
    const feed = newFeed();
    await feed.begin([...new Set([position, ...signalsOf({ signals, conditions, beam })])], signal);
    const { done } = await askAgain(how, async () => await axis.start(to, { signal }));
    const taken = await shotsOnTheWay(feed, axis, position, { ...request, beam }, done, how);
    await done;
    return taken;
  } finally {
    await axis.setSpeed(usual);
  }
}

async function shotsOnTheWay(
  feed: ShotFeed,
  axis: Axis,
  position: string,
  { from, to, signals = [], conditions = [], beam }: FlyRequest,
  done: Promise<unknown>,
  { signal }: DoOptions,
): Promise<FlyTaken> {
  let arrivedMs = Infinity;
  let hasFailed = false;
  done.then(
    () => {
      arrivedMs = feed.nowMs;
    },
    () => {
      hasFailed = true;
    },
  );
  const book = new LedgerBook();
  const [tags, positions]: [number[], number[]] = [[], []];
  const values = new Map(signals.map((id) => [id, [] as (number | null)[]]));
  // Half a pulse: at the ends it stands still.
  const rest = 0.5 / axis.definition.pulsesPerUnit;
  let isOver = false;
  // An axis that failed on its way never comes to its end; `done` says why.
  while (!isOver && !hasFailed) {
    const wasThere = arrivedMs < Infinity;
    await feed.next((tag, read) => {
      const pulses = read(position);
      const at = typeof pulses === "number" ? toPosition(axis.definition, pulses) : NaN;
      const why =
        whyNotFlying(at, from, to, rest, tags.length > 0) ??
        (beam !== undefined && beam !== "off" && whyNoBeam(beam, read(beam.signalName)) !== null ? NO_BEAM : null) ??
        conditions
          .map((condition) => whyNotGood(condition, read(condition.signalName)))
          .find((reason) => reason !== null) ??
        null;
      if (why !== null) {
        book.drop(tag, why);
        // Its last shots may come to the database after it has arrived.
        if (wasThere && Math.abs(at - to) <= rest) isOver = true;
        return;
      }
      book.use();
      tags.push(tag);
      positions.push(at);
      for (const [id, column] of values) {
        const value = read(id);
        column.push(typeof value === "number" && Number.isFinite(value) ? value : null);
      }
    }, signal);
    // Where its position has no values, nobody sees that it has arrived.
    if (feed.nowMs > arrivedMs + LONGEST_LAST_SHOTS_MS) isOver = true;
  }
  return { outcome: "done", ledger: book.ledger, tags, positions, values: Object.fromEntries(values) };
}

function whyNotFlying(at: number, from: number, to: number, rest: number, hasBegun: boolean): string | null {
  if (Number.isNaN(at)) return "position-missing";
  if (Math.abs(at - to) <= rest) return "at-rest";
  return !hasBegun && Math.abs(at - from) <= rest ? "at-rest" : null;
}
