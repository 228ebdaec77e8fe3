import { TAG_RATE_HZ } from "../../core/constants.ts";
import { SaclaError, show } from "../../core/errors.ts";
import { whyOutOfRange } from "../../ec/device-checks.ts";
import type { DeviceReading, SettingInfo } from "../../ec/index.ts";
import { controlParameters } from "./parameters.ts";
import type { Scenario } from "./scenario.ts";
import type { DeviceRest, FaultDraws } from "./stage.ts";
import { StepLog } from "./step-log.ts";

/** Where a shutter is: it lets light through only when it has opened all the way. */
type ShutterPlace = "open" | "closed" | "between";

const travelTicks = controlParameters.shutterTravelSeconds * TAG_RATE_HZ;

/** A shutter that takes its time. Closing never fails; opening may, without a word, as at a real beamline. */
export class ShutterDevice {
  readonly name: string;
  readonly #log: StepLog<boolean>;
  readonly #stuckShare: number;
  readonly #faultDraws: FaultDraws;

  constructor(name: string, stuckShare: number, faultDraws: FaultDraws, isOpen = false) {
    this.name = name;
    this.#log = new StepLog(isOpen);
    this.#stuckShare = stuckShare;
    this.#faultDraws = faultDraws;
  }

  get rest(): DeviceRest {
    return { value: this.#log.last.value };
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

/** How long a setting takes to another value. */
interface SettingTravel {
  readonly travelSeconds: number;
  /** Of a number that changes steadily. */
  readonly unitsPerSecond?: number | undefined;
}

/** A wheel, an amplifier, a chopper, a magnet: something on one value out of those allowed. */
export class SettingDevice {
  readonly info: SettingInfo;
  readonly #log: StepLog<number | string>;
  readonly #travel: SettingTravel;
  readonly #scenario: Pick<Scenario, "refused" | "stuck">;
  readonly #faultDraws: FaultDraws;

  constructor(
    info: SettingInfo,
    home: number | string,
    travel: SettingTravel,
    scenario: Pick<Scenario, "refused" | "stuck">,
    faultDraws: FaultDraws,
  ) {
    this.info = info;
    this.#log = new StepLog(home);
    this.#travel = travel;
    this.#scenario = scenario;
    this.#faultDraws = faultDraws;
  }

  get rest(): DeviceRest {
    return { value: this.#log.last.value };
  }

  /** The value in force at a tick, and since when. */
  at(tick: number): { readonly value: number | string; readonly since: number } {
    const { start, value, before } = this.#log.at(tick);
    const ticks = this.#ticks(before, value);
    const since = start + ticks;
    if (since <= tick) return { value, since };
    const { unitsPerSecond } = this.#travel;
    if (unitsPerSecond === undefined || typeof before !== "number" || typeof value !== "number")
      return { value: before, since: -Infinity };
    return { value: before + ((value - before) * (tick - start)) / ticks, since: tick };
  }

  numberAt(tick: number): number {
    const { value } = this.at(tick);
    return typeof value === "number" ? value : NaN;
  }

  restsAt(): number {
    const { start, value } = this.#log.last;
    return start + this.#ticks(this.#log.at(Infinity).before, value);
  }

  read(now: number): DeviceReading {
    const isMoving = now < this.restsAt();
    const { value } = isMoving ? this.at(now) : this.#log.last;
    return { device: this.info.name, state: isMoving ? "moving" : "ready", value, why: "" };
  }

  /** @throws LIMIT, DEVICE_BUSY */
  set(now: number, value: number | string): void {
    const { name, role } = this.info;
    const why = whyOutOfRange(this.info, value);
    if (why !== "")
      throw new SaclaError("LIMIT", `${name} cannot be set to ${show(value)}: ${why}.`, { details: { setting: name } });
    if (now < this.restsAt())
      throw new SaclaError("DEVICE_BUSY", `${name} is still moving; wait for it.`, { details: { setting: name } });
    if (this.#faultDraws.draw("refused") < this.#scenario.refused) {
      throw new SaclaError("DEVICE_BUSY", `${name} is used by another program at the moment; ask again.`, {
        details: { setting: name },
      });
    }
    const isStuck = role === "accelerator" && this.#faultDraws.draw("stuck") < this.#scenario.stuck;
    this.#log.add(now, isStuck ? this.#halfWay(value) : value);
  }

  /** Where a ramp of the machine stops that does not come to its end. */
  #halfWay(to: number | string): number | string {
    const { value } = this.#log.last;
    return typeof value === "number" && typeof to === "number" ? (value + to) / 2 : value;
  }

  #ticks(before: number | string, value: number | string): number {
    const { travelSeconds, unitsPerSecond } = this.#travel;
    if (unitsPerSecond === undefined || typeof before !== "number" || typeof value !== "number")
      return travelSeconds * TAG_RATE_HZ;
    return (Math.abs(value - before) / unitsPerSecond) * TAG_RATE_HZ;
  }
}
