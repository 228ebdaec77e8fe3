/** A name of a signal that is known, or an equipment id. `string` where no names are known. */
export type SignalName<N extends string> = string extends N ? string : N | `${string}/${string}`;

/** Names of one's own for signals and detectors. An `Experiment` is one. */
export interface Names {
  /** The equipment id that a name stands for; an equipment id stands for itself. @throws UNKNOWN_SIGNAL */
  signalId(name: string): string;
  /** The detector that a name stands for; any other text stands for itself. */
  detectorId(name: string): string;
}
