import type { Endpoint } from "../transport/endpoint.ts";
import type { DeviceInfo, ShutterInfo } from "./driver.ts";

interface Asked {
  readonly endpoint: Endpoint;
}

/** The X-ray shutter of a beamline: the one whose flags are those of `shutter_1` in the SyncDB. */
export async function xrayShutter({ endpoint }: Asked, bl: number): Promise<ShutterInfo | undefined> {
  const devices: readonly DeviceInfo[] = await endpoint.call("ec.devices", { bl });
  return devices.find(
    (device): device is ShutterInfo =>
      device.kind === "shutter" && /^xfel_bl_\d+_shutter_1_open/.test(device.syncdb ?? ""),
  );
}

export async function isShutterClosed({ endpoint }: Asked, bl: number, device: string): Promise<boolean> {
  return (await endpoint.call("ec.read", { bl, device })).value === "closed";
}
