import { SaclaError, show, showList } from "../../core/errors.ts";
import { any, finite, integer, optional, resolveOptions } from "../../core/options.ts";
import type { BeamState, ControlDriver, DeviceInfo, DeviceReading, RunState } from "../driver.ts";
import { MadocaLink } from "./link.ts";
import type { MadocaSection } from "./section.ts";
import { parseComplement, parseSetting } from "./text.ts";

export interface MadocaOptions {
  readonly bl: number;
  /** The part `madoca` of the experiment file. */
  readonly madoca: MadocaSection;
  /** Longest wait for an answer, connecting and waiting in the queue included. @default 3000 */
  readonly timeoutMs?: number | undefined;
}

type Entry = MadocaSection["devices"][number];

/**
 * A driver that speaks MADOCA's text form, verb/object/complement, over TCP. The messages of the run control are not
 * public, so runs are UNSUPPORTED. Source: SPring-8 beamline client scripts; that SACLA's objects answer alike is an
 * inference. One request and one reply at a time; what stops and closes has a connection of its own.
 *
 * @example
 * const endpoint = withControl(inner, madocaDriver({ bl: 3, madoca: experiment.madoca }));
 */
export function madocaDriver(options: MadocaOptions): ControlDriver {
  const checks = { bl: integer(), madoca: any, timeoutMs: optional(finite(1), 3000) };
  const { bl, madoca, timeoutMs } = resolveOptions("madocaDriver", options, checks);
  return new MadocaDriver(bl, madoca, timeoutMs);
}

class MadocaDriver implements ControlDriver {
  readonly name: string;
  readonly #bl: number;
  readonly #link: MadocaLink;
  /** For what makes safe: it must not wait for an answer that does not come. */
  readonly #urgent: MadocaLink;
  readonly #entries = new Map<string, Entry>();
  readonly #beam: string | undefined;

  constructor(bl: number, { host, port, devices, beam }: MadocaSection, timeoutMs: number) {
    this.name = `MADOCA at ${host}:${port}`;
    this.#bl = bl;
    this.#link = new MadocaLink(host, port, timeoutMs);
    this.#urgent = new MadocaLink(host, port, timeoutMs);
    for (const entry of devices) this.#entries.set(entry.info.name, entry);
    this.#beam = beam;
  }

