/**
 * How a dark shot is recognized. `open`: the open flag is 0. `open-and-close`: the open flag is 0 and the close flag is
 * 1. `beam-monitor`: a beam monitor reads below a limit or did not converge.
 */
export type DarkTest = "open" | "open-and-close" | "beam-monitor";

/** One row of the dated table: how dark shots are recognized in a range of runs of a beamline. */
export interface DarkRule {
  readonly bl: number;
  /** First run it holds for. */
  readonly firstRun: number;
  /** Last run it holds for, **inclusive**; Infinity for the rule in force. */
  readonly lastRun: number;
  readonly test: DarkTest;
  /** Where the rule comes from. */
  readonly source: string;
}

const ostrich = "ostrich (public SFX pipeline), metadata.py";

/** A charge of {@link BEAM_MONITOR} below this means no beam. */
export const BEAM_MONITOR_DARK_COULOMB = 1e-10;
export const BEAM_MONITOR = "xfel_bl_2_st_3_bm_1_pd/charge";

/** Every rule known, by beamline and run. In all of them only the leading dark shots of a run count. */
export const darkRules: readonly DarkRule[] = [
  { bl: 2, firstRun: 0, lastRun: 32_347, test: "open", source: `${ostrich}: before 2018 only the open flag is usable` },
  {
    bl: 2,
    firstRun: 32_348,
    lastRun: 81_549,
    test: "beam-monitor",
    source: `${ostrich}: the shutter flags of these runs are unreliable`,
  },
  { bl: 2, firstRun: 81_550, lastRun: Infinity, test: "open-and-close", source: ostrich },
  {
    bl: 3,
    firstRun: 0,
    lastRun: 909_708,
    test: "open",
    source: `${ostrich}: before 2018 only the open flag is usable`,
  },
  { bl: 3, firstRun: 909_709, lastRun: Infinity, test: "open-and-close", source: ostrich },
];

/** The rule for a run. Beamlines without a published rule get both flags, and the source says so. */
export function darkRuleOf(bl: number, run: number): DarkRule {
  const found = darkRules.find((rule) => rule.bl === bl && run >= rule.firstRun && run <= rule.lastRun);
  return (
    found ?? {
      bl,
      firstRun: 0,
      lastRun: Infinity,
      test: "open-and-close",
      source: `no rule is published for beamline ${bl}; the newest of the others is used`,
    }
  );
}
