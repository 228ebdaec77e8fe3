import { useSyncExternalStore } from "react";

/**
 * What is looked at stands behind the # of the address, so that it is kept in a bookmark and can be sent to others. It
 * never holds a secret, and never reaches a server or its log.
 */
export interface Place {
  readonly panel: string;
  readonly params: URLSearchParams;
}

/** The panel that an address without one means. */
let home = "live";

/** A source without live shots begins with its runs. */
export function setHome(panel: string): void {
  home = panel;
}

function read(): string {
  return location.hash;
}

function follow(changed: () => void): () => void {
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
}

export function usePlace(): Place {
  return placeOf(useSyncExternalStore(follow, read));
}

/** The place as the address has it now. */
export function placeNow(): Place {
  return placeOf(read());
}

function placeOf(hash: string): Place {
  const [panel = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  return { panel: panel === "" ? home : panel, params: new URLSearchParams(query) };
}

/** Changes some parameters; null takes one away. A setting is no step of its own to go back by. */
export function go(change: Readonly<Record<string, string | null>>): void {
  history.replaceState(null, "", hashWith(change));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Where some parameters would lead. */
export function hashWith(change: Readonly<Record<string, string | null>>): string {
  const [now = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const params = new URLSearchParams(query);
  for (const [name, value] of Object.entries(change))
    if (value === null) params.delete(name);
    else params.set(name, value);
  return `#/${now === "" ? home : now}?${params}`;
}
