import { type FormEvent, useState } from "react";
import { logIn, type Session } from "../server/connection.ts";
import { textOf } from "../server/use-poll.ts";

/** Asks for the token, once. */
export function Login({ onDone }: { onDone: (session: Session) => void }) {
  const [error, setError] = useState<string | null>(null);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget).get("token") ?? "").trim();
    logIn(token).then(onDone, (reason: unknown) => setError(textOf(reason)));
  };
  return (
    <main className="login">
      <h1>sacla</h1>
      <form onSubmit={submit}>
        <label htmlFor="token">Token of this server (sacla keys new NAME --role read)</label>
        <input id="token" name="token" type="password" autoComplete="off" required />
        <button type="submit">Log in</button>
        {error === null ? null : <p role="alert">{error}</p>}
      </form>
    </main>
  );
}
