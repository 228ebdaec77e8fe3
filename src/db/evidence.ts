/** What a classification of shots rests on. */
export interface Evidence {
  /** The rule in words: "dark = open 0 and close 1, at the head of the run". */
  readonly rule: string;
  /** Equipment ids that were read. */
  readonly signals: readonly string[];
  /** Where the rule comes from, and what was missing for a stronger one. */
  readonly source: string;
}
