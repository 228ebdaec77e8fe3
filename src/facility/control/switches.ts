import { TAG_RATE_HZ } from "../../core/constants.ts";
import { SaclaError } from "../../core/errors.ts";
import { checkAllowed } from "../../ec/device-checks.ts";
import type { DeviceReading, SettingInfo } from "../../ec/index.ts";
import { controlParameters } from "./parameters.ts";
import type { FaultDraws } from "./stage.ts";
import { StepLog } from "./step-log.ts";

/** Where a shutter is: it lets light through only when it has opened all the way. */
type ShutterPlace = "open" | "closed" | "between";

const travelTicks = controlParameters.shutterTravelSeconds * TAG_RATE_HZ;

/** A shutter that takes its time. Closing never fails; opening may, without a word, as at a real beamline. */
export class ShutterDevice {
  readonly name: string;
  readonly #log = new StepLog(false);
  readonly #stuckShare: number;
  readonly #faultDraws: FaultDraws;

  constructor(name: string, stuckShare: number, faultDraws: FaultDraws) {
    this.name = name;
    this.#stuckShare = stuckShare;
    this.#faultDraws = faultDraws;
  }

  placeAt(tick: number): ShutterPlace {
    const { start, value } = this.#log.at(tick);
    return placeOf(value, tick - start);
  }

  /** When it may be somewhere else than at a tick. */
  nextChange(tick: number): number {
    const { start, value } = this.#log.at(tick);
    return placeOf(value, tick - start) === "between" ? start + travelTicks : this.#log.nextStart(tick);
  }

  restsAt(): number {
    return this.#log.last.start + travelTicks;
  }

  /** `lock`: why it may not be opened; "" when it may. */
  read(now: number, lock = ""): DeviceReading {
    const { start, value } = this.#log.last;
    const place = placeOf(value, now - start);
    if (lock !== "") return { device: this.name, state: "locked", value: "closed", why: lock };
    // On its way it is still what it was.
    const shown = place === "between" ? (value ? "closed" : "open") : place;
    return { device: this.name, state: place === "between" ? "moving" : "ready", value: shown, why: "" };
  }

  set(now: number, open: boolean): void {
    if (open === this.#log.last.value) return;
    if (open && this.#faultDraws.draw("shutter stuck") < this.#stuckShare) return;
    this.#log.add(now, open);
  }
}

function placeOf(isOpen: boolean, ticks: number): ShutterPlace {
  if (ticks < travelTicks) return "between";
  return isOpen ? "open" : "closed";
}

/** A wheel, an amplifier, a chopper: something on one value out of those allowed. */
export class SettingDevice {
  readonly info: SettingInfo;
  readonly #log: StepLog<number | string>;
  readonly #travelTicks: number;
  readonly #refusedShare: number;
  readonly #faultDraws: FaultDraws;

  constructor(
    info: SettingInfo,
    home: number | string,
    travelSeconds: number,
    refusedShare: number,
    faultDraws: FaultDraws,
  ) {
    this.info = info;
    this.#log = new StepLog(home);
    this.#travelTicks = travelSeconds * TAG_RATE_HZ;
    this.#refusedShare = refusedShare;
    this.#faultDraws = faultDraws;
  }

  /** The value in force at a tick, and since when. */
  at(tick: number): { readonly value: number | string; readonly since: number } {
    const { start, value, before } = this.#log.at(tick);
    const since = start + this.#travelTicks;
    return since <= tick ? { value, since } : { value: before, since: -Infinity };
  }

  numberAt(tick: number): number {
    const { value } = this.at(tick);
    return typeof value === "number" ? value : NaN;
  }

  restsAt(): number {
    return this.#log.last.start + this.#travelTicks;
  }

  read(now: number): DeviceReading {
    const isMoving = now < this.restsAt();
    const { value } = isMoving ? this.at(now) : this.#log.last;
    return { device: this.info.name, state: isMoving ? "moving" : "ready", value, why: "" };
  }

  /** @throws LIMIT, DEVICE_BUSY */
  set(now: number, value: number | string): void {
    checkAllowed(this.info, value);
    const { name } = this.info;
    if (now < this.restsAt())
      throw new SaclaError("DEVICE_BUSY", `${name} is still moving; wait for it.`, { details: { setting: name } });
    if (this.#faultDraws.draw("refused") < this.#refusedShare) {
      throw new SaclaError("DEVICE_BUSY", `${name} is used by another program at the moment; ask again.`, {
        details: { setting: name },
      });
    }
    this.#log.add(now, value);
  }
}
