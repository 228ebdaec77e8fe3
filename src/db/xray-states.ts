import { DbApiError as APIError } from "../core/api-errors.ts";
import type { CallOptions } from "../core/async.ts";
import { showList } from "../core/errors.ts";
import { BEAM_MONITOR, BEAM_MONITOR_DARK_COULOMB, darkRuleOf } from "./dark-rule.ts";
import { type FlagState, type Flags, openAlone, readFlags, readRecorded } from "./flags.ts";
import type { RunReader } from "./run-reader.ts";
import type { ClassificationBasis, RunTags } from "./run-tags.ts";
import type { SignalColumn } from "./signal-column.ts";

/** What the X-rays did at one shot. */
type XrayState = "dark" | "exposed" | "closed-after-head" | "xray-flags-agree" | "xray-flag-missing";

/** Every shot of a run as dark or exposed. */
export interface XrayStates {
  readonly tags: RunTags;
  readonly basis: ClassificationBasis;
  readonly stateOf: (tag: number) => XrayState;
}

/** Each shot by itself, in the order of the tags; where a dark one stands in the run is not yet looked at. */
interface Verdicts {
  readonly basis: ClassificationBasis;
  readonly state: (i: number) => FlagState;
}

/**
 * Classifies shots as dark or exposed by the dated rule of the run.
 * @param tags - all tags of the run, since which closed shots are dark depends on those before them
 * @throws UNKNOWN_SIGNAL when the source has none of the rule's signals
 */
export async function readXrayStates(run: RunReader, tags: RunTags, options?: CallOptions): Promise<XrayStates> {
  const { basis, state } = await readVerdicts(run, tags, options);
  const states: XrayState[] = [];
  let head = true;
  for (let i = 0; i < tags.length; i++) {
    const verdict = state(i);
    // A shot without a flag is not dark, but neither does it show that the shutter has opened.
    if (verdict === "open" || verdict === "flags-agree") head = false;
    states.push(xrayState(verdict, head));
  }
  return { tags, basis, stateOf: (tag) => states[tags.indexOf(tag)] ?? "xray-flag-missing" };
}

function xrayState(verdict: FlagState, head: boolean): XrayState {
  if (verdict === "closed") return head ? "dark" : "closed-after-head";
  if (verdict === "open") return "exposed";
  return verdict === "flags-agree" ? "xray-flags-agree" : "xray-flag-missing";
}

async function readVerdicts(run: RunReader, all: RunTags, options: CallOptions | undefined): Promise<Verdicts> {
  const { test, source } = darkRuleOf(run.bl, run.number);
  if (test === "beam-monitor") {
    const column = await readRecorded(run, [BEAM_MONITOR], all, options);
    if (column === undefined) throw undecidable(run, [BEAM_MONITOR]);
    const rule = `dark = ${BEAM_MONITOR} below ${BEAM_MONITOR_DARK_COULOMB} C or not-converged, at the head of the run`;
    return { basis: { rule, signals: [BEAM_MONITOR], source }, state: (i) => monitorState(column, i) };
  }
  const both = test === "open-and-close";
  const spellings = shutterNames(run.bl);
  const recorded = await readFlags(run, spellings, all, options);
  if (recorded === undefined) {
    throw undecidable(
      run,
      spellings.map(({ open }) => open),
    );
  }
  const stronger = !both && recorded.both && mirrors(recorded, all.length);
  const flags = both || stronger ? recorded : openAlone(recorded);
  const weaker = both && !flags.both;
  const basis = {
    rule: `dark = open 0${flags.both ? " and close 1" : ""}, at the head of the run`,
    signals: flags.signals,
    source: weaker
      ? `${source}; the close flag is not recorded here, so the open flag decides alone`
      : stronger
        ? `${source}; in this run the close flag mirrors it, so both decide`
        : source,
  };
  return { basis, state: flags.state };
}

/**
 * Whether the close flag of an old run can be used: wherever the shutter was open and wherever it was closed, it
 * mirrors the open flag at nine of ten shots.
 */
function mirrors({ state, open }: Flags, count: number): boolean {
  const [told, agrees] = [
    [0, 0],
    [0, 0],
  ];
  for (let i = 0; i < count; i++) {
    const value = open(i);
    if (value !== 0 && value !== 1) continue;
    if (state(i) === "flags-agree") agrees[value] = (agrees[value] ?? 0) + 1;
    else if (state(i) !== "flag-missing") told[value] = (told[value] ?? 0) + 1;
  }
  return [0, 1].every((value) => (told[value] ?? 0) > 0 && (told[value] ?? 0) >= 9 * (agrees[value] ?? 0));
}

/** The X-ray shutter's flags under their SyncDB names, and as DataConvert writes them. */
function shutterNames(bl: number): { open: string; close: string }[] {
  return [
    { open: `xfel_bl_${bl}_shutter_1_open_valid/status`, close: `xfel_bl_${bl}_shutter_1_close_valid/status` },
    { open: `bl_${bl}/shutter_1_open_valid_status`, close: `bl_${bl}/shutter_1_close_valid_status` },
  ];
}

function monitorState(column: SignalColumn, i: number): FlagState {
  const reason = column.reason(i);
  if (reason === "missing") return "flag-missing";
  if (reason === "not-converged") return "closed";
  if (reason === "saturated") return "open";
  return (column.values[i] ?? NaN) < BEAM_MONITOR_DARK_COULOMB ? "closed" : "open";
}

function undecidable(run: RunReader, signals: readonly string[]): APIError {
  return new APIError(
    "UNKNOWN_SIGNAL",
    `Dark and exposed shots of run ${run.number} of beamline ${run.bl} cannot be classified: ` +
      `the source has no values for ${showList(signals)}. Name the dark tags or a dark run yourself.`,
    { details: { bl: run.bl, run: run.number, signals: [...signals] } },
  );
}