  async devices(bl: number): Promise<readonly DeviceInfo[]> {
    if (bl !== this.#bl)
      throw new SaclaError("UNKNOWN_BEAMLINE", `${this.name} serves beamline ${this.#bl}, not ${bl}.`, {
        details: { bl },
      });
    return [...this.#entries.values()].map(({ info }) => info);
  }

  async read(device: string): Promise<DeviceReading> {
    const { object, info } = this.#entry(device);
    const { complement, status } = await this.#link.ask("get", object, info.kind === "shutter" ? "status" : "query");
    if (info.kind === "setting") {
      const { word, value } = parseSetting(complement);
      const { fault, why } = judge(word, complement, status);
      return { device, state: fault ?? stateOf(word, value !== null), value: value ?? complement, why };
    }
    const { word, value, unit } = parseComplement(complement);
    const { fault, why } = judge(word, complement, status);
    if (info.kind === "shutter") {
      const place = word.includes("open") ? "open" : "closed";
      return {
        device,
        state: fault ?? (word === "locked" ? word : /^(open|closed?)$/.test(word) ? "ready" : "moving"),
        value: place,
        why,
      };
    }
    const whose = `it stands for ${device} in the part madoca of the experiment file`;
    if (value === null) {
      if (fault === undefined && word !== "locked")
        throw new SaclaError(
          "DEVICE_FAULT",
          `${object} answered ${show(complement)}, in which there is no position; ${whose}.`,
        );
      return { device, state: fault ?? "locked", value: "unknown", why };
    }
    if (unit !== "" && unit !== "pulse")
      throw new SaclaError(
        "DEVICE_FAULT",
        `${object} answered ${show(complement)}, but the position of an axis must be in pulses; ${whose}.`,
      );
    return { device, state: fault ?? stateOf(word, true), value, why };
  }

  async move(axis: string, pulses: number): Promise<void> {
    await this.#put(axis, "", `${pulses}pulse`);
  }

  async stop(axis: string): Promise<void> {
    await this.#put(axis, "", "stop", true);
  }

  async preset(axis: string, pulses: number): Promise<void> {
    await this.#put(axis, "_preset", `${pulses}pulse`);
  }

  async setSpeed(axis: string, pulsesPerSecond: number): Promise<void> {
    const entry = this.#entry(axis);
    await this.#put(axis, "_speed", `${pulsesPerSecond}pps`);
    if (entry.info.kind === "axis")
      this.#entries.set(axis, { ...entry, info: { ...entry.info, speed: pulsesPerSecond } });
  }

  async setShutter(shutter: string, open: boolean): Promise<void> {
    const [on, off] = this.#entry(shutter).words === "on-off" ? ["on", "off"] : ["open", "close"];
    await this.#put(shutter, "", open ? on : off, !open);
  }

  async set(setting: string, value: number | string): Promise<void> {
    const { info } = this.#entry(setting);
    const unit = info.kind === "setting" && typeof value === "number" ? info.unit : "";
    await this.#put(setting, "", `${value}${unit}`);
  }

  async startRun(): Promise<{ run: number }> {
    throw this.#noRuns();
  }

  async pauseRun(): Promise<void> {
    throw this.#noRuns();
  }

  async resumeRun(): Promise<void> {
    throw this.#noRuns();
  }

  async stopRun(): Promise<void> {
    throw this.#noRuns();
  }

  async runState(): Promise<RunState> {
    throw this.#noRuns();
  }

  async beam(): Promise<BeamState> {
    if (this.#beam === undefined)
      throw new SaclaError(
        "UNSUPPORTED",
        `${this.name} is not told which object says whether there is beam; ` +
          `name it as "beam" in the part madoca of the experiment file.`,
      );
    const { complement, status } = await this.#link.ask("get", this.#beam, "status");
    const { word } = parseComplement(complement);
    const isOn = status === 0 && (word === "open" || word === "on");
    return { on: isOn, why: isOn ? "" : `${this.#beam} is ${complement}` };
  }

  async close(): Promise<void> {
    this.#link.close();
    this.#urgent.close();
  }

  async #put(device: string, suffix: string, complement: string, isUrgent = false): Promise<void> {
    const { object } = this.#entry(device);
    const reply = await (isUrgent ? this.#urgent : this.#link).ask("put", `${object}${suffix}`, complement);
    const { word } = parseComplement(reply.complement);
    if (reply.status === 0 && word === "ok") return;
    const details = { object, complement, answer: reply.complement, status: reply.status };
    const text = `${device} refused ${show(complement)}: MADOCA says ${reply.complement}, status ${reply.status}.`;
    if (word.startsWith("locked")) throw new SaclaError("INTERLOCK", text, { details });
    if (/^(moving|busy|active)/.test(word)) throw new SaclaError("DEVICE_BUSY", text, { details });
    throw new SaclaError("DEVICE_FAULT", text, { details });
  }

  #entry(device: string): Entry {
    const entry = this.#entries.get(device);
    if (entry !== undefined) return entry;
    throw new SaclaError(
      "UNKNOWN_DEVICE",
      `${this.name} has no object for ${show(device)}; it has ${showList(this.#entries.keys())}.`,
      {
        details: { device },
      },
    );
  }

  #noRuns(): SaclaError {
    return new SaclaError(
      "UNSUPPORTED",
      `${this.name} does not control runs: the messages of the run control are not public. ` +
        "Start and stop them in RunControlGUI.",
    );
  }
}

/** What an answer says of a fault, and why the device cannot be used. */
function judge(
  word: string,
  complement: string,
  status: number,
): { readonly fault: "fault" | undefined; readonly why: string } {
  if (status !== 0 || word.startsWith("fail"))
    return { fault: "fault", why: `the answer was ${complement}, status ${status}` };
  return { fault: undefined, why: word === "locked" ? `MADOCA says ${complement}` : "" };
}

/** Anything but `inactive`, `locked` and `fail` is on its way, as every client of MADOCA takes it. */
function stateOf(word: string, hasValue: boolean): DeviceReading["state"] {
  if (word === "locked") return "locked";
  return word === "inactive" || (word === "" && hasValue) ? "ready" : "moving";
}
