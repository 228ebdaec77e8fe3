import { useId, useState } from "react";
import { searchByMeaning, signalMeaning } from "../../src/db/signal-meanings.ts";
import { db } from "../server/connection.ts";
import { usePlace } from "../server/location.ts";
import { useAsked } from "../server/use-poll.ts";

/** Offered at a time. */
const SHOWN = 30;

/** Chooses signals by their meaning ("BM1", "pulse energy") or by parts of their names, in any order. */
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
  const { params } = usePlace();
  const isAsked = text.trim() !== "";
  const own = `_bl_${params.get("bl") ?? 3}_`;
  // Those of this beamline come first.
  const found = isAsked
    ? searchByMeaning(all.value ?? [], text).sort((a, b) => Number(b.includes(own)) - Number(a.includes(own)))
    : [];
  return (
    <div className="signal-picker">
      <label htmlFor={id}>signals</label>
      <input
        id={id}
        type="search"
        placeholder="BM1, pulse energy, bm_1 charge"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      {chosen.map((name) => (
        <button
          key={name}
          type="button"
          className="chosen"
          title={`take away: ${signalMeaning(name)}`}
          onClick={() => onChange(chosen.filter((other) => other !== name))}
        >
          {name} ✕
        </button>
      ))}
      {isAsked ? (
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
                <small> {signalMeaning(name)}</small>
              </button>
            </li>
          ))}
          {found.length > SHOWN ? <li>… {found.length - SHOWN} more: type more of the name</li> : null}
          {found.length === 0 ? <li>{all.error ?? "no signal has these words in its name or meaning"}</li> : null}
        </ul>
      ) : null}
    </div>
  );
}
