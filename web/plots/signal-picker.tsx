import { useId, useState } from "react";
import { db } from "../server/connection.ts";
import { useAsked } from "../server/use-poll.ts";

/** Offered at a time. */
const SHOWN = 30;

/** Chooses signals by parts of their names, in any order. */
export function SignalPicker({
  chosen,
  onChange,
}: {
  chosen: readonly string[];
  onChange: (ids: readonly string[]) => void;
}) {
  const all = useAsked(async () => await db.readEquiplist(), "all signals");
  const [text, setText] = useState("");
  const id = useId();
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found =
    words.length === 0
      ? []
      : (all.value ?? []).filter((name) => words.every((word) => name.toLowerCase().includes(word)));
  return (
    <div className="signal-picker">
      <label htmlFor={id}>signals</label>
      <input
        id={id}
        type="search"
        placeholder="bm_1 charge"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      {chosen.map((name) => (
        <button
          key={name}
          type="button"
          className="chosen"
          title="take away"
          onClick={() => onChange(chosen.filter((other) => other !== name))}
        >
          {name} ✕
        </button>
      ))}
      {words.length === 0 ? null : (
        <ul>
          {found.slice(0, SHOWN).map((name) => (
            <li key={name}>
              <button
                type="button"
                disabled={chosen.includes(name)}
                onClick={() => {
                  onChange([...chosen, name]);
                  setText("");
                }}
              >
                {name}
              </button>
            </li>
          ))}
          {found.length > SHOWN ? <li>… {found.length - SHOWN} more: type more of the name</li> : null}
          {found.length === 0 ? <li>{all.error ?? "no signal has these words in its name"}</li> : null}
        </ul>
      )}
    </div>
  );
}
