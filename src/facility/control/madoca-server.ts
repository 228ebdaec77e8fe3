import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { isSaclaError, SaclaError, show, toSaclaError } from "../../core/errors.ts";
import { findDevice } from "../../ec/device-checks.ts";
import type { ControlDriver, DeviceInfo } from "../../ec/index.ts";

/** What a MADOCA server stands for. */
interface MadocaObjects {
  readonly bl: number;
  readonly devices: readonly { readonly object: string; readonly info: Pick<DeviceInfo, "kind" | "name"> }[];
  /** The object that tells whether there is beam. */
  readonly beam?: string | undefined;
}

/** How the servers at the beamlines differ. */
export interface MadocaQuirks {
  /** @default true */
  readonly newline?: boolean;
  /** Sends each reply in pieces of so many bytes. */
  readonly piece?: number;
  /** Units as one of them spells positions. @default "pulse" */
  readonly unit?: string;
}

/**
 * A MADOCA server over any driver, to rehearse with: answers at once, glues units on, says inactive, moving, locked,
 * fail. Source of the text: SPring-8 beamline client scripts.
 */
export class SimulatedMadocaServer {
  /** All that was asked, in order. */
  readonly requests: string[] = [];
  /** Answers to give instead, by `verb/object/complement` or object. */
  readonly scripted = new Map<string, string | "silence" | "hang up">();
  readonly #driver: ControlDriver;
  readonly #given: MadocaObjects;
  readonly #quirks: MadocaQuirks;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #devices: ReadonlyMap<string, DeviceInfo> = new Map();

  constructor(driver: ControlDriver, given: MadocaObjects, quirks: MadocaQuirks = {}) {
    this.#driver = driver;
    this.#given = given;
    this.#quirks = quirks;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /**
   * Answers on this computer; gives the port. @param port - @default a free one
   * @throws UNKNOWN_DEVICE when an object stands for what the driver has not @throws UNREACHABLE when the port cannot
   * be taken
   */
  async listen(port = 0): Promise<number> {
    const { bl, devices } = this.#given;
    const all = await this.#driver.devices(bl);
    this.#devices = new Map(devices.map(({ object, info }) => [object, findDevice(all, bl, info.kind, info.name)]));
    this.#server.listen(port, "127.0.0.1");
    try {
      await once(this.#server, "listening");
    } catch (error) {
      throw new SaclaError(
        "UNREACHABLE",
        `127.0.0.1:${port} cannot be listened on: ${toSaclaError(error).message}. Name another port.`,
        { cause: error },
      );
    }
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Ends every connection, as a restart of the server does. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.hangUp();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket)).on("error", () => {});
    let text = "";
    socket.on("data", async (bytes) => {
      text += bytes.toString("latin1");
      const end = text.indexOf("\n");
      if (end < 0) return;
      const request = text.slice(0, end).trim();
      text = text.slice(end + 1);
      this.requests.push(request);
      const [verb = "", object = "", ...rest] = request.split("/");
      const scripted = this.scripted.get(request) ?? this.scripted.get(object);
      if (scripted === "silence") return;
      if (scripted === "hang up") return void socket.destroy();
      const answer = scripted ?? (await this.#answer(verb, object, rest.join("/")));
      await this.#send(
        socket,
        `${object}/${verb}/27354_sacla_bl3_opcon1/${answer}${this.#quirks.newline === false ? "" : "\n"}`,
      );
    });
  }

  async #send(socket: Socket, reply: string): Promise<void> {
    const { piece = reply.length } = this.#quirks;
    for (let i = 0; i < reply.length; i += piece) {
      socket.write(reply.slice(i, i + piece));
      if (piece < reply.length) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async #answer(verb: string, object: string, complement: string): Promise<string> {
    const { bl, beam } = this.#given;
    const [, name = object, suffix = ""] = /^(.*?)(_preset|_speed)?$/.exec(object) ?? [];
    const device = this.#devices.get(name);
    try {
      if (device !== undefined)
        return verb === "get" ? await this.#get(device) : await this.#put(device, suffix, complement);
      return object === beam ? `${(await this.#driver.beam(bl)).on ? "open" : "close"}/0` : "fail_no_such_object/-1";
    } catch (error) {
      return isSaclaError(error, "INTERLOCK")
        ? "locked/-1"
        : isSaclaError(error, "DEVICE_BUSY")
          ? "busy/-1"
          : "fail/-1";
    }
  }

  async #get({ name, kind }: DeviceInfo): Promise<string> {
    const { state, value } = await this.#driver.read(name);
    const words = { ready: "inactive", moving: "moving", locked: "locked", fault: "fail" };
    if (kind === "shutter") return `${state === "ready" ? (value === "open" ? "open" : "close") : words[state]}/0`;
    return `${words[state]}_${value}${kind === "axis" ? (this.#quirks.unit ?? "pulse") : ""}/0`;
  }

  async #put({ name, kind }: DeviceInfo, suffix: string, complement: string): Promise<string> {
    const number = Number(/^[+-]?[\d.]+/.exec(complement)?.[0] ?? Number.NaN);
    if (kind === "shutter") await this.#driver.setShutter(name, complement === "on" || complement === "open");
    else if (kind === "setting") await this.#driver.set(name, Number.isNaN(number) ? complement : number);
    else if (suffix === "_preset") await this.#driver.preset(name, number);
    else if (suffix === "_speed") await this.#driver.setSpeed(name, number);
    else if (complement === "stop") await this.#driver.stop(name);
    else if (Number.isNaN(number)) throw new SaclaError("BAD_MESSAGE", `${show(complement)} is no position.`);
    else await this.#driver.move(name, number);
    return "ok/0";
  }
}
