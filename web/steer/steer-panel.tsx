import { lazy, Suspense } from "react";
import { Experiment } from "../../src/ec/experiment.ts";
import { ask, ec } from "../server/connection.ts";
import { useAsked } from "../server/use-poll.ts";
import type { PanelProps } from "../shell/page.tsx";
import { AxesTable } from "./axes-table.tsx";
import { LeaseBox } from "./lease-box.tsx";
import { PresetsBox } from "./presets-box.tsx";
import { RunBox } from "./run-box.tsx";
import { Switches } from "./switches.tsx";

// Plans and fits are loaded when they are looked at.
const ScanBox = lazy(async () => ({ default: (await import("../scans/scan-box.tsx")).ScanBox }));

/** Axes, shutters, settings, runs and scans: everybody sees them, who holds the lease changes them. */
export function SteerPanel({ bl, methods, session }: PanelProps) {
  const isControlled = methods.includes("ec.devices");
  const found = useAsked(
    isControlled
      ? async (signal) => {
          const { definition } = methods.includes("page.experiment")
            ? await ask("page.experiment", {}, signal)
            : { definition: null };
          const experiment =
            definition === null ? undefined : new Experiment(JSON.parse(definition), "the experiment file");
          const own = experiment?.bl === bl ? experiment : undefined;
          return {
            experiment: own,
            view: await ec.view(bl, { experiment: own }),
            devices: await ec.devices(bl),
          };
        }
      : null,
    `steer ${bl} ${isControlled}`,
  );
  if (!isControlled) return <p role="status">This source controls nothing.</p>;
  if (found.value === undefined) return <p role="status">{found.error ?? "asking for the devices…"}</p>;
  const { experiment, view, devices } = found.value;
  const props = { bl, experiment, view, devices };
  return (
    <div className="steer">
      <LeaseBox bl={bl} experiment={experiment} canControl={session.role === "control"} />
      <RunBox bl={bl} />
      <AxesTable {...props} />
      {methods.includes("page.scan") ? (
        <Suspense fallback={<p role="status">loading scans…</p>}>
          <ScanBox {...props} canControl={session.role === "control"} />
        </Suspense>
      ) : null}
      {methods.includes("page.presets") ? <PresetsBox {...props} canControl={session.role === "control"} /> : null}
      <Switches {...props} />
    </div>
  );
}
