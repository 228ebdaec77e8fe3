import { type FormEvent, useState } from "react";
import { parseCondition } from "../../src/db/condition.ts";
import { textOf } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";

/** A condition as `--where` takes it. */
export function ConditionForm({ signal, onAdd }: { readonly signal: string; readonly onAdd: (text: string) => void }) {
  const [error, setError] = useState<string | null>(null);
  const add = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get("condition") ?? "").trim();
    try {
      parseCondition(text);
      setError(null);
      onAdd(text);
      event.currentTarget.reset();
    } catch (reason) {
      setError(textOf(reason));
    }
  };
  return (
    <form className="row" onSubmit={add}>
      <label>
        condition <input name="condition" placeholder={`${signal} >= 1e-9`} autoComplete="off" />
      </label>
      <button type="submit">add</button>
      <Failure text={error} />
    </form>
  );
}
