import { useState } from "react";
import type { DeviceInfo, SettingInfo } from "../../src/ec/driver.ts";
import { ask } from "../server/connection.ts";
import { textOf, usePoll } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";
import type { SteerProps } from "./axes-table.tsx";
import { underLease, useHeld } from "./held.ts";

const EVERY_MS = 1000;

/** Shutters and settings; amplifiers and the accelerator are asked only when they are looked at. */
export function Switches(props: SteerProps) {
  const of = (test: (device: DeviceInfo) => boolean): readonly DeviceInfo[] => props.devices.filter(test);
  const roleOf = (device: DeviceInfo): string => (device.kind === "setting" ? device.role : device.kind);
  const rest = ["axis", "amplifier", "accelerator"];
  return (
    <section aria-label="shutters and settings" className="scroll">
      <h2>Shutters and settings</h2>
      <Devices {...props} shown={of((device) => !rest.includes(roleOf(device)))} />
      <Folded {...props} title="Amplifiers" shown={of((device) => roleOf(device) === "amplifier")} />
      <Folded {...props} title="Accelerator" shown={of((device) => roleOf(device) === "accelerator")} />
    </section>
  );
}

type Shown = SteerProps & { readonly shown: readonly DeviceInfo[] };

function Folded({ title, ...props }: Shown & { readonly title: string }) {
  const [isOpen, setOpen] = useState(false);
  if (props.shown.length === 0) return null;
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {title} ({props.shown.length})
      </summary>
      {isOpen ? <Devices {...props} /> : null}
    </details>
  );
}

/** Closing a shutter needs no lease. */
function Devices({ bl, shown: others, view, experiment }: Shown) {
  const { control } = useHeld();
  const [error, setError] = useState<string | null>(null);
  const readings = usePoll(
    async (signal) =>
      new Map(
        await Promise.all(
          others.map(async ({ name }) => [name, await ask("ec.read", { bl, device: name }, signal)] as const),
        ),
      ),
    EVERY_MS,
    `devices ${bl} ${others[0]?.name ?? ""}`,
  );
  const nameOf = (device: string): string => {
    const all = { ...experiment?.shutters, ...experiment?.settings };
    return Object.entries(all).find(([, entry]) => entry.device === device)?.[0] ?? device;
  };
  const close = (device: string): void => {
    view
      .shutter(nameOf(device) as never)
      .close()
      .catch((reason: unknown) => setError(textOf(reason)));
  };
  return (
    <>
      <Failure text={error ?? readings.error} />
      <table>
        <tbody>
          {others.map((info) => {
            const reading = readings.value?.get(info.name);
            const name = nameOf(info.name);
            return (
              <tr key={info.name}>
                <th scope="row">
                  {name}
                  <small> {info.meaning}</small>
                </th>
                <td data-device={info.name}>
                  {reading === undefined ? "…" : String(reading.value)} {info.kind === "setting" ? info.unit : ""}
                </td>
                <td className={reading?.state === "ready" ? "" : "bad"}>
                  {reading?.state === "ready" ? "" : `${reading?.state ?? ""} ${reading?.why ?? ""}`}
                </td>
                <td>
                  {info.kind === "shutter" ? (
                    <span className="row">
                      <button
                        type="button"
                        disabled={control === null || reading?.value === "open"}
                        onClick={() => void underLease(async (held) => await held.shutter(name as never).open())}
                      >
                        open
                      </button>
                      <button type="button" disabled={reading?.value === "closed"} onClick={() => close(info.name)}>
                        close
                      </button>
                    </span>
                  ) : info.kind === "setting" && info.role !== "accelerator" ? (
                    <SettingForm info={info} name={name} isHeld={control !== null} />
                  ) : null}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}

function SettingForm({ info, name, isHeld }: { info: SettingInfo; name: string; isHeld: boolean }) {
  const { allowed } = info;
  const [text, setText] = useState("");
  if (!("from" in allowed) && allowed.length === 0) return null;
  const value = "from" in allowed ? Number(text) : (allowed.find((one) => String(one) === text) ?? "");
  return (
    <span className="row">
      {"from" in allowed ? (
        <input
          type="number"
          step="any"
          min={allowed.from}
          max={allowed.to}
          aria-label={`value of ${name}`}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      ) : (
        <select aria-label={`value of ${name}`} value={text} onChange={(event) => setText(event.target.value)}>
          <option value="">…</option>
          {allowed.map((one) => (
            <option key={one}>{String(one)}</option>
          ))}
        </select>
      )}
      <button
        type="button"
        disabled={!isHeld || text === ""}
        onClick={() => void underLease(async (held) => await held.setting(name as never).set(value))}
      >
        set
      </button>
    </span>
  );
}
