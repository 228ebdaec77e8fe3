import type { Axis } from "./axis.ts";
import type { Control, NameOf, Targets } from "./control.ts";
import type { ExperimentDefinition } from "./experiment.ts";
import type { Move } from "./move.ts";
import type { Setting, Shutter } from "./simple-devices.ts";
import type { Snapshot } from "./snapshot.ts";

/** An {@link Axis} that can only be read, and stopped. */
export type AxisView = Omit<Axis, "moveTo" | "start" | "setSpeed" | "preset">;
/** A {@link Shutter} that can only be read, and closed. */
export type ShutterView = Omit<Shutter, "open">;
/** A {@link Setting} that can only be read. */
export type SettingView = Omit<Setting, "set">;
/** A {@link Move} that can only be looked at. */
export type MoveView = Omit<Move, "go">;

/**
 * What can be done at a beamline without its lease: read everything, and make it safe (stop, close, pause). A
 * {@link Control} without the methods that need the lease.
 */
export interface ControlView<D extends ExperimentDefinition = ExperimentDefinition>
  extends Pick<
    Control<D>,
    "bl" | "snapshot" | "diff" | "checkRequest" | "previewRequest" | "runState" | "beam" | "pauseRun"
  > {
  /** An axis by the experiment's name or its control name. @throws UNKNOWN_DEVICE */
  axis(name: NameOf<D, "axes">): AxisView;
  /** A shutter by the experiment's name or its control name. @throws UNKNOWN_DEVICE */
  shutter(name: NameOf<D, "shutters">): ShutterView;
  /** A setting by the experiment's name or its control name. @throws UNKNOWN_DEVICE */
  setting(name: NameOf<D, "settings">): SettingView;
  /** A setting by the experiment's name or its control name; undefined when the name is none of a setting. */
  findSetting(name: string): SettingView | undefined;
  /** The table of a move, now → will be. @throws UNKNOWN_DEVICE, BAD_ARGUMENT */
  plan(to: Targets<D>): Promise<MoveView>;
  /** The table of the move that would restore a snapshot. @throws BAD_ARGUMENT */
  putBack(before: Snapshot): Promise<MoveView>;
}
