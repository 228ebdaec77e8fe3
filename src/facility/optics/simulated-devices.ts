import type { SimulatedDevice } from "../control/simulated-device.ts";
import { channelCut } from "./channel-cut.ts";
import { machine } from "./machine.ts";
import { pumpFel } from "./pump-fel.ts";
import { rockingCrystal } from "./rocking-crystal.ts";
import { splitDelay } from "./split-delay.ts";

/** Every device with a file of its own, in the order in which the light passes them. */
export const simulatedDevices: readonly SimulatedDevice[] = [machine, channelCut, splitDelay, pumpFel, rockingCrystal];
