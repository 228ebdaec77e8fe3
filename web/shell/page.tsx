import { type ComponentType, Suspense, useEffect, useState } from "react";
import { FilesPanel } from "../files/files-panel.tsx";
import { LivePanel } from "../live/live-panel.tsx";
import { setUsualColourMap } from "../live/look.ts";
import { RequestsPanel } from "../requests/requests-panel.tsx";
import { RunsPanel } from "../runs/runs-panel.tsx";
import { ask, ec, logOut, onLoggedOut, readSession, type Session } from "../server/connection.ts";
import { beamlineOf } from "../server/first-questions.ts";
import { go, setHome, usePlace } from "../server/location.ts";
import { textOf, useAsked, usePoll } from "../server/use-poll.ts";
import { HeldAlert } from "../steer/held-alert.tsx";
import { SteerPanel } from "../steer/steer-panel.tsx";
import { TimingPanel } from "../timing/timing-panel.tsx";
import { HealthBar } from "./health-bar.tsx";
import { LayoutMenu } from "./layout-menu.tsx";
import { Login } from "./login.tsx";
import { Shortcuts } from "./shortcuts.tsx";
import { StopButton } from "./stop-button.tsx";

/** What each panel is given. */
export interface PanelProps {
  readonly bl: number;
  readonly session: Session;
  /** The methods that the source answers. */
  readonly methods: readonly string[];
}

const panels: Readonly<Record<string, { readonly title: string; readonly Panel: ComponentType<PanelProps> }>> = {
  live: { title: "Live", Panel: LivePanel },
  runs: { title: "Runs", Panel: RunsPanel },
  timing: { title: "Timing", Panel: TimingPanel },
  files: { title: "Files", Panel: FilesPanel },
  steer: { title: "Steer", Panel: SteerPanel },
  requests: { title: "Requests", Panel: RequestsPanel },
};

const panelNames = Object.keys(panels);

const HOLDER_MS = 1000;
const ABOUT_MS = 5000;

/** The whole page: who one is, and then the header and one panel. */
export function Page() {
  const [session, setSession] = useState<Session | null | undefined>(undefined);
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    onLoggedOut(() => setSession(null));
    readSession().then(setSession, (reason: unknown) => setError(textOf(reason)));
  }, []);
  if (error !== null)
    return (
      <main className="login">
        <p role="alert">{error}</p>
      </main>
    );
  if (session === undefined) return null;
  if (session === null) return <Login onDone={setSession} />;
  return <Workspace session={session} onLogOut={() => void logOut().then(() => setSession(null))} />;
}

function Workspace({ session, onLogOut }: { session: Session; onLogOut: () => void }) {
  const { panel, params } = usePlace();
  const about = usePoll(async (signal) => await ask("facility.describe", {}, signal), ABOUT_MS, "about");
  // What is shown of a file that was written anew is asked again.
  const renewed = about.value?.renewed;
  const beamlines = useAsked(async (signal) => await ask("db.listBeamlines", {}, signal), `beamlines ${renewed}`);
  const hasSettings = about.value?.methods.includes("page.experiment") === true;
  const settings = useAsked(
    hasSettings ? async (signal) => await ask("page.experiment", {}, signal) : null,
    `settings of ${about.value?.name}`,
  );
  const usual = settings.value?.defaults ?? { bl: null, colourMap: null };
  setUsualColourMap(usual.colourMap);
  const bl = beamlineOf(params.get("bl"), usual.bl, beamlines.value);
  const methods = about.value?.methods ?? [];
  const isControlled = methods.includes("ec.stop");
  const axes = usePoll(isControlled ? async () => await axesOf(bl) : null, 60_000, `axes ${bl}`);
  const holder = usePoll(
    isControlled ? async (signal) => await ask("lease.holder", { bl }, signal) : null,
    HOLDER_MS,
    `holder ${bl}`,
  );
  const beam = usePoll(
    isControlled ? async (signal) => await ask("ec.beam", { bl }, signal) : null,
    HOLDER_MS,
    `beam ${bl}`,
  );
  // A file has nothing live to begin with.
  const isStored = methods.length > 0 && !methods.includes("live.shots");
  setHome(isStored ? "runs" : "live");
  const shown = location.hash === "" && isStored ? "runs" : panel;
  const fault = holder.error ?? beam.error ?? about.error ?? null;
  const { Panel } = panels[shown] ?? { Panel: LivePanel };
  return (
    <>
      <header>
        <h1>sacla</h1>
        <label>
          BL{" "}
          <select value={bl} onChange={(event) => go({ bl: event.target.value })}>
            {(beamlines.value ?? [bl]).map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <nav aria-label="panels">
          {Object.entries(panels).map(([name, { title }]) => (
            <a key={name} href={`#/${name}?${params}`} aria-current={name === shown ? "page" : undefined}>
              {title}
            </a>
          ))}
        </nav>
        {about.value === undefined || (settings.value === undefined && settings.error === undefined) ? null : (
          <LayoutMenu
            source={about.value.name}
            definition={settings.value?.definition ?? null}
            isOnServer={methods.includes("page.saveLayout")}
            canChange={session.role === "control"}
          />
        )}
        <HealthBar
          holder={holder.error === undefined ? holder.value : undefined}
          beam={beam.error === undefined ? beam.value : undefined}
          source={about.value?.name ?? about.error ?? "…"}
          fault={fault}
        />
        {session.hasKeys ? (
          <button type="button" onClick={onLogOut} title={`${session.name}, ${session.role}`}>
            Log out
          </button>
        ) : null}
        <Shortcuts panels={panelNames} />
        <StopButton bl={bl} axes={axes.value ?? 0} why={whyNoStop(session, about.value?.methods, axes)} />
      </header>
      <main className={fault === null ? undefined : "unanswered"}>
        {about.value === undefined || (hasSettings && settings.value === undefined) ? (
          <p role="status">{about.error ?? settings.error ?? "asking the source…"}</p>
        ) : (
          <Suspense fallback={<p role="status">loading…</p>}>
            <Panel key={renewed} bl={bl} session={session} methods={methods} />
          </Suspense>
        )}
      </main>
      <HeldAlert />
    </>
  );
}

async function axesOf(bl: number): Promise<number> {
  return (await ec.devices(bl)).filter(({ kind }) => kind === "axis").length;
}

/** Why nothing can be stopped from here; null: it can. */
function whyNoStop(
  session: Session,
  methods: readonly string[] | undefined,
  axes: { readonly value: number | undefined; readonly error: string | undefined },
): string | null {
  if (methods === undefined) return "asking the source…";
  if (!methods.includes("ec.stop")) return "this source controls nothing";
  if (session.role !== "control") return "this key may only read";
  return axes.value === undefined ? (axes.error ?? "asking for the axes…") : null;
}
