import { useEffect, useRef } from "react";

const shortcuts: readonly (readonly [keys: string, meaning: string])[] = [
  ["Shift+Esc", "STOP: stops all axes and aborts the page's scan"],
  ["1, 2, 3 …", "the panels, from left to right"],
  ["/", "search a 0-D signal"],
  ["Tab, Shift+Tab", "to the next field, button or plot, and back"],
  ["← → ↑ ↓ in a plot", "move it"],
  ["+ − 0 in a plot", "zoom in, zoom out, show all of it"],
  ["← → at the shot of a run", "the shot before, the next shot"],
  ["?", "this list"],
  ["Esc", "close it"],
];

/** Keys that lead somewhere, and the list of all keys, which `?` shows. */
export function Shortcuts({ panels }: { readonly panels: readonly string[] }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return;
      const panel = panels[Number(event.key) - 1];
      const isInPlot = event.target instanceof HTMLElement && event.target.getAttribute("role") === "group";
      const link = document.querySelector<HTMLElement>(`nav a[href^="#/${panel}?"]`);
      const search = document.querySelector<HTMLElement>(".signal-picker input");
      if (event.key === "?") dialog.current?.showModal();
      else if (event.key === "/" && search !== null) search.focus();
      else if (panel !== undefined && !isInPlot) link?.click();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [panels]);
  return (
    <>
      <button
        type="button"
        aria-label="keys"
        title="The keys of this page (?)"
        onClick={() => dialog.current?.showModal()}
      >
        ?
      </button>
      <dialog ref={dialog} aria-label="keys of this page">
        <h2>Keys</h2>
        <dl className="keys">
          {shortcuts.map(([keys, meaning]) => (
            <div key={keys}>
              <dt>
                <kbd>{keys}</kbd>
              </dt>
              <dd>{meaning}</dd>
            </div>
          ))}
        </dl>
        <form method="dialog">
          <button type="submit">close</button>
        </form>
      </dialog>
    </>
  );
}

/** Whether a key is text of somebody who types. */
function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input:not([type=checkbox]), select, textarea");
}
