import { counted } from "../../core/show.ts";
import type { Message } from "./messages.ts";

/** Messages that act on a device or read one, so that they take time. */
export type SlowMessage = Extract<
  Message,
  { kind: "move" | "where" | "set" | "request" | "shutter" | "wait" | "shots" | "fly" | "startRun" | "stopRun" }
>;
/** Messages that take none. */
export type QuickMessage = Exclude<Message, SlowMessage>;

export function isSlow(message: Message): message is SlowMessage {
  const { kind } = message;
  return (
    kind === "move" ||
    kind === "shots" ||
    kind === "shutter" ||
    kind === "set" ||
    kind === "request" ||
    kind === "where" ||
    kind === "wait" ||
    kind === "fly" ||
    kind === "startRun" ||
    kind === "stopRun"
  );
}

/** Whether it takes shots or prepares to, which cleanup must not. */
export function isWork({ kind }: Message): boolean {
  return kind === "shots" || kind === "fly" || kind === "spot" || kind === "checkpoint" || kind === "startRun";
}

/** Whether it only ends what was begun: a row is written, a shutter closed, a run ended. */
export function isEnding(message: Message): boolean {
  const { kind } = message;
  return (
    kind === "point" ||
    kind === "confirm" ||
    kind === "note" ||
    kind === "stopRun" ||
    (kind === "shutter" && !message.open) ||
    (kind === "once" && !message.begins)
  );
}

/** What is going on, for the state in one line. */
export function describe(message: SlowMessage): string {
  switch (message.kind) {
    case "move":
      return `moving ${Object.entries(message.to)
        .map(([axis, to]) => `${axis} to ${Number(to.toPrecision(6))}`)
        .join(", ")}`;
    case "shots":
      return `taking ${counted(message.request.count, "shot")}`;
    case "fly":
      return `flying ${message.request.axis} from ${message.request.from} to ${message.request.to}`;
    case "shutter":
      return `${message.open ? "opening" : "closing"} ${message.name}`;
    case "set":
      return `setting ${message.setting} to ${message.value}`;
    case "request":
      return `asking the operators for ${Object.entries(message.request.to)
        .map(([name, to]) => `${name} ${to}`)
        .join(", ")}`;
    case "wait":
      return `waiting ${message.seconds} s`;
    case "startRun":
      return `starting the run ${JSON.stringify(message.request.comment)}`;
    case "stopRun":
      return "stopping the run";
    case "where":
      return `looking where ${message.axes.join(", ")} is`;
  }
}
