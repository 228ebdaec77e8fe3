import { throwIfAborted } from "../../core/async.ts";
import { any, resolveOptions } from "../../core/options.ts";
import type { Message } from "../messages/messages.ts";
import type { Beamline } from "./beamline.ts";
import { VirtualDevices, type VirtualDevicesOptions } from "./virtual-devices.ts";

/** What is done to virtual devices. */
export type VirtualCall = Message | { readonly kind: "safe" | "pauseRun" | "resumeRun" };

export interface VirtualBeamlineOptions {
  /** Called before anything is done to a device: a test throws here what a device would. */
  readonly fault?: ((call: VirtualCall, devices: VirtualDevices) => void) | undefined;
}

/** A beamline in numbers, with its devices at hand. */
export interface VirtualBeamline extends Beamline {
  readonly devices: VirtualDevices;
}

/**
 * Devices that exist only in numbers, on a clock of their own: a scan of an hour is over at once.
 * @example
 * const beamline = virtualBeamline({ axes: { delay: { limits: { from: -10, to: 500 }, speed: 100 } } });
 * await new Engine(beamline).run(scan({ axis: "delay", from: -1, to: 4, points: 26, shots: 60 }));
 */
export function virtualBeamline(options: VirtualDevicesOptions, how: VirtualBeamlineOptions = {}): VirtualBeamline {
  const { fault = (): void => {} } = resolveOptions("virtualBeamline", how, { fault: any });
  const devices = new VirtualDevices(options);
  return {
    devices,
    rateHz: devices.rateHz,
    now: () => 1000 * devices.seconds,
    sleep: async (ms, signal) => {
      throwIfAborted(signal);
      devices.seconds += ms / 1000;
    },
    limits: (axis) => devices.limits(axis),
    where: async (axes) => devices.where(axes),
    move: async (to, { signal }) => {
      throwIfAborted(signal);
      fault({ kind: "move", to }, devices);
      throwIfAborted(signal);
      devices.move(to);
      return devices.where(Object.keys(to));
    },
    set: async (setting, value) => {
      fault({ kind: "set", setting, value }, devices);
      devices.set(setting, value);
    },
    request: async (request, { signal }) => {
      throwIfAborted(signal);
      fault({ kind: "request", request }, devices);
      return devices.request(request);
    },
    shutter: async (name, open) => {
      fault({ kind: "shutter", name, open }, devices);
      devices.shutter(name, open);
    },
    shots: async (request, { signal, note }) => {
      throwIfAborted(signal);
      fault({ kind: "shots", request }, devices);
      throwIfAborted(signal);
      return devices.shots(request, note);
    },
    fly: async (request, { signal }) => {
      throwIfAborted(signal);
      fault({ kind: "fly", request }, devices);
      return devices.fly(request);
    },
    runs: {
      state: async () => devices.run(),
      start: async (request) => {
        fault({ kind: "startRun", request }, devices);
        return { run: devices.startRun(request) };
      },
      stop: async ({ signal }) => {
        throwIfAborted(signal);
        fault({ kind: "stopRun" }, devices);
        devices.stopRun();
      },
      pause: async () => {
        fault({ kind: "pauseRun" }, devices);
        devices.pauseRun();
      },
      resume: async () => {
        fault({ kind: "resumeRun" }, devices);
        devices.resumeRun();
      },
    },
    safe: async () => {
      fault({ kind: "safe" }, devices);
      devices.closeAll();
    },
  };
}
