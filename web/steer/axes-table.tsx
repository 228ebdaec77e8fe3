import { useState } from "react";
import type { ControlView } from "../../src/ec/control-view.ts";
import type { DeviceInfo } from "../../src/ec/driver.ts";
import type { Experiment } from "../../src/ec/experiment.ts";
import { short } from "../live/picture-view.tsx";
import { useAsked, usePoll } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";
import { TableHead } from "../shell/table-head.tsx";
import { underLease, useHeld } from "./held.ts";
import { PlannedTable } from "./planned-table.tsx";

/** What the parts of the panel are given. */
export interface SteerProps {
  readonly bl: number;
  readonly experiment: Experiment | undefined;
  readonly view: ControlView;
  readonly devices: readonly DeviceInfo[];
}

const EVERY_MS = 1000;

/** Names of the experiment first; without one, control names. */
export function axisNames({ experiment, devices }: Pick<SteerProps, "experiment" | "devices">): readonly string[] {
  if (experiment !== undefined) return Object.keys(experiment.axes);
  return devices.filter(({ kind }) => kind === "axis").map(({ name }) => name);
}

/** Where axes are, and where they are to go: shown as now → will be before anything moves. */
export function AxesTable(props: SteerProps) {
  const { view, devices } = props;
  const names = axisNames(props);
  const { control } = useHeld();
  const [targets, setTargets] = useState<Readonly<Record<string, string>>>({});
  const readings = usePoll(
    async (signal) =>
      await Promise.all(
        names.map(async (name) => {
          const axis = view.axis(name as never);
          const { position, state, why } = await axis.read(signal);
          return { name, position, state, why, unit: axis.unit, limits: axis.limits };
        }),
      ),
    EVERY_MS,
    `axes ${names.join(" ")}`,
  );
  const meaningOf = (name: string): string =>
    props.experiment?.axes[name]?.meaning ||
    (devices.find((device) => device.name === (props.experiment?.axes[name]?.device ?? name))?.meaning ?? "");
  const set = (name: string, text: string): void => setTargets({ ...targets, [name]: text });
  return (
    <section aria-label="axes" className="scroll">
      <h2>Axes</h2>
      <Failure text={readings.error} />
      <table>
        <TableHead names={["axis", "position", "state", "limits", "to", "step"]} />
        <tbody>
          {readings.value?.map(({ name, position, state, why, unit, limits }) => (
            <tr key={name}>
              <th scope="row" title={meaningOf(name)}>
                {name}
                <small> {meaningOf(name)}</small>
              </th>
              <td data-axis={name}>
                {short(position)} {unit}
              </td>
              <td className={state === "moving" ? "good" : state === "ready" ? "" : "bad"} title={why}>
                {state}
                {why === "" ? "" : `: ${why}`}
              </td>
              <td>{limits === "unlimited" ? limits : `${short(limits.from)} … ${short(limits.to)}`}</td>
              <td>
                <input
                  type="number"
                  step="any"
                  aria-label={`target of ${name}`}
                  value={targets[name] ?? ""}
                  onChange={(event) => set(name, event.target.value)}
                />
              </td>
              <td>
                <Tweak name={name} position={position} isHeld={control !== null && state === "ready"} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <PlannedMove {...props} targets={targets} onDone={() => setTargets({})} />
    </section>
  );
}

/** Steps forth and back by a length that one types. */
function Tweak({ name, position, isHeld }: { name: string; position: number; isHeld: boolean }) {
  const [step, setStep] = useState("10");
  const by = Number(step);
  const go = (sign: 1 | -1): void => {
    void underLease(async (control) => await (await control.plan({ [name]: position + sign * by } as never)).go());
  };
  const isOff = !isHeld || !(by > 0);
  return (
    <span className="row tweak">
      <button type="button" aria-label={`${name} back by ${step}`} disabled={isOff} onClick={() => go(-1)}>
        −
      </button>
      <input
        type="number"
        min="0"
        step="any"
        aria-label={`step of ${name}`}
        value={step}
        onChange={(event) => setStep(event.target.value)}
      />
      <button type="button" aria-label={`${name} forth by ${step}`} disabled={isOff} onClick={() => go(1)}>
        +
      </button>
    </span>
  );
}

function PlannedMove({
  view,
  targets,
  onDone,
}: SteerProps & { readonly targets: Readonly<Record<string, string>>; readonly onDone: () => void }) {
  const { control } = useHeld();
  const [isMoving, setMoving] = useState(false);
  const to = Object.fromEntries(
    Object.entries(targets).flatMap(([name, text]) =>
      text.trim() === "" || !Number.isFinite(Number(text)) ? [] : [[name, Number(text)]],
    ),
  );
  const key = JSON.stringify(to);
  const plan = useAsked(Object.keys(to).length === 0 ? null : async () => await view.plan(to as never), `plan ${key}`);
  if (Object.keys(to).length === 0)
    return <p>Type where axes are to go: what would happen is shown before anything moves.</p>;
  const problems = plan.value?.problems ?? [];
  const go = (): void => {
    setMoving(true);
    void underLease(async (held) => {
      await (await held.plan(to as never)).go();
      onDone();
    }).finally(() => setMoving(false));
  };
  return (
    <div className="plan">
      <Failure text={plan.error} />
      {plan.value === undefined ? null : <PlannedTable move={plan.value} />}
      <button
        type="button"
        disabled={control === null || plan.value === undefined || problems.length > 0 || isMoving}
        onClick={go}
      >
        {isMoving ? "moving…" : "move"}
      </button>{" "}
      <button type="button" onClick={onDone}>
        clear
      </button>
      {control === null ? " take the lease to move" : ""}
    </div>
  );
}
