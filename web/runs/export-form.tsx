import { useState } from "react";
import type { Run } from "../../src/db/run.ts";
import type { RunTags } from "../../src/db/run-tags.ts";
import { save as saveFile } from "../server/save.ts";
import { textOf } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";

const forms = ["csv", "parquet", "arrow", "h5"] as const;

/** A table of the selected shots as a file; the same by the command line is shown. */
export function ExportForm({
  run,
  signals,
  where,
  selected,
}: {
  run: Run;
  signals: readonly string[];
  where: readonly string[];
  selected: RunTags;
}) {
  const [form, setForm] = useState<(typeof forms)[number]>("csv");
  const [error, setError] = useState<string | null>(null);
  const file = `run${run.number}.${form}`;
  const isHere = form !== "h5";
  const save = async (): Promise<void> => {
    const table = await run.table(signals, selected);
    saveFile(file, await table.encode(file));
  };
  return (
    <form
      className="export"
      onSubmit={(event) => {
        event.preventDefault();
        setError(null);
        save().catch((reason: unknown) => setError(textOf(reason)));
      }}
    >
      <label>
        file{" "}
        <select value={form} onChange={(event) => setForm(event.target.value as (typeof forms)[number])}>
          {forms.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>{" "}
      <button type="submit" disabled={!isHere || signals.length === 0}>
        {isHere ? `save ${file}` : "images: by the command line"}
      </button>
      <Failure text={error} />
      <pre data-command>{commandOf(run, signals, where, form, file)}</pre>
    </form>
  );
}

function commandOf(
  { bl, number }: Run,
  signals: readonly string[],
  where: readonly string[],
  form: (typeof forms)[number],
  file: string,
): string {
  const conditions = where.flatMap((text) => ["--where", `'${text}'`]);
  const to = ["--bl", String(bl), "-o", file];
  if (form !== "h5") return ["sacla values", number, ...signals, ...conditions, ...to].join(" ");
  const list = `run${number}.tags`;
  const ofSignals = signals.flatMap((id) => ["--signal", id]);
  if (where.length === 0) return ["sacla convert", number, ...ofSignals, ...to].join(" ");
  return [
    ["sacla tags", number, ...conditions, "--bl", bl, "-o", list].join(" "),
    ["sacla convert", number, "--tags", list, ...ofSignals, ...to].join(" "),
  ].join("\n");
}
