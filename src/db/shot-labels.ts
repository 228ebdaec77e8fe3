import { DbApiError as APIError } from "../core/api-errors.ts";
import type { CallOptions } from "../core/async.ts";
import { showList } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import { type Dropped, LedgerBook } from "../core/ledger.ts";
import { type FlagNames, type Flags, readFlags, readRecorded } from "./flags.ts";
import type { RunReader } from "./run-reader.ts";
import type { ClassificationBasis, RunTags } from "./run-tags.ts";
import type { SignalColumn } from "./signal-column.ts";
import type { XrayStates } from "./xray-states.ts";

/**
 * `dark`: X-ray shutter closed. `on`: X-rays and pump laser. `off`: X-rays, no pump laser. `dropped`: the flags do
 * not determine it, or there was no beam.
 */
export type ShotLabel = "dark" | "on" | "off" | "dropped";

/**
 * The rules and signals of the labels. `beam` is null when no beam status is recorded: shots without beam are then not
 * recognized.
 */
export interface LabelBasis {
  readonly xray: ClassificationBasis;
  readonly laser: ClassificationBasis;
  readonly beam: ClassificationBasis | null;
}

/** Why a shot has no label; {@link ShotLabels} says what each means. */
export type LabelDropReason =
  | "closed-after-head"
  | "xray-flags-agree"
  | "xray-flag-missing"
  | "laser-flags-agree"
  | "laser-flag-missing"
  | "beam-flag-missing"
  | "no-beam";

/** A label, or why there is none. */
export type ShotVerdict = Exclude<ShotLabel, "dropped"> | LabelDropReason;

/**
 * Every shot of a list with its label. `dropped` names the reason: `xray-flags-agree`, `laser-flags-agree` (a shutter
 * says open and closed at once, or neither), `xray-flag-missing`, `laser-flag-missing`, `beam-flag-missing` (not
 * recorded), `no-beam`, `closed-after-head` (the X-ray shutter reads closed after its first open or contradictory
 * shot).
 *
 * @example
 * const { on, off, basis } = await run.labels();
 * console.log(on.length, off.length, basis.laser.signals);
 */
export class ShotLabels {
  readonly tags: RunTags;
  readonly dark: RunTags;
  readonly on: RunTags;
  readonly off: RunTags;
  /** Shots without a label, by reason. */
  readonly dropped: readonly Dropped[];
  readonly basis: LabelBasis;

  constructor(tags: RunTags, verdictOf: (tag: number, index: number) => ShotVerdict, basis: LabelBasis) {
    const verdicts = Array.from(tags, verdictOf);
    const book = new LedgerBook();
    verdicts.forEach((verdict, i) => {
      if (!isLabel(verdict)) book.drop(tags.at(i) ?? NaN, verdict);
    });
    const withLabel = (label: ShotLabel): RunTags => tags.filter((_, i) => verdicts[i] === label);
    this.tags = tags;
    this.dark = withLabel("dark");
    this.on = withLabel("on");
    this.off = withLabel("off");
    this.dropped = book.ledger.dropped;
    this.basis = basis;
  }

  /** The label of a shot. @throws BAD_ARGUMENT when the tag is not in {@link tags} */
  label(tag: number): ShotLabel {
    if (!this.tags.has(tag))
      throw badArgument(
        "tag",
        tag,
        `one of the ${this.tags.length} labelled tags (${this.tags.at(0)} to ${this.tags.at(-1)})`,
      );
    if (this.dark.has(tag)) return "dark";
    if (this.on.has(tag)) return "on";
    return this.off.has(tag) ? "off" : "dropped";
  }

  /** How many shots have each label; they add up to the number of tags. */
  get counts(): Record<ShotLabel, number> {
    const { dark, on, off, tags } = this;
    return {
      dark: dark.length,
      on: on.length,
      off: off.length,
      dropped: tags.length - dark.length - on.length - off.length,
    };
  }
}

function isLabel(verdict: ShotVerdict): boolean {
  return verdict === "dark" || verdict === "on" || verdict === "off";
}

/**
 * Labels shots of a run.
 * @param xray - of the whole run
 * @throws UNKNOWN_SIGNAL when pump-laser signals are not recorded
 */
export async function labelShots(
  run: RunReader,
  shots: RunTags,
  xray: XrayStates,
  options?: CallOptions,
): Promise<ShotLabels> {
  const laser = await readFlags(run, laserNames(run.bl), shots, options);
  if (laser === undefined) {
    const names = laserNames(run.bl).map(({ open }) => open);
    throw new APIError(
      "UNKNOWN_SIGNAL",
      `Pumped and unpumped shots of run ${run.number} of beamline ${run.bl} cannot be classified: the source has no values for ${showList(names)}. For a run without pump laser use darkTags() and exposedTags().`,
      { details: { bl: run.bl, run: run.number, signals: names } },
    );
  }
  const beam = await readRecorded(run, beamNames[run.bl] ?? [], shots, options);
  const verdictOf = (tag: number, i: number): ShotVerdict => {
    const state = xray.stateOf(tag);
    if (state !== "exposed") return state;
    const present = beam === undefined ? 1 : beam.values[i];
    if (present !== 1) return present === 0 ? "no-beam" : "beam-flag-missing";
    return laserVerdict(laser, i);
  };
  return new ShotLabels(shots, verdictOf, {
    xray: xray.basis,
    laser: laserBasis(laser),
    beam: beamBasis(beam),
  });
}

function laserVerdict(laser: Flags, i: number): ShotVerdict {
  const state = laser.state(i);
  if (state === "open") return "on";
  if (state === "closed") return "off";
  return state === "flags-agree" ? "laser-flags-agree" : "laser-flag-missing";
}

/** The pump-laser shutter today, in its older spelling, and the selector that archives keep (1: laser on). */
function laserNames(bl: number): FlagNames[] {
  return [
    { open: `xfel_bl_${bl}_lh1_shutter_1_open_valid/status`, close: `xfel_bl_${bl}_lh1_shutter_1_close_valid/status` },
    { open: "xfel_bl_lh1_shutter_1_open_valid/status", close: "xfel_bl_lh1_shutter_1_close_valid/status" },
    { open: `bl_${bl}/lh_1/laser_pulse_selector_status` },
  ];
}

/** Beam status by beamline, 1 where there was beam; none is published for BL2. */
const beamNames: Readonly<Record<number, readonly string[]>> = {
  1: ["xfel_mon_ct_bl1_dump_1_beamstatus/summary"],
  3: ["xfel_mon_bpm_bl3_0_3_beamstatus/summary", "xfel_mon_msbpm_bl3_dump_1_beamstatus/summary"],
};

function laserBasis({ signals, both }: Flags): ClassificationBasis {
  const rule = both ? "pumped = open 1 and close 0, unpumped = open 0 and close 1" : "pumped = 1, unpumped = 0";
  const source = both ? "cube_timetool.py, a public analysis script of 2023" : "only this flag is recorded here";
  return { rule, signals, source };
}

function beamBasis(beam: SignalColumn | undefined): ClassificationBasis | null {
  return beam === undefined
    ? null
    : { rule: "beam = 1", signals: [beam.equipId], source: "sacla-merge-scripts, public analysis scripts of 2018" };
}
