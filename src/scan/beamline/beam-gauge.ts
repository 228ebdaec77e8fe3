import { durationText } from "../../core/time-text.ts";
import type { Control } from "../../ec/index.ts";
import { xrayShutter } from "../../ec/xray-shutter.ts";
import type { ShotCondition, ShotsRequest } from "../messages/messages.ts";
import type { BeamGuardOptions } from "./beam-guard.ts";
import { type BeamLook, type BeamRule, lookAtBeam, noBeam } from "./beam-look.ts";
import type { DoOptions } from "./beamline.ts";
import { type ControlledFacility, type FeedOptions, ShotFeed } from "./shot-feed.ts";

/** As of `controlBeamline`. */
interface GaugeOptions extends FeedOptions {
  readonly beam?: BeamRule | undefined;
  readonly beamWaitSeconds?: number | undefined;
}

/** Longest waits for the beam, seconds: before a plan begins, and at a point. */
const BEFORE_SECONDS = 600;
const AT_A_POINT_SECONDS = 3600;
/** Before a plan begins a closed shutter is waited for so long: somebody may be about to open it. */
const CLOSED_BEFORE_SECONDS = 60;
/** Where the control says that there is no beam and the monitor shows some, so many further shots tell who is right. */
const DOUBTED_SHOTS = 30;
const DOUBTED_MS = 5000;

/** What a shot with beam is: looked at before a plan, or with its first shots. */
export class BeamGauge {
  readonly #facility: ControlledFacility;
  readonly #control: Control;
  readonly #options: GaugeOptions;
  #condition: ShotCondition | undefined;
  #guard: BeamGuardOptions | undefined;

  constructor(facility: ControlledFacility, control: Control, options: GaugeOptions) {
    this.#facility = facility;
    this.#control = control;
    this.#options = options;
  }

  /** Looks, and waits for beam unless the plan is to let it in. @throws NO_BEAM */
  async prepare(opens: readonly string[], how: DoOptions): Promise<void> {
    const { beam, beamWaitSeconds } = this.#options;
    if (beam === "off") return;
    const feed = new ShotFeed(this.#facility, this.#control, this.#options);
    await feed.begin([], how.signal);
    let warned = "";
    let told = false;
    let shots = 0;
    for (;;) {
      const look = await this.#look(opens, how.signal);
      if (look.warning !== warned && look.warning !== "") how.note?.(`warning: ${look.warning}`);
      warned = look.warning;
      const isKnown = !look.isDoubtful || shots >= DOUBTED_SHOTS || feed.nowMs > DOUBTED_MS;
      if ((look.isOn && isKnown) || look.isOpenedByPlan) {
        how.waiting?.(false);
        how.note?.(`beam: ${look.text}`);
        return;
      }
      if (look.isOn) {
        await feed.next(() => shots++, how.signal);
        continue;
      }
      const longest = look.warning === "" ? BEFORE_SECONDS : CLOSED_BEFORE_SECONDS;
      const seconds = Math.min(longest, beamWaitSeconds ?? longest);
      if (!told)
        how.note?.(
          `no beam: ${look.why}. Waits for it before anything moves, for at most ${durationText(seconds)}; ` +
            "Ctrl+C ends the wait. Shots that need no beam: --beam off.",
        );
      told = true;
      how.waiting?.(true);
      if (feed.nowMs > 1000 * seconds) throw noBeam(feed.nowMs / 1000, look.why, "Nothing was moved.");
      await feed.next(() => {}, how.signal);
    }
  }

  /** The condition for a request; undefined when every shot counts. */
  async conditionFor(
    { beam }: Pick<ShotsRequest, "beam">,
    signal: AbortSignal | undefined,
  ): Promise<ShotCondition | undefined> {
    if (beam !== undefined) return beam === "off" ? undefined : beam;
    if (this.#options.beam === "off") return undefined;
    if (this.#condition === undefined) await this.#look([], signal);
    return this.#condition;
  }

  async guard(): Promise<BeamGuardOptions> {
    this.#guard ??= {
      facility: this.#facility,
      control: this.#control,
      shutter: (await xrayShutter(this.#facility, this.#control.bl))?.name,
      seconds: this.#options.beamWaitSeconds ?? AT_A_POINT_SECONDS,
    };
    return this.#guard;
  }

  async #look(opens: readonly string[], signal: AbortSignal | undefined): Promise<BeamLook> {
    const look = await lookAtBeam(this.#facility, this.#control, this.#options, opens, signal);
    this.#condition = look.condition;
    return look;
  }
}
