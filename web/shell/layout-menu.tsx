import { type FormEvent, useEffect, useState } from "react";
import { hashWith } from "../server/location.ts";

/** What is looked at, by the names it was given; "" is where one was last. */
type Layouts = Readonly<Record<string, string>>;

const PREFIX = "sacla layouts ";

/**
 * Layouts of the page: what is looked at stands behind the # of the address, and is kept in this browser for each
 * experiment (without one for each source), so that the next day begins where the last one ended. An address holds no
 * secret, so it can be sent to others.
 */
export function LayoutMenu({
  source,
  definition,
}: {
  readonly source: string;
  /** The experiment file as JSON text; null: there is none. */
  readonly definition: string | null;
}) {
  const owner = nameIn(definition) ?? source;
  return <Menu key={owner} owner={owner} />;
}

function Menu({ owner }: { readonly owner: string }) {
  const [layouts, setLayouts] = useState<Layouts>(() => read(owner));
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
    if (name !== "") keep({ ...read(owner), [name]: location.hash || hashWith({}) });
    event.currentTarget.reset();
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
        <p>of {owner}, kept in this browser</p>
        {names.map((name) => (
          <p key={name} className="row">
            <button type="button" onClick={() => show(layouts[name] ?? "")}>
              {name}
            </button>
            <button
              type="button"
              aria-label={`forget the layout ${name}`}
              onClick={() => keep(Object.fromEntries(Object.entries(read(owner)).filter(([other]) => other !== name)))}
            >
              ✕
            </button>
          </p>
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
