import { useState } from "react";
import type { Run } from "../../src/db/run.ts";
import type { RunTags } from "../../src/db/run-tags.ts";
import { save as saveFile } from "../server/save.ts";
import { textOf } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";

const forms = ["csv", "parquet", "arrow", "h5"] as const;

/**
 * A table of the selected shots as a file; the same by the command line is shown. Images of many shots are written by the
 * command line alone: a server that all look at shall not be kept busy by gigabytes, nor a browser hold them.
 */
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
  const command = commandOf(run, signals, where, form, file);
  const [copied, setCopied] = useState("");
  const isCopied = copied === command;
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(command);
      setCopied(command);
      setError(null);
    } catch {
      // Browsers let pages copy only over HTTPS and from this computer.
      setError("The browser does not let this page copy; select the command below.");
    }
  };
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
      {isHere ? (
        <button type="submit" disabled={signals.length === 0}>
          save {file}
        </button>
      ) : (
        <>
          <button type="button" onClick={() => void copy()}>
            copy the command
          </button>
          <p role="status">
            {isCopied ? "Copied. " : ""}The page saves no HDF5 of a run: it has the images of all selected shots, which
            may be gigabytes. Run the command on a computer that reaches this source and has room for the file; it shows
            how far it is, and Ctrl+C ends it.
          </p>
        </>
      )}
      <Failure text={error} />
      <pre data-command>{command}</pre>
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
