export { type Clock, realClock, VirtualClock } from "../core/clock.ts";
export { demoRun, type Pump } from "./experiments.ts";
export { createSimulatedFacility, type SimulatedFacility, type SimulatedFacilityOptions, type TimingEdges } from "./facility.ts";
export type { Spot } from "./samples.ts";
export { simulatedScheme } from "./scheme.ts";
export type { FacilityTruth, SensorTruth, ShotTruth } from "./truth.ts";
