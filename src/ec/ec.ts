import type { CallOptions } from "../core/async.ts";
import { asText } from "../core/guards.ts";
import { any, oneOf, resolveOptions } from "../core/options.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { CallResult } from "../transport/methods.ts";
import type { AcceleratorRequest, RequestEntry } from "../transport/request-methods.ts";
import { Control, type ControlOptions } from "./control.ts";
import type { ControlView } from "./control-view.ts";
import type { BeamState, DeviceInfo, DeviceReading, RunState } from "./driver.ts";
import type { Experiment, ExperimentDefinition } from "./experiment.ts";

/**
 * Control of the experiment over an Endpoint. Reading is free; changing needs the lease of the beamline, which
 * {@link Ec.control} takes.
 *
 * @example
 * await using control = await facility.ec.control(3, { name: "night shift", reason: "delay scan", experiment });
 * await control.axis("delay").moveTo(1.5);
 */
export class Ec {
  readonly #endpoint: Endpoint;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  /**
   * Takes the lease of a beamline and keeps it by heartbeat until it is released.
   * @throws LEASE_HELD saying by whom, why and for how long
   * @throws UNKNOWN_DEVICE when the experiment names a device that is not there @throws UNSUPPORTED when the source
   * controls nothing
   */
  async control<const D extends ExperimentDefinition = ExperimentDefinition>(
    bl: number,
    options: ControlOptions<D>,
  ): Promise<Control<D>> {
    return await Control.take(this.#endpoint, bl, options);
  }

  /**
   * As {@link Ec.control} without the lease: for positions, tables now → will be and snapshots.
   * @throws UNKNOWN_DEVICE, UNSUPPORTED
   */
  async view<const D extends ExperimentDefinition = ExperimentDefinition>(
    bl: number,
    options: { readonly experiment?: Experiment<D> | undefined } = {},
  ): Promise<ControlView<D>> {
    const { experiment } = resolveOptions("ec.view", options, { experiment: any });
    return await Control.view(this.#endpoint, bl, experiment);
  }

  /** Axes, shutters and settings of a beamline. */
  async devices(bl: number, options: CallOptions = {}): Promise<readonly DeviceInfo[]> {
    return await this.#endpoint.call("ec.devices", { bl }, options);
  }

  /** Where a device is, by its control name or equipment id. @throws UNKNOWN_DEVICE */
  async read(bl: number, device: string, options: CallOptions = {}): Promise<DeviceReading> {
    return await this.#endpoint.call("ec.read", { bl, device }, options);
  }

  /** Who controls a beamline; null: nobody. */
  async holder(bl: number, options: CallOptions = {}): Promise<CallResult<"lease.holder">> {
    return await this.#endpoint.call("lease.holder", { bl }, options);
  }

  /** Whether X-rays reach the hutch, and if not why. */
  async beam(bl: number, options: CallOptions = {}): Promise<BeamState> {
    return await this.#endpoint.call("ec.beam", { bl }, options);
  }

  async runState(bl: number, options: CallOptions = {}): Promise<RunState> {
    return await this.#endpoint.call("ec.runState", { bl }, options);
  }

  /** Stops an axis, whoever moves it; null: every axis of the beamline. Needs no lease. */
  async stop(bl: number, axis: string | null): Promise<void> {
    await this.#endpoint.call("ec.stop", { bl, axis }, { key: crypto.randomUUID() });
  }

  /** Closes a shutter, whoever opened it. Needs no lease. */
  async closeShutter(bl: number, shutter: string): Promise<void> {
    await this.#endpoint.call("ec.setShutter", { bl, lease: null, shutter, open: false }, { key: crypto.randomUUID() });
  }

  /** Pauses the run, whoever started it. Needs no lease. */
  async pauseRun(bl: number): Promise<void> {
    await this.#endpoint.call("ec.pauseRun", { bl }, { key: crypto.randomUUID() });
  }

  /** What may be asked of the operators of the accelerator, and the machine's mode. */
  async requestRules(bl: number, options: CallOptions = {}): Promise<CallResult<"request.rules">> {
    return await this.#endpoint.call("request.rules", { bl }, options);
  }

  /** The last requests to the operators of the accelerator, oldest first. @param last - @default 20 */
  async requests(bl: number, last = 20, options: CallOptions = {}): Promise<readonly AcceleratorRequest[]> {
    return await this.#endpoint.call("request.list", { bl, last }, options);
  }

  /** The dialogue with them, a thousand lines at most. @param after - number of the last line one has. @default 0 */
  async requestLog(bl: number, after = 0, options: CallOptions = {}): Promise<readonly RequestEntry[]> {
    return await this.#endpoint.call("request.log", { bl, after, most: 1000 }, options);
  }

  /**
   * The operators' side: accepts, declines, offers another value, or stops what is under way. On a server this needs
   * the role `operator`.
   * @throws BAD_ARGUMENT when the answer does not fit the request's state @throws INTERLOCK, LIMIT, NOT_ALLOWED
   */
  async answerRequest(bl: number, id: number, answer: AnswerOptions): Promise<AcceleratorRequest> {
    const given = resolveOptions("answerRequest", answer, {
      operator: asText,
      answer: oneOf("accept", "change", "decline", "stop"),
      to: any,
      why: any,
    });
    const { to = null, why = "" } = answer;
    const params = { bl, id, operator: given.operator, answer: given.answer, to, why };
    return await this.#endpoint.call("request.answer", params, { key: crypto.randomUUID() });
  }

  /** Withdraws a request, or has the value before put back. Needs no lease. @throws BAD_ARGUMENT when it has ended */
  async cancelRequest(bl: number, id: number, by: string, why = ""): Promise<AcceleratorRequest> {
    return await this.#endpoint.call("request.cancel", { bl, id, by, why }, { key: crypto.randomUUID() });
  }
}

/** What the operators say. */
export interface AnswerOptions {
  readonly operator: string;
  readonly answer: "accept" | "change" | "decline" | "stop";
  /** The value that is offered instead, of `change`. */
  readonly to?: number | string | undefined;
  readonly why?: string | undefined;
}
