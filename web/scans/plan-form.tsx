import { type FormEvent, useState } from "react";
import type { PageDryRun, PageScanSettings } from "../../src/transport/scan-methods.ts";
import { ask, change } from "../server/connection.ts";
import { go, usePlace } from "../server/location.ts";
import { textOf, useAsked } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";
import { StartRow } from "./start-row.tsx";

/** A plan out of a file of the server's folder of plans: looked at first, then started. */
export function PlanForm({
  bl,
  isHeld,
  canControl,
  onStart,
}: {
  readonly bl: number;
  readonly isHeld: boolean;
  readonly canControl: boolean;
  readonly onStart: (settings: PageScanSettings, name: string, reason: string) => void;
}) {
  const plans = useAsked(async (signal) => await ask("page.plans", {}, signal), "plans");
  const chosen = usePlace().params.get("plan") ?? "";
  const [looked, setLooked] = useState<{ readonly file: string; readonly dryRun: PageDryRun } | null>(null);
  const [isLooking, setLooking] = useState(false);
  const [error, setError] = useState<string | null>(null);
  if (plans.value === undefined) return <p role="status">{plans.error ?? "asking for the plans…"}</p>;
  const { folder, files } = plans.value;
  if (folder === null)
    return (
      <p>
        The server was given no folder of plans: <code>sacla view --plans FOLDER</code>.
      </p>
    );
  const file = files.includes(chosen) ? chosen : (files[0] ?? "");
  const dryRun = looked?.file === file ? looked.dryRun : null;
  const look = (event: FormEvent): void => {
    event.preventDefault();
    setLooking(true);
    setError(null);
    setLooked(null);
    change("page.dryRun", { bl, file })
      .then((found) => setLooked({ file, dryRun: found }))
      .catch((reason: unknown) => setError(textOf(reason)))
      .finally(() => setLooking(false));
  };
  return (
    <>
      <form className="row" aria-label="plan" onSubmit={look}>
        <label>
          plan{" "}
          <select value={file} onChange={(event) => go({ plan: event.target.value })}>
            {files.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <button type="submit" disabled={file === "" || isLooking || !canControl}>
          {isLooking ? "looking…" : "dry run"}
        </button>
        <span>{files.length === 0 ? `${folder} has no plans` : `of ${folder}; nothing moves in a dry run`}</span>
      </form>
      <Failure text={error} />
      {dryRun === null ? null : <DryRunFound {...dryRun} />}
      <StartRow
        label="start the plan"
        isReady={dryRun !== null && dryRun.problems.length === 0}
        isHeld={isHeld}
        onStart={(name, reason) => onStart({ file }, name, reason || (dryRun?.plan ?? "plan"))}
      />
    </>
  );
}

function DryRunFound({
  plan,
  seconds,
  points,
  shots,
  shutterCycles,
  dosePerSpot,
  problems,
  path,
  command,
}: PageDryRun) {
  const rows: readonly (readonly [string, string])[] = [
    ["plan", plan],
    ["duration", rangeText(seconds, " s")],
    ["points", rangeText(points)],
    ["shots", rangeText(shots)],
    ["shutter openings", rangeText(shutterCycles)],
    ["most shots on one place", rangeText(dosePerSpot)],
  ];
  return (
    <div className="plan" data-dry-run={plan}>
      <table>
        <tbody>
          {rows.map(([name, text]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {problems.map((problem) => (
        <p key={problem} className="bad">
          {problem}
        </p>
      ))}
      {path === null ? null : (
        <img
          className="path"
          src={`data:image/svg+xml;charset=utf-8,${encodeURIComponent(path)}`}
          alt={`path of ${plan}`}
        />
      )}
      <pre data-command>{command}</pre>
    </div>
  );
}

function rangeText({ from, to }: PageDryRun["seconds"], unit = ""): string {
  const [least, most] = [Math.round(from), Math.round(to)];
  return `${least === most ? least : `${least} to ${most}`}${unit}`;
}
