/** `sacla/db`: runs, tags and 0-D signals, as Python's `dbpy`. */
export { DbApiError as APIError } from "../core/api-errors.ts";
export { type Comparison, limitIn, parseCondition, type SignalCondition } from "./condition.ts";
export {
  BEAM_MONITOR,
  BEAM_MONITOR_DARK_COULOMB,
  type DarkRule,
  type DarkTest,
  darkRuleOf,
  darkRules,
} from "./dark-rule.ts";
export { Db } from "./db.ts";
export { MirroredDb } from "./mirrored-db.ts";
export type { NearestDarkOptions } from "./nearest-dark.ts";
export { type PlainRow, parquetRows } from "./rows-file.ts";
export { Run, type RunAssemblerOptions, type RunTagsOptions, type WaitOptions } from "./run.ts";
export type { RunReader } from "./run-reader.ts";
export type { RunsOptions } from "./run-stream.ts";
export { type ClassificationBasis, RunTags, type Selection } from "./run-tags.ts";
export {
  type LabelBasis,
  type LabelDropReason,
  PairedLabels,
  type PairOptions,
  type ShotLabel,
  ShotLabels,
  type ShotVerdict,
} from "./shot-labels.ts";
export { SignalColumn } from "./signal-column.ts";
export { searchByMeaning, signalMeaning, wellKnownSignal } from "./signal-meanings.ts";
export { type SignalRow, SignalTable, tableFormOf } from "./signal-table.ts";
export {
  formatSyncdaq,
  formatTagList,
  parseSyncdaq,
  parseTagList,
  type SyncdaqOutput,
  type TagListFile,
} from "./text-formats.ts";
export { formatTimingCsv, type TimingColumns, type TimingEdge, TimingEdges, timingEdges } from "./timing-csv.ts";
