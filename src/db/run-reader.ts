import type { CallOptions } from "../core/async.ts";
import type { TagList } from "../core/tags.ts";
import type { SignalColumn } from "./signal-column.ts";
import type { SignalTable } from "./signal-table.ts";

/** What tag lists and classifications read of a run. A {@link Run} is one. */
export interface RunReader {
  readonly bl: number;
  /** Run number. */
  readonly number: number;
  readonly hightag: number;
  /** Tags of the run that have images, ascending. */
  tags(options?: CallOptions): Promise<TagList>;
  /** One signal over tags of the run. @throws UNKNOWN_SIGNAL */
  column(equipId: string, tags?: Iterable<number>, options?: CallOptions): Promise<SignalColumn>;
  /** Several signals over tags of the run. @throws UNKNOWN_SIGNAL */
  table(equipIds: readonly string[], tags?: Iterable<number>, options?: CallOptions): Promise<SignalTable>;
}
