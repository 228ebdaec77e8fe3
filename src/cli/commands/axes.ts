import { show } from "../../core/errors.ts";
import { textTable } from "../../plot/index.ts";
import { type AddCommand, declare } from "../command.ts";
import { allowedText, cell, type ExperimentOptions, namesOf, placeOf, withExperiment } from "../control.ts";

/** `sacla axes`: axes, shutters and settings of a beamline, and where they are. */
export const axes: AddCommand = (program, io) =>
  declare<ExperimentOptions, [string]>(
    program,
    io,
    "axes",
    "list axes, shutters and settings with their positions and values",
    (command) =>
      withExperiment(
        command.argument("[pattern]", "part of the name or meaning; upper and lower case are the same", ""),
      ),
    async (session, options, [pattern]) => {
      const { facility, signal } = session;
      const { bl, experiment } = await placeOf(session, options);
      const nameOf = namesOf(experiment);
      const control = await facility.ec.view(bl, { experiment });
      const wanted = pattern.toLowerCase();
      const rows: {
        name: string;
        device: string;
        kind: string;
        role?: string;
        state: string;
        value: number | string;
        unit: string;
        limits: string;
        meaning: string;
        why: string;
      }[] = [];
      for (const info of await facility.ec.devices(bl, { signal })) {
        const { name: device, kind, meaning } = info;
        const name = nameOf(info);
        if (![name, device, meaning].some((text) => text.toLowerCase().includes(wanted))) continue;
        if (kind === "axis") {
          const axis = control.axis((name === "" ? device : name) as `bl${number}_${string}`);
          const { state, position, why } = await axis.read(signal);
          rows.push({
            name,
            device,
            kind,
            state,
            value: position,
            unit: axis.unit,
            limits: axis.showLimits(),
            meaning,
            why,
          });
          continue;
        }
        const { state, value, why } = await facility.ec.read(bl, device, { signal });
        const row = { name, device, kind, state, value, unit: "", limits: "", meaning, why };
        if (kind === "setting") {
          rows.push({ ...row, role: info.role, unit: info.unit, limits: allowedText(info) });
        } else {
          rows.push(row);
        }
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
            : textTable(["name", "device", "kind", "state", "value", "unit", "limits", "meaning"], cells),
      };
    },
  );
