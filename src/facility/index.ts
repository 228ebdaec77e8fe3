export { type Clock, realClock, VirtualClock } from "../core/clock.ts";
export { RehearsalClock } from "./control/rehearsal-clock.ts";
export { loadScenario, type Scenario, scenarioNames } from "./control/scenario.ts";
export type { EmissionLineTruth, Pump } from "./experiment.ts";
export { demoRun } from "./experiments.ts";
export {
  createSimulatedFacility,
  type SimulatedFacilityOptions,
  simulatedEndpoint,
} from "./facility.ts";
export type { SampleSpot } from "./samples.ts";
export { simulatedScheme } from "./scheme.ts";
export type { SimulatedFacility, TimingMonitorEdges } from "./simulated-facility.ts";
export type { Crystal, FacilityTruth, SensorTruth, ShotTruth } from "./truth.ts";
