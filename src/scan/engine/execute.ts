import { throwIfAborted } from "../../core/async.ts";
import { SaclaError } from "../../core/errors.ts";
import type { Beamline } from "../beamline/beamline.ts";
import { interruptedShots } from "../beamline/shot-collector.ts";
import type { SlowMessage } from "../messages/message-kinds.ts";
import type { MessageResult } from "../messages/messages.ts";
import type { RunKeeper } from "./run-keeper.ts";

export const nothing: MessageResult = { kind: "nothing" };

interface ExecuteOptions {
  readonly signal: AbortSignal;
  /** A line for the user. */
  readonly note: (text: string) => void;
  /** Told when the beamline begins to wait for something that may never come, and when it goes on. */
  readonly waiting: (isWaiting: boolean) => void;
  /** In a section that must not be repeated, and may have been done: no shots, and no shutter opens. */
  readonly isSkipping: boolean;
  readonly runs: RunKeeper;
  /** Newest run when an earlier process meant to start this one; see {@link RunKeeper.start}. */
  readonly newestBefore: number | undefined;
}

/** Does on the beamline what a message says. */
export async function execute(
  message: SlowMessage,
  beamline: Beamline,
  { signal, note, waiting, isSkipping, runs, newestBefore }: ExecuteOptions,
): Promise<MessageResult> {
  throwIfAborted(signal);
  const how = { signal, note, waiting };
  switch (message.kind) {
    case "move":
      return { kind: "positions", at: await beamline.move(message.to, how) };
    case "where":
      return { kind: "positions", at: await beamline.where(message.axes) };
    case "set":
      await beamline.set(message.setting, message.value, how);
      return nothing;
    case "request":
      return { kind: "request", kept: await requestOf(beamline)(message.request, how) };
    case "shutter":
      // Closing is done always, opening not where shots may have been.
      if (!(isSkipping && message.open)) await beamline.shutter(message.name, message.open);
      return nothing;
    case "wait":
      await beamline.sleep(1000 * message.seconds, signal);
      return nothing;
    case "startRun":
      return { kind: "run", run: await runs.start(message.request, newestBefore) };
    case "stopRun":
      await runs.stop({ signal });
      return nothing;
    case "shots":
      return {
        kind: "shots",
        taken: inRun(isSkipping ? interruptedShots : await beamline.shots(message.request, how), runs),
      };
    case "fly": {
      if (isSkipping) return { kind: "fly", taken: { ...interruptedShots, outcome: "interrupted", positions: [] } };
      return { kind: "fly", taken: inRun(await beamline.fly(message.request, how), runs) };
    }
  }
}

/** @throws UNSUPPORTED where there is no accelerator to ask for */
export function requestOf({ request }: Pick<Beamline, "request">): NonNullable<Beamline["request"]> {
  if (request !== undefined) return request;
  throw new SaclaError("UNSUPPORTED", "The plan asks the operators of the accelerator, which this beamline cannot.");
}

function inRun<T extends object>(taken: T, { run }: RunKeeper): T & { readonly run?: number } {
  return run === undefined ? taken : { ...taken, run };
}
