import { Facility } from "../connect.ts";
import { isSaclaError, SaclaError, show, toSaclaError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { oneLine } from "../core/printable.ts";
import { findDevice } from "../ec/device-checks.ts";
import {
  type ControlDriver,
  type DeviceReading,
  Experiment,
  LeaseJournal,
  madocaDriver,
  RequestLog,
  toPosition,
  withControl,
} from "../ec/index.ts";
import { textTable } from "../plot/text.ts";
import type { Endpoint } from "../transport/index.ts";
import { allowedText, cell, namesOf } from "./control.ts";

/** Control over MADOCA that has been looked at and is ready. */
interface MadocaControl extends AsyncDisposable {
  /** Control by the objects of the experiment file, all else from the source. */
  readonly endpoint: Endpoint;
  /** What is controlled, for people. */
  readonly text: string;
  readonly json: {
    readonly server: string;
    readonly bl: number;
    readonly devices: readonly MadocaRow[];
    readonly beam: string;
  };
  /** To be called once the addresses are bound: only then what a crash left moving is stopped. */
  begin(addresses: readonly string[]): void;
}

type MadocaDevices = NonNullable<Experiment["madoca"]>["devices"];

interface MadocaRow {
  /** As the experiment file calls it; "" when it does not. */
  readonly name: string;
  readonly device: string;
  readonly object: string;
  /** Of a setting its role. */
  readonly kind: string;
  readonly state: DeviceReading["state"];
  readonly value: number | string;
  readonly unit: string;
  readonly limits: string;
  readonly why: string;
}

/**
 * Puts control over MADOCA in front of a source: the devices are those of the part `madoca` of an experiment file.
 * Every one is asked before anything is served, and nothing is stopped or closed before {@link MadocaControl.begin}.
 * @param leases - file in which leases are written down, and where this process will serve
 * @throws BAD_ARGUMENT for a file without that part @throws UNKNOWN_DEVICE when the file names a device that its part
 * has not
 * @throws UNREACHABLE, TIMEOUT, BAD_MESSAGE when the server does not answer, or not as MADOCA does
 * @throws FILE_IN_USE when another process has the file of leases @throws WRITE_FAILED when it cannot be written
 */
export async function controlOverMadoca(
  source: Endpoint,
  path: string,
  leases: {
    readonly path: string;
    readonly requests?: string | undefined;
    readonly addresses: readonly string[];
  },
  logger: Logger,
): Promise<MadocaControl> {
  const experiment = await Experiment.load(path);
  const { bl, madoca } = experiment;
  if (madoca === undefined) {
    throw new SaclaError(
      "BAD_ARGUMENT",
      `${show(path)} has no part "madoca", which says which object stands for which device; ` +
        "see docs/experiment-file.md.",
    );
  }
  // Before anything is opened: what is opened makes good what a crash left, and must then be there until it is done.
  const infos = madoca.devices.map(({ info }) => info);
  for (const { device } of Object.values(experiment.axes)) findDevice(infos, bl, "axis", device);
  for (const { device } of Object.values(experiment.shutters)) findDevice(infos, bl, "shutter", device);
  for (const { device } of Object.values(experiment.settings)) findDevice(infos, bl, "setting", device);
  const server = `${madoca.host}:${madoca.port}`;
  const driver = madocaDriver({ bl, madoca });
  let endpoint: Endpoint | undefined;
  try {
    const { readings, beam } = await lookAtAll(driver, bl, madoca.devices, server, path);
    const journal = await openLeases(leases.path, leases.addresses);
    for (const notice of journal.notices) logger.warn({ leases: leases.path }, notice);
    const { requests: requestsPath = `${leases.path}.requests`, addresses } = leases;
    const requests = await RequestLog.open(requestsPath, { addresses }).catch(async (error: unknown) => {
      await journal.close();
      throw error;
    });
    for (const notice of requests.notices) logger.warn({ requests: requestsPath }, notice);
    let bound = (): void => {};
    const recoverAfter = new Promise<void>((resolve) => {
      bound = resolve;
    });
    endpoint = withControl(source, driver, {
      journal,
      recoverAfter,
      requests,
      onLeaseEnd: ({ bl: of, name, reason, how, done }) =>
        logger[done.length === 0 ? "info" : "warn"]({ bl: of, name, reason, how, done }, "lease ended"),
    });
    const rows = await rowsOf(endpoint, experiment, readings);
    const close = endpoint.close.bind(endpoint);
    return {
      endpoint,
      text: textOf(experiment.name, bl, server, rows, beam),
      json: { server, bl, devices: rows, beam },
      begin: (taken) => {
        journal.serves(taken);
        requests.serves(taken);
        bound();
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await (endpoint ?? driver).close();
    throw error;
  }
}

/** @throws FILE_IN_USE, WRITE_FAILED with what to do */
async function openLeases(path: string, addresses: readonly string[]): Promise<LeaseJournal> {
  try {
    return await LeaseJournal.open(path, { addresses });
  } catch (error) {
    const { code, message, details } = toSaclaError(error);
    const next =
      code === "FILE_IN_USE"
        ? `Another sacla serve writes its leases to ${path} and controls the devices. ` +
          "Use it with its address as SACLA_URL, or stop it first. For other devices name another file with --leases."
        : "Nothing is served, because no lease could be written down. Name another file with --leases.";
    throw new SaclaError(code, `${message} ${next}`, { details, cause: error });
  }
}

/** @throws UNREACHABLE, TIMEOUT, BAD_MESSAGE with what to look at */
async function lookAtAll(
  driver: ControlDriver,
  bl: number,
  devices: MadocaDevices,
  server: string,
  path: string,
): Promise<{ readonly readings: readonly DeviceReading[]; readonly beam: string }> {
  try {
    const readings: DeviceReading[] = [];
    for (const { info } of devices) readings.push(await look(driver, info.name));
    return { readings, beam: await beamNow(driver, bl) };
  } catch (error) {
    const { code, message } = toSaclaError(error);
    throw new SaclaError(
      code,
      `${message} Nothing is served. Host, port and objects are those of the part "madoca" of ${path}; ` +
        "is the server running there?",
      {
        details: { server, file: path },
        cause: error,
      },
    );
  }
}

async function rowsOf(
  endpoint: Endpoint,
  experiment: Experiment,
  readings: readonly DeviceReading[],
): Promise<readonly MadocaRow[]> {
  const { bl, madoca } = experiment;
  const control = await new Facility(endpoint).ec.view(bl, { experiment });
  const nameOf = namesOf(experiment);
  return (madoca?.devices ?? []).map(({ object, info }, i): MadocaRow => {
    const { state, value, why } = readings[i] ?? { state: "fault", value: "unknown", why: "" };
    const name = nameOf(info);
    const row = {
      name,
      device: info.name,
      object,
      kind: info.kind === "setting" ? info.role : info.kind,
      state,
      value,
      unit: "",
      limits: "",
      why,
    };
    if (info.kind === "shutter") return row;
    if (info.kind === "setting") return { ...row, unit: info.unit, limits: allowedText(info) };
    const axis = control.axis((name === "" ? info.name : name) as `bl${number}_${string}`);
    return {
      ...row,
      value: typeof value === "number" ? toPosition(axis.definition, value) : value,
      unit: axis.unit,
      limits: axis.showLimits(),
    };
  });
}

/** A device that answers badly is shown as it is; a server that does not answer is the end. */
async function look(driver: ControlDriver, device: string): Promise<DeviceReading> {
  try {
    return await driver.read(device);
  } catch (error) {
    if (!isSaclaError(error, "DEVICE_FAULT")) throw error;
    return { device, state: "fault", value: "unknown", why: error.message };
  }
}

async function beamNow(driver: ControlDriver, bl: number): Promise<string> {
  try {
    const { on, why } = await driver.beam(bl);
    return on ? "on" : `off: ${why}`;
  } catch (error) {
    if (!isSaclaError(error, "UNSUPPORTED")) throw error;
    return 'not known: the part "madoca" names no object "beam"';
  }
}

function textOf(name: string, bl: number, server: string, rows: readonly MadocaRow[], beam: string): string {
  const cells = rows.map((row) => [
    row.name,
    row.device,
    row.object,
    row.kind,
    row.why === "" ? row.state : `${row.state} (${row.why})`,
    cell(row.value),
    row.unit,
    row.limits,
  ]);
  return [
    `controls beamline ${bl} by MADOCA at ${server}, with the names of ${name}`,
    textTable(["name", "device", "object", "kind", "state", "value", "unit", "limits"], cells),
    `beam: ${oneLine(beam)}`,
    "runs: in RunControlGUI, not from here",
  ].join("\n");
}
