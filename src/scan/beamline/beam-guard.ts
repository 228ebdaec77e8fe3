import type { ControlView } from "../../ec/index.ts";
import { isShutterClosed } from "../../ec/xray-shutter.ts";
import { noBeam, whyBeamIsOff } from "./beam-look.ts";
import { BeamWait } from "./beam-wait.ts";
import type { DoOptions } from "./beamline.ts";
import type { ControlledFacility, ShotFeed } from "./shot-feed.ts";

/**
 * Nobody but the holder of the lease can open the X-ray shutter again, and that is for a person to say: somebody or an
 * interlock has closed it.
 */
const CLOSED_SHUTTER_SECONDS = 60;
const ASK_EVERY_MS = 1000;
/** A pulse or two that are missing are no reason to ask. */
const FIRST_ASKED_MS = 500;

/** What a wait for the beam is bounded by, and whom to ask why there is none. */
export interface BeamGuardOptions {
  readonly facility: ControlledFacility;
  readonly control: ControlView;
  /** Device name of the X-ray shutter, where it is known. */
  readonly shutter: string | undefined;
  /** Longest wait. */
  readonly seconds: number;
}

/** Follows whether shots come with beam: tells a wait, why it is, and ends it when it is too long. */
export class BeamGuard {
  readonly #options: BeamGuardOptions;
  readonly #feed: ShotFeed;
  readonly #wait: BeamWait;
  readonly #hasBudget: boolean;
  readonly #kept: string;
  #goodMs: number;
  #askAtMs = 0;
  #whyOff = "";
  #isClosed = false;

  /** @param kept - ends the message of the error: what is left of the scan */
  constructor(
    options: BeamGuardOptions,
    feed: ShotFeed,
    budgetSeconds: number | undefined,
    how: DoOptions,
    kept = "What was measured so far is kept.",
  ) {
    this.#options = options;
    this.#feed = feed;
    this.#hasBudget = budgetSeconds !== undefined;
    this.#goodMs = feed.nowMs;
    this.#wait = new BeamWait(feed.nowMs, budgetSeconds, how);
    this.#kept = kept;
  }

  get heldSeconds(): number {
    return this.#wait.heldMs / 1000;
  }

  /** @param holding - why the last shot came without beam; null when it had some @throws NO_BEAM */
  async look(holding: string | null): Promise<void> {
    const wait = this.#wait;
    const { beamOff, nowMs } = this.#feed;
    if (holding === null && beamOff === null) {
      this.#goodMs = nowMs;
      wait.look(nowMs, null);
      return;
    }
    if (nowMs - this.#goodMs >= FIRST_ASKED_MS && nowMs >= this.#askAtMs) await this.#ask(nowMs);
    const because = this.#whyOff === "" ? "" : `, ${this.#whyOff}`;
    const missing = beamOff ?? { why: `${holding ?? ""}${because}` };
    const { seconds, shutter } = this.#options;
    const longest = this.#isClosed ? Math.min(seconds, CLOSED_SHUTTER_SECONDS) : seconds;
    wait.look(nowMs, missing, longest);
    if (this.#hasBudget) return;
    if (wait.waitedMs <= 1000 * longest) return;
    const closed = this.#isClosed ? `, the shutter ${shutter} is closed` : "";
    const waited = wait.waitedMs / 1000;
    wait.end();
    throw noBeam(waited, `${missing.why}${missing.why.includes(String(shutter)) ? "" : closed}`, this.#kept);
  }

  /** The shots are over, perhaps in the middle of a hold. */
  end(): void {
    this.#wait.end();
  }

  async #ask(nowMs: number): Promise<void> {
    const { facility, control, shutter } = this.#options;
    this.#askAtMs = nowMs + ASK_EVERY_MS;
    this.#whyOff = await whyBeamIsOff(control);
    this.#isClosed = shutter !== undefined && (await isShutterClosed(facility, control.bl, shutter));
  }
}
