import { show } from "../../core/errors.ts";
import { counted } from "../../core/show.ts";
import type { ControlView, DeviceInfo, Ec } from "../../ec/index.ts";
import { textTable } from "../../plot/text.ts";
import { type AddCommand, declare } from "../command.ts";
import { allowedText, cell, namesOf } from "../control.ts";

/** What is shown of one device. */
interface DeviceRow {
  readonly name: string;
  readonly device: string;
  readonly kind: string;
  readonly role?: string;
  readonly state: string;
  readonly value: number | string;
  readonly unit: string;
  readonly limits: string;
  readonly meaning: string;
  readonly why: string;
}

/** `sacla axes`: axes, shutters and settings of a beamline, and where they are. */
export const axes: AddCommand = (program, io) =>
  declare<{ readonly all?: boolean }, [string]>(
    program,
    io,
    "axes",
    "list axes, shutters and settings with their positions and values",
    (command) => command.argument("[pattern]", "part of the name or meaning; upper and lower case are the same", ""),
    async (session, { all }, [pattern]) => {
      const { facility, signal } = session;
      const { bl, experiment } = session;
      const nameOf = namesOf(experiment);
      const control = await facility.ec.view(bl, { experiment });
      const wanted = pattern.toLowerCase();
      const rows: DeviceRow[] = [];
      let hidden = 0;
      for (const info of await facility.ec.devices(bl, { signal })) {
        const name = nameOf(info);
        if (all !== true && pattern === "" && !isUsual(info, name, experiment !== undefined)) {
          hidden++;
          continue;
        }
        if (![name, info.name, info.meaning].some((text) => text.toLowerCase().includes(wanted))) continue;
        rows.push(await rowOf(facility.ec, control, info, name, signal));
      }
      const cells = rows.map((row) => [
        row.name,
        row.device,
        row.role ?? row.kind,
        row.state,
        cell(row.value),
        row.unit,
        row.limits,
        row.why === "" ? row.meaning : `${row.meaning} (${row.why})`,
      ]);
      return {
        json: { bl, devices: rows },
        text:
          rows.length === 0
            ? `no device of beamline ${bl} has ${show(pattern)} in its name or meaning`
            : textTable(["name", "device", "kind", "state", "value", "unit", "limits", "meaning"], cells) +
              (hidden === 0
                ? ""
                : `\n${counted(hidden, "more device")}: sacla axes --all, or sacla axes PART-OF-THE-NAME`),
      };
    },
  );

/** What people look for without saying what: the devices of the beam time; without names those that are moved. */
function isUsual(info: DeviceInfo, name: string, hasNames: boolean): boolean {
  if (hasNames) return name !== "";
  return info.kind !== "setting" || info.role !== "amplifier";
}

async function rowOf(
  ec: Ec,
  control: ControlView,
  info: DeviceInfo,
  name: string,
  signal: AbortSignal,
): Promise<DeviceRow> {
  const { name: device, kind, meaning } = info;
  if (kind === "axis") {
    const axis = control.axis((name === "" ? device : name) as `bl${number}_${string}`);
    const { state, position, why } = await axis.read(signal);
    return { name, device, kind, state, value: position, unit: axis.unit, limits: axis.showLimits(), meaning, why };
  }
  const { state, value, why } = await ec.read(control.bl, device, { signal });
  const row = { name, device, kind, state, value, unit: "", limits: "", meaning, why };
  return kind === "setting" ? { ...row, role: info.role, unit: info.unit, limits: allowedText(info) } : row;
}
