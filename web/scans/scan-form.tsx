import { useState } from "react";
import { counted } from "../../src/core/show.ts";
import type { Axis } from "../../src/ec/axis.ts";
import { estimate } from "../../src/scan/dry-run/estimate.ts";
import { scan } from "../../src/scan/plans/scans.ts";
import type { PageScanSettings } from "../../src/transport/scan-methods.ts";
import { short } from "../live/picture-view.tsx";
import { SignalPicker } from "../plots/signal-picker.tsx";
import { useAsked } from "../server/use-poll.ts";
import { axisNames, type SteerProps } from "../steer/axes-table.tsx";
import { StartRow } from "./start-row.tsx";

type AxisScanSettings = Extract<PageScanSettings, { axis: string }>;

interface Typed {
  readonly axis: string;
  readonly from: string;
  readonly to: string;
  readonly points: string;
  readonly shots: string;
  readonly settle: string;
  readonly shutter: string;
  readonly isAnyBeam: boolean;
}

/** What a scan is to do, what it would take, and the same as a command line. */
export function ScanForm({
  isHeld,
  onStart,
  ...props
}: SteerProps & {
  readonly isHeld: boolean;
  readonly onStart: (settings: AxisScanSettings, name: string, reason: string) => void;
}) {
  const { bl, view, devices } = props;
  const axes = axisNames(props);
  const shutters = devices.filter(({ kind }) => kind === "shutter").map(({ name }) => name);
  const [typed, setTyped] = useState<Typed>({
    axis: axes[0] ?? "",
    from: "",
    to: "",
    points: "11",
    shots: "30",
    settle: "0",
    shutter: "",
    isAnyBeam: false,
  });
  const [signals, setSignals] = useState<readonly string[]>([`xfel_bl_${bl}_tc_bm_1_pd/charge`]);
  const settings = settingsOf(typed, signals);
  const dryRun = useAsked(
    settings === null ? null : async () => await estimate(planOf(settings), view),
    `dry run ${JSON.stringify(settings)}`,
  );
  const problems = [...new Set([...(dryRun.value?.violations ?? []), ...[dryRun.value?.problem ?? []].flat()])];
  const field = (name: keyof Typed, label: string) => (
    <label>
      {label}{" "}
      <input
        type="number"
        step="any"
        value={String(typed[name])}
        onChange={(event) => setTyped({ ...typed, [name]: event.target.value })}
      />
    </label>
  );
  return (
    <section aria-label="scan settings">
      <div className="row">
        <label>
          axis{" "}
          <select value={typed.axis} onChange={(event) => setTyped({ ...typed, axis: event.target.value })}>
            {axes.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <span data-axis-limits>{typed.axis === "" ? "" : limitsText(view.axis(typed.axis as never))}</span>
        {field("from", "from")}
        {field("to", "to")}
        {field("points", "points")}
        {field("shots", "shots each")}
        {field("settle", "settle / s")}
        <label>
          shutter{" "}
          <select value={typed.shutter} onChange={(event) => setTyped({ ...typed, shutter: event.target.value })}>
            <option value="">as it is</option>
            {shutters.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label title="Otherwise a scan waits for the beam, and shots without it do not count">
          <input
            type="checkbox"
            checked={typed.isAnyBeam}
            onChange={(event) => setTyped({ ...typed, isAnyBeam: event.target.checked })}
          />{" "}
          also shots without beam
        </label>
      </div>
      <SignalPicker chosen={signals} onChange={setSignals} />
      {settings === null ? (
        <p>Type from and to: what the scan would take is shown before it starts.</p>
      ) : (
        <>
          <p data-dry-run>
            {dryRun.value === undefined
              ? (dryRun.error ?? "looking…")
              : `${Math.round(dryRun.value.seconds.to)} s, ${counted(dryRun.value.points.to, "point")}, ${counted(dryRun.value.shots.to, "shot")}`}
          </p>
          {problems.map((problem) => (
            <p key={problem} className="bad">
              {problem}
            </p>
          ))}
          <pre data-command>{commandOf(bl, settings)}</pre>
        </>
      )}
      <StartRow
        label="start the scan"
        isReady={settings !== null && dryRun.value !== undefined && problems.length === 0}
        isHeld={isHeld}
        onStart={(name, reason) => {
          if (settings !== null) onStart(settings, name, reason || "scan");
        }}
      />
    </section>
  );
}

/** What the numbers of from and to mean, and how far they may go. */
function limitsText({ unit, limits }: Pick<Axis, "unit" | "limits">): string {
  return `in ${unit}, ${limits === "unlimited" ? limits : `${short(limits.from)} … ${short(limits.to)}`}`;
}

function settingsOf(typed: Typed, signals: readonly string[]): AxisScanSettings | null {
  const [from, to, points, shots, settleSeconds] = [typed.from, typed.to, typed.points, typed.shots, typed.settle].map(
    (text) => (text.trim() === "" ? Number.NaN : Number(text)),
  ) as [number, number, number, number, number];
  const isWhole = Number.isInteger(points) && Number.isInteger(shots) && points > 0 && shots > 0;
  if (typed.axis === "" || !isWhole || ![from, to, settleSeconds].every(Number.isFinite)) return null;
  return {
    axis: typed.axis,
    from,
    to,
    points,
    shots,
    signals: [...signals],
    shutter: typed.shutter === "" ? null : typed.shutter,
    settleSeconds,
    beam: typed.isAnyBeam ? "off" : "auto",
  };
}

function planOf({ shots: count, signals, shutter, beam: _, ...rest }: AxisScanSettings) {
  return scan({ ...rest, shots: { count, signals }, ...(shutter === null ? {} : { shutter }) });
}

function commandOf(bl: number, settings: AxisScanSettings): string {
  const { axis, from, to, points, shots, signals, shutter, settleSeconds, beam } = settings;
  return [
    ["sacla scan", axis, from, to, points, "--shots", shots],
    signals.flatMap((id) => ["--signal", id]),
    shutter === null ? [] : ["--shutter", shutter],
    settleSeconds === 0 ? [] : ["--settle", settleSeconds],
    beam === "off" ? ["--beam", "off"] : [],
    ["--bl", bl],
  ]
    .flat()
    .join(" ");
}
