import { DbApiError as APIError } from "../core/api-errors.ts";
import type { CallOptions } from "../core/async.ts";
import { showList } from "../core/errors.ts";
import { BEAM_MONITOR, BEAM_MONITOR_DARK_COULOMB, darkRuleOf } from "./dark-rule.ts";
import { AGREE, CLOSED, type Flags, MISSING, OPEN, openAlone, readFlags, readRecorded } from "./flags.ts";
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
  /** As {@link Flags.states}. */
  readonly states: Uint8Array;
}

/**
 * Classifies shots as dark or exposed by the dated rule of the run.
 * @param tags - all tags of the run, since which closed shots are dark depends on those before them
 * @throws UNKNOWN_SIGNAL when the source has none of the rule's signals
 */
export async function readXrayStates(run: RunReader, tags: RunTags, options?: CallOptions): Promise<XrayStates> {
  const { basis, states } = await readVerdicts(run, tags, options);
  // A shot without a flag is not dark, but neither does it show that the shutter has opened.
  const opened = states.findIndex((state) => state === OPEN || state === AGREE);
  const head = opened < 0 ? states.length : opened;
  // Most ask for the tags in order.
  let next = 0;
  const stateOf = (tag: number): XrayState => {
    const i = tags.values[next] === tag ? next : tags.indexOf(tag);
    next = i + 1;
    return xrayState(states[i] ?? MISSING, i < head);
  };
  return { tags, basis, stateOf };
}

function xrayState(state: number, isHead: boolean): XrayState {
  if (state === CLOSED) return isHead ? "dark" : "closed-after-head";
  if (state === OPEN) return "exposed";
  return state === AGREE ? "xray-flags-agree" : "xray-flag-missing";
}

async function readVerdicts(run: RunReader, all: RunTags, options: CallOptions | undefined): Promise<Verdicts> {
  const { test, source } = darkRuleOf(run.bl, run.number);
  if (test === "beam-monitor") {
    const column = await readRecorded(run, [BEAM_MONITOR], all, options);
    if (column === undefined) throw undecidable(run, [BEAM_MONITOR]);
    const rule = `dark = ${BEAM_MONITOR} below ${BEAM_MONITOR_DARK_COULOMB} C or not-converged, at the head of the run`;
    return { basis: { rule, signals: [BEAM_MONITOR], source }, states: monitorStates(column) };
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
  const stronger = !both && recorded.both && mirrors(recorded);
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
  return { basis, states: flags.states };
}

/**
 * Whether the close flag of an old run can be used: wherever the shutter was open and wherever it was closed, it
 * mirrors the open flag at nine of ten shots.
 */
function mirrors({ states, open }: Flags): boolean {
  const [told, agrees] = [
    [0, 0],
    [0, 0],
  ];
  for (let i = 0; i < states.length; i++) {
    const [value, state] = [open[i] ?? NaN, states[i]];
    if (state === AGREE) agrees[value] = (agrees[value] ?? 0) + 1;
    else if (state !== MISSING) told[value] = (told[value] ?? 0) + 1;
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

function monitorStates(column: SignalColumn): Uint8Array {
  return Uint8Array.from(column.values, (value, i) => {
    const reason = column.reason(i);
    if (reason === "missing") return MISSING;
    if (reason === "not-converged") return CLOSED;
    return reason === null && value < BEAM_MONITOR_DARK_COULOMB ? CLOSED : OPEN;
  });
}

function undecidable(run: RunReader, signals: readonly string[]): APIError {
  return new APIError(
    "UNKNOWN_SIGNAL",
    `Dark and exposed shots of run ${run.number} of beamline ${run.bl} cannot be classified: ` +
      `the source has no values for ${showList(signals)}. ` +
      "Name the dark tags or a dark run yourself, or take all shots (--class all).",
    { details: { bl: run.bl, run: run.number, signals: [...signals] } },
  );
}
