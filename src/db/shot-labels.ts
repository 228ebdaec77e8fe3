import { DbApiError as APIError } from "../core/api-errors.ts";
import type { CallOptions } from "../core/async.ts";
import { showList } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import { type Dropped, LedgerBook, reasonsByTag } from "../core/ledger.ts";
import { integer, optional, resolveOptions } from "../core/options.ts";
import { counted } from "../core/show.ts";
import { showAs } from "../core/shown.ts";
import { AGREE, CLOSED, type FlagNames, type Flags, OPEN, readFlags, readRecorded } from "./flags.ts";
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
  | "laser-flags-differ"
  | "laser-flag-missing"
  | "beam-flag-missing"
  | "no-beam"
  | "no-unpumped-near"
  | "no-pumped-near";

/** A label, or why there is none. */
export type ShotVerdict = Exclude<ShotLabel, "dropped"> | LabelDropReason;

/** Which unpumped shot belongs to a pumped one. */
export interface PairOptions {
  /** The unpumped shot this many tags after the pumped one is taken when there is one. @default 2 */
  readonly after?: number | undefined;
  /** Else the nearest that is not further than so many tags, of two equally near the later one. @default 60 (1 s) */
  readonly within?: number | undefined;
}

/**
 * Every shot of a list with its label. `dropped` names the reason: `xray-flags-agree`, `laser-flags-agree` (a shutter
 * says open and closed at once, or neither), `laser-flags-differ` (the pump laser's shutter and pulse selector agree at
 * nine of ten shots of the run, and not at this one), `xray-flag-missing`, `laser-flag-missing`, `beam-flag-missing`
 * (not recorded), `no-beam`, `closed-after-head` (the X-ray shutter reads closed after its first open or contradictory
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
  readonly #verdictAt: (index: number) => ShotVerdict | undefined;

  constructor(tags: RunTags, verdictOf: (tag: number, index: number) => ShotVerdict, basis: LabelBasis) {
    const verdicts: ShotVerdict[] = [];
    const codes = new Uint8Array(tags.length);
    const book = new LedgerBook();
    for (let i = 0; i < tags.length; i++) {
      const tag = tags.values[i] ?? NaN;
      const verdict = verdictOf(tag, i);
      const known = verdicts.indexOf(verdict);
      codes[i] = known < 0 ? verdicts.push(verdict) - 1 : known;
      if (!isLabel(verdict)) book.drop(tag, verdict);
    }
    const withLabel = (label: ShotVerdict): RunTags => {
      const code = verdicts.indexOf(label);
      return tags.filter((_, i) => codes[i] === code);
    };
    this.tags = tags;
    this.dark = withLabel("dark");
    this.on = withLabel("on");
    this.off = withLabel("off");
    this.dropped = book.ledger.dropped;
    this.basis = basis;
    this.#verdictAt = (i) => verdicts[codes[i] ?? -1];
  }

  /** The label of a shot. @throws BAD_ARGUMENT when the tag is not in {@link tags} */
  label(tag: number): ShotLabel {
    const verdict = this.#verdictAt(this.tags.indexOf(tag));
    if (verdict !== undefined) return isLabel(verdict) ? verdict : "dropped";
    throw badArgument(
      "tag",
      tag,
      `one of the ${this.tags.length} labelled tags (${this.tags.at(0)} to ${this.tags.at(-1)})`,
    );
  }

  /**
   * The shots of one label with the account of all others: the reason is their label, or why they have none. `basis` is
   * that of all flags together.
   */
  select(wanted: "dark" | "on" | "off"): RunTags {
    const { xray, laser, beam } = this.basis;
    const parts = [xray, ...(wanted === "dark" ? [] : [laser, ...(beam === null ? [] : [beam])])];
    const basis = {
      rule: parts.map(({ rule }) => rule).join("; "),
      signals: parts.flatMap(({ signals }) => signals),
      source: parts.map(({ source }) => source).join("; "),
    };
    return this.tags.select((_, i) => {
      const verdict = this.#verdictAt(i) ?? null;
      return verdict === wanted ? null : verdict;
    }, basis);
  }

  /**
   * Pumped shots each with an unpumped one near in time, so that slow drifts leave their difference: the next one (30
   * Hz: tag + 2), else the nearest. An unpumped shot can belong to several pumped ones. The others lose their label:
   * `no-unpumped-near`, `no-pumped-near`.
   * @throws BAD_ARGUMENT
   * @example
   * const labels = (await run.labels()).paired({ after: 2, within: 60 });
   * await scan.update(shots, { labels });
   */
  paired(options: PairOptions = {}): PairedLabels {
    const { after, within } = resolveOptions("paired", options, {
      after: optional(integer(-1_000_000, 1_000_000), 2),
      within: optional(integer(0), 60),
    });
    const offOf = new Map<number, number>();
    for (const tag of this.on) {
      const partner = this.off.has(tag + after) ? tag + after : nearest(this.off, tag, within);
      if (partner !== undefined) offOf.set(tag, partner);
    }
    return new PairedLabels(this, offOf, `unpumped shot at tag + ${after}, else the nearest within ${within} tags`);
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

/** Labels of which every pumped shot has an unpumped one; see {@link ShotLabels.paired}. */
export class PairedLabels extends ShotLabels {
  /** How pairs were made, in words. */
  readonly rule: string;
  readonly #offOf: ReadonlyMap<number, number>;

  constructor(all: ShotLabels, offOf: ReadonlyMap<number, number>, rule: string) {
    const partners = new Set(offOf.values());
    const reasons = reasonsByTag(all.dropped);
    super(
      all.tags,
      (tag) => {
        const label = all.label(tag);
        if (label === "on") return offOf.has(tag) ? "on" : "no-unpumped-near";
        if (label === "off") return partners.has(tag) ? "off" : "no-pumped-near";
        return label === "dropped" ? (reasons.get(tag) as LabelDropReason) : label;
      },
      { ...all.basis, laser: { ...all.basis.laser, rule: `${all.basis.laser.rule}; ${rule}` } },
    );
    this.rule = rule;
    this.#offOf = offOf;
  }

  /** The unpumped shot of a pumped one. @throws BAD_ARGUMENT when the tag is not in {@link on} */
  offOf(tag: number): number {
    const partner = this.#offOf.get(tag);
    if (partner === undefined)
      throw badArgument("tag", tag, `one of the ${this.on.length} pumped shots with a partner`);
    return partner;
  }

  /** For each of {@link on} the index of its partner in {@link off}: for `onOffDifference`. */
  get pairs(): Int32Array {
    return Int32Array.from(this.on, (tag) => this.off.indexOf(this.offOf(tag)));
  }
}

function nearest(tags: RunTags, tag: number, within: number): number | undefined {
  for (let distance = 1; distance <= within; distance++) {
    if (tags.has(tag + distance)) return tag + distance;
    if (tags.has(tag - distance)) return tag - distance;
  }
  return undefined;
}

function isLabel(verdict: ShotVerdict): verdict is Exclude<ShotLabel, "dropped"> {
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
  const shutter = await readFlags(run, laserShutters(run.bl), shots, options);
  const selector = await readFlags(run, laserSelectors(run.bl), shots, options);
  const laser = shutter ?? selector;
  if (laser === undefined) {
    const names = [...laserShutters(run.bl), ...laserSelectors(run.bl)].map(({ open }) => open);
    throw new APIError(
      "UNKNOWN_SIGNAL",
      `Pumped and unpumped shots of run ${run.number} of beamline ${run.bl} cannot be classified: ` +
        `the source has no values for ${showList(names)}. ` +
        "For a run without pump laser use darkTags() and exposedTags().",
      { details: { bl: run.bl, run: run.number, signals: names } },
    );
  }
  const beam = await readRecorded(run, beamNames[run.bl] ?? [], shots, options);
  const both = shutter !== undefined && selector !== undefined && agree(shutter, selector);
  const verdictOf = (tag: number, i: number): ShotVerdict => {
    const state = xray.stateOf(tag);
    if (state !== "exposed") return state;
    const present = beam === undefined ? 1 : beam.values[i];
    if (present !== 1) return present === 0 ? "no-beam" : "beam-flag-missing";
    if (both && contradict(shutter.states[i], selector.states[i])) return "laser-flags-differ";
    return laserVerdict(laser, i);
  };
  return new ShotLabels(shots, verdictOf, {
    xray: xray.basis,
    laser: laserBasis(laser, both ? selector : undefined),
    beam: beamBasis(beam),
  });
}

function laserVerdict(laser: Flags, i: number): ShotVerdict {
  const state = laser.states[i];
  if (state === OPEN) return "on";
  if (state === CLOSED) return "off";
  return state === AGREE ? "laser-flags-agree" : "laser-flag-missing";
}

/** The pump-laser shutter today, and in its older spelling. */
function laserShutters(bl: number): FlagNames[] {
  return [
    { open: `xfel_bl_${bl}_lh1_shutter_1_open_valid/status`, close: `xfel_bl_${bl}_lh1_shutter_1_close_valid/status` },
    { open: "xfel_bl_lh1_shutter_1_open_valid/status", close: "xfel_bl_lh1_shutter_1_close_valid/status" },
  ];
}

/** The selector of pump pulses that archives keep, 1: laser on. */
function laserSelectors(bl: number): FlagNames[] {
  return [{ open: `bl_${bl}/lh_1/laser_pulse_selector_status` }];
}

/** Whether shutter and selector tell the same story: a shutter that stays open, or an idle selector, does not. */
function agree(shutter: Flags, selector: Flags): boolean {
  let [same, differ] = [0, 0];
  for (let i = 0; i < shutter.states.length; i++) {
    const [a, b] = [shutter.states[i], selector.states[i]];
    if (contradict(a, b)) differ++;
    else if (isTold(a) && isTold(b)) same++;
  }
  return same >= 9 * differ;
}

function contradict(a: number | undefined, b: number | undefined): boolean {
  return isTold(a) && isTold(b) && a !== b;
}

function isTold(state: number | undefined): boolean {
  return state === OPEN || state === CLOSED;
}

/** Beam status by beamline, 1 where there was beam; none is published for BL2. */
const beamNames: Readonly<Record<number, readonly string[]>> = {
  1: ["xfel_mon_ct_bl1_dump_1_beamstatus/summary"],
  3: ["xfel_mon_bpm_bl3_0_3_beamstatus/summary", "xfel_mon_msbpm_bl3_dump_1_beamstatus/summary"],
};

function laserBasis({ signals, both }: Flags, selector: Flags | undefined): ClassificationBasis {
  const rule = both ? "pumped = open 1 and close 0, unpumped = open 0 and close 1" : "pumped = 1, unpumped = 0";
  const source = both ? "cube_timetool.py, a public analysis script of 2023" : "only this flag is recorded here";
  if (selector === undefined) return { rule, signals, source };
  return { rule: `${rule}, and the pulse selector the same`, signals: [...signals, ...selector.signals], source };
}

function beamBasis(beam: SignalColumn | undefined): ClassificationBasis | null {
  return beam === undefined
    ? null
    : { rule: "beam = 1", signals: [beam.equipId], source: "sacla-merge-scripts, public analysis scripts of 2018" };
}

showAs(ShotLabels, ({ tags, dark, on, off, dropped }) => {
  const rest = dropped.map(({ reason, tags: left }) => `, ${left.length} ${reason}`).join("");
  const all = counted(tags.length, "shot");
  return `ShotLabels of ${all}: ${dark.length} dark, ${on.length} on, ${off.length} off${rest}`;
});
