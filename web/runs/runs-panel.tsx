import { hashWith, usePlace } from "../server/location.ts";
import type { PanelProps } from "../shell/page.tsx";
import { RunTable } from "./run-table.tsx";
import { RunView } from "./run-view.tsx";

/** The runs of a beamline; one of them when it has been chosen. */
export function RunsPanel({ bl, methods }: PanelProps) {
  const { params } = usePlace();
  const run = params.get("run");
  if (run === null) return <RunTable bl={bl} />;
  return (
    <>
      <p>
        <a href={hashWith({ run: null, tag: null, where: null })}>← all runs</a>
      </p>
      <RunView bl={bl} number={Number(run)} methods={methods} />
    </>
  );
}
