import { type FormEvent, useEffect, useState } from "react";
import { ask, change } from "../server/connection.ts";
import { hashWith } from "../server/location.ts";
import { textOf, usePoll } from "../server/use-poll.ts";
import { Failure } from "./failure.tsx";

/** What is looked at, by the names it was given; "" is where one was last. */
type Layouts = Readonly<Record<string, string>>;

const PREFIX = "sacla layouts ";

/** Layouts that others have kept are asked for again so often. */
const EVERY_MS = 30_000;

/** Whether the server keeps layouts, and those of this client. */
interface Keeping {
  readonly isOnServer: boolean;
  readonly canChange: boolean;
}

/**
 * Layouts of the page: what is looked at stands behind the # of the address. Named ones are kept by the server for each
 * experiment (without one for each source), where it does not in this browser. The last one is kept in this browser, so
 * that the next day begins where the last one ended. An address holds no secret, so it can be sent to others.
 */
export function LayoutMenu({
  source,
  definition,
  ...keeping
}: Keeping & {
  readonly source: string;
  /** The experiment file as JSON text; null: there is none. */
  readonly definition: string | null;
}) {
  const owner = nameIn(definition) ?? source;
  return <Menu key={owner} owner={owner} {...keeping} />;
}

function Menu({ owner, isOnServer, canChange }: Keeping & { readonly owner: string }) {
  const [layouts, setLayouts] = useState<Layouts>(() => read(owner));
  const [error, setError] = useState<string | null>(null);
  const shared = usePoll(
    isOnServer ? async (signal) => await ask("page.layouts", { owner }, signal) : null,
    EVERY_MS,
    `layouts ${owner}`,
  );
  const [link, setLink] = useState<string | null>(null);
  const keep = (next: Layouts): void => {
    localStorage.setItem(PREFIX + owner, JSON.stringify(next));
    setLayouts(next);
  };
  useEffect(() => {
    const { "": last } = read(owner);
    if (location.hash === "" && last !== undefined) show(last);
    const follow = (): void => {
      if (location.hash !== "")
        localStorage.setItem(PREFIX + owner, JSON.stringify({ ...read(owner), "": location.hash }));
      setLink(null);
    };
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, [owner]);
  const names = Object.keys(layouts)
    .filter((name) => name !== "")
    .sort();
  const add = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("layout") ?? "").trim();
    const place = location.hash || hashWith({});
    if (name !== "" && isOnServer && canChange) saveShared(name, place);
    else if (name !== "") keep({ ...read(owner), [name]: place });
    event.currentTarget.reset();
  };
  const saveShared = (name: string, place: string | null): void => {
    setError(null);
    change("page.saveLayout", { owner, name, place })
      .catch((reason: unknown) => setError(textOf(reason)))
      .finally(() => shared.refresh());
  };
  const copy = (): void => {
    setLink(location.href);
    // Only pages of this computer and of HTTPS may; the link stands there to be copied by hand.
    navigator.clipboard?.writeText(location.href).catch(() => {});
  };
  return (
    <details className="layouts">
      <summary>Layout</summary>
      <div>
        {isOnServer ? <p>of {owner}, kept by the server</p> : null}
        {shared.value?.layouts.map(({ name, place }) => (
          <Kept
            key={name}
            name={name}
            onShow={() => show(place)}
            onForget={canChange ? () => saveShared(name, null) : null}
          />
        ))}
        <Failure text={error ?? shared.error} />
        {isOnServer && names.length === 0 ? null : <p>of {owner}, kept in this browser</p>}
        {names.map((name) => (
          <Kept
            key={name}
            name={name}
            onShow={() => show(layouts[name] ?? "")}
            onForget={() => keep(Object.fromEntries(Object.entries(read(owner)).filter(([other]) => other !== name)))}
          />
        ))}
        <form className="row" onSubmit={add}>
          <input name="layout" aria-label="name of the layout" placeholder="alignment" maxLength={60} />
          <button type="submit">keep what is shown</button>
        </form>
        <button type="button" onClick={copy}>
          copy the link
        </button>
        {link === null ? null : <input aria-label="link" readOnly value={link} onFocus={(e) => e.target.select()} />}
      </div>
    </details>
  );
}

function Kept({
  name,
  onShow,
  onForget,
}: {
  readonly name: string;
  readonly onShow: () => void;
  /** Null: this client may not. */
  readonly onForget: (() => void) | null;
}) {
  return (
    <p className="row">
      <button type="button" onClick={onShow}>
        {name}
      </button>
      {onForget === null ? null : (
        <button type="button" aria-label={`forget the layout ${name}`} onClick={onForget}>
          ✕
        </button>
      )}
    </p>
  );
}

function show(hash: string): void {
  history.replaceState(null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

function read(owner: string): Layouts {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(PREFIX + owner) ?? "{}");
    const entries = typeof found === "object" && found !== null ? Object.entries(found) : [];
    return Object.fromEntries(entries.filter(([, hash]) => typeof hash === "string" && hash.startsWith("#/")));
  } catch {
    return {};
  }
}

function nameIn(definition: string | null): string | undefined {
  if (definition === null) return undefined;
  const { name } = JSON.parse(definition) as { readonly name?: unknown };
  return typeof name === "string" ? name : undefined;
}
