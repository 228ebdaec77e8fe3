import { type FormEvent, useState } from "react";
import { shellWord } from "../../src/core/shell-word.ts";
import { plainTime } from "../../src/core/time-text.ts";
import type { Preset } from "../../src/ec/presets.ts";
import { ask, change } from "../server/connection.ts";
import { textOf, usePoll } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";
import { TableHead } from "../shell/table-head.tsx";
import type { SteerProps } from "./axes-table.tsx";
import { underLease, useHeld } from "./held.ts";
import { PlannedTable } from "./planned-table.tsx";

const EVERY_MS = 10_000;
/** What would be put back is looked at again so often: others may move. */
const DIFF_MS = 2000;

/** Where devices were, by name: kept in the server's file, compared, put back under the lease. */
export function PresetsBox({ canControl, ...props }: SteerProps & { readonly canControl: boolean }) {
  const { bl } = props;
  const kept = usePoll(async (signal) => await ask("page.presets", {}, signal), EVERY_MS, "presets");
  const [chosen, setChosen] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const run = (work: () => Promise<unknown>): void => {
    setError(null);
    work()
      .catch((reason: unknown) => setError(textOf(reason)))
      .finally(() => kept.refresh());
  };
  const save = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const name = String(form.get("preset") ?? "").trim();
    run(async () => await change("page.savePreset", { bl, name, comment: String(form.get("comment") ?? "").trim() }));
  };
  const presets = kept.value?.presets ?? [];
  const shown = presets.find(({ name }) => name === chosen);
  return (
    <section aria-label="presets" className="scroll">
      <h2>Presets</h2>
      <Failure text={error ?? kept.error} />
      {canControl ? (
        <form className="row" onSubmit={save}>
          <label>
            name <input name="preset" required maxLength={200} placeholder="aligned" />
          </label>
          <label>
            comment <input name="comment" maxLength={500} />
          </label>
          <button type="submit">keep where devices are now</button>
        </form>
      ) : null}
      {presets.length === 0 ? (
        <p>{kept.value === undefined ? "asking…" : `No presets in ${kept.value.file} yet.`}</p>
      ) : (
        <table>
          <TableHead names={["preset", "kept at (JST)", "devices", "comment"]} />
          <tbody>
            {presets.map(({ name, time, comment, values }) => (
              <tr key={name}>
                <th scope="row">
                  <button
                    type="button"
                    aria-expanded={name === chosen}
                    onClick={() => setChosen(name === chosen ? null : name)}
                  >
                    {name}
                  </button>
                </th>
                <td>{plainTime(new Date(time))}</td>
                <td>{Object.keys(values).length}</td>
                <td>{comment}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {shown === undefined ? null : (
        <Difference
          {...props}
          preset={shown}
          file={kept.value?.file ?? ""}
          onRemove={
            canControl
              ? () => run(async () => await change("page.removePreset", { name: shown.name, comment: "" }))
              : null
          }
        />
      )}
    </section>
  );
}

/** What differs now from a preset, and what it would take to put that back. */
function Difference({
  bl,
  view,
  preset,
  file,
  onRemove,
}: SteerProps & { readonly preset: Preset; readonly file: string; readonly onRemove: (() => void) | null }) {
  const { control } = useHeld();
  const [isMoving, setMoving] = useState(false);
  const found = usePoll(async () => await view.putBack(preset), DIFF_MS, `${preset.name} ${preset.time}`);
  const rows = found.value?.table().length ?? 0;
  const restore = (): void => {
    setMoving(true);
    void underLease(async (held) => await (await held.putBack(preset)).go()).finally(() => {
      setMoving(false);
      found.refresh();
    });
  };
  return (
    <div className="plan" data-preset={preset.name}>
      <Failure text={found.error} />
      {found.value === undefined ? (
        <p role="status">{found.error === undefined ? "comparing…" : ""}</p>
      ) : rows === 0 ? (
        <p role="status">All is as in {preset.name}.</p>
      ) : (
        <PlannedTable move={found.value} />
      )}
      <div className="row">
        <button
          type="button"
          disabled={control === null || rows === 0 || (found.value?.problems.length ?? 1) > 0 || isMoving}
          onClick={restore}
        >
          {isMoving ? "moving…" : `put back ${preset.name}`}
        </button>
        {control === null ? "take the lease to put it back" : ""}
        {onRemove === null ? null : (
          <button type="button" onClick={onRemove}>
            take {preset.name} off the list
          </button>
        )}
      </div>
      <pre data-command>
        sacla presets restore {shellWord(preset.name)} --file {shellWord(file)} --bl {bl}
      </pre>
    </div>
  );
}
