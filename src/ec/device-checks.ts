import { SaclaError, show, showList } from "../core/errors.ts";
import { nearestNames } from "../core/nearest-names.ts";
import type { AxisInfo, DeviceInfo, DeviceReading, SettingInfo } from "./driver.ts";

/** The device of that name and kind. @throws UNKNOWN_DEVICE naming the nearest */
export function findDevice<K extends DeviceInfo["kind"]>(
  devices: readonly DeviceInfo[],
  bl: number,
  kind: K,
  name: string,
): DeviceInfo & { kind: K } {
  const found = devices.find(
    (device): device is DeviceInfo & { kind: K } =>
      device.kind === kind && (device.name === name || device.syncdb === name),
  );
  if (found !== undefined) return found;
  const names = devices.filter((device) => device.kind === kind).map((device) => device.name);
  const other = devices.find((device) => device.name === name);
  const hint = other === undefined ? "" : ` ${name} is of the kind ${other.kind}.`;
  const near = nearestNames(name, names, 3);
  const which = near.length > 0 ? `the nearest are ${showList(near)}` : `it has ${showList(names)}`;
  throw new SaclaError("UNKNOWN_DEVICE", `Beamline ${bl} has no ${kind} ${show(name)}; ${which}.${hint}`, {
    details: { bl, kind, name },
  });
}

/** @throws LIMIT when a move to `pulses` is not within the hard limits */
export function checkLimits({ name, limitsPulses }: AxisInfo, pulses: number): void {
  const why = whyOutside(limitsPulses, pulses, "pulses");
  if (why !== "")
    throw new SaclaError("LIMIT", `${name} cannot go to ${pulses} pulses: ${why}.`, {
      details: { axis: name, pulses, limitsPulses },
    });
}

/**
 * Why a value is not allowed; "" when it is. Equal or turned limits allow nothing: `unlimited` is said so, never as
 * 0,0.
 */
export function whyOutside(limits: readonly [number, number] | "unlimited", value: number, unit: string): string {
  if (limits === "unlimited") return "";
  const [from, to] = limits;
  if (!(from < to))
    return `its limits are ${from} to ${to}, which allows no motion; an axis without limits says "unlimited"`;
  return value >= from && value <= to ? "" : `its limits are ${from} to ${to} ${unit}`;
}

/** @throws LIMIT */
export function checkSpeed({ name, speedLimits }: AxisInfo, speed: number): void {
  const [slowest, fastest] = speedLimits;
  // Two equal limits are those of an axis with one speed.
  if (speed > 0 && speed >= slowest && speed <= fastest) return;
  const why = speed > 0 ? `its limits are ${slowest} to ${fastest} pulses/s` : "a speed is above 0";
  throw new SaclaError("LIMIT", `${name} cannot go at ${speed} pulses/s: ${why}.`, {
    details: { axis: name, speed, speedLimits },
  });
}

/** @throws LIMIT when a setting does not take `value` */
export function checkAllowed(info: SettingInfo, value: number | string): void {
  const { name, allowed } = info;
  const why = whyNotAllowed(info, value);
  if (why !== "")
    throw new SaclaError("LIMIT", `${name} cannot be set to ${show(value)}: ${why}.`, {
      details: { setting: name, value, allowed },
    });
}

/** Why a setting does not take a value; "" when it does. What belongs to the accelerator takes none from here. */
export function whyNotAllowed(info: SettingInfo, value: number | string): string {
  if (info.role !== "accelerator") return whyOutOfRange(info, value);
  const how = isOnlyRead(info) ? "ask them" : `ask them: sacla requests ask ${info.name}=VALUE, or control.request(…)`;
  return `the operators of the accelerator alone change it; ${how}`;
}

/** Whether a setting takes no value at all. */
function isOnlyRead({ allowed }: SettingInfo): boolean {
  return !("from" in allowed) && allowed.length === 0;
}

/** Why a value is not one of those allowed; "" when it is. */
export function whyOutOfRange(info: SettingInfo, value: number | string): string {
  const { allowed, unit } = info;
  if (isOnlyRead(info)) return "it is only read from here";
  if (!("from" in allowed))
    return allowed.includes(value) ? "" : `it takes ${showList(allowed, 30)}${unit === "" ? "" : ` ${unit}`}`;
  const { from, to } = allowed;
  return typeof value === "number" && value >= from && value <= to
    ? ""
    : `it takes a number from ${from} to ${to}${unit === "" ? "" : ` ${unit}`}`;
}

/** Why, as it ends a message: a control system may give no reason. */
export function reason(why: string): string {
  return why === "" ? "no reason given" : why;
}

/** @throws DEVICE_BUSY, INTERLOCK, DEVICE_FAULT when a device cannot be changed now */
export function checkReady({ device, state, value, why }: DeviceReading): void {
  if (state === "ready") return;
  const details = { device, state, value, why };
  if (state === "moving")
    throw new SaclaError("DEVICE_BUSY", `${device} is still moving (at ${value}); wait for it or stop it.`, {
      details,
    });
  if (state === "locked") throw new SaclaError("INTERLOCK", `${device} is locked: ${reason(why)}.`, { details });
  throw new SaclaError("DEVICE_FAULT", `${device} is at fault: ${reason(why)}.`, { details });
}
