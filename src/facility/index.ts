export { type Clock, realClock, VirtualClock } from "../core/clock.ts";
export type { Crystal } from "./control/beamline.ts";
export { RehearsalClock } from "./control/rehearsal-clock.ts";
export { loadScenario, type Scenario, scenarioNames } from "./control/scenario.ts";
export { demoRun, type Pump } from "./experiments.ts";
export {
  createSimulatedFacility,
  type SimulatedFacility,
  type SimulatedFacilityOptions,
  simulatedEndpoint,
  type TimingEdges,
} from "./facility.ts";
export type { Spot } from "./samples.ts";
export { simulatedScheme } from "./scheme.ts";
export type { FacilityTruth, SensorTruth, ShotTruth } from "./truth.ts";
