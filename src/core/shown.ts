/**
 * How objects show themselves: one line or a small table for `console.log` (`util.inspect` of Node.js, and Deno's), and
 * pictures and tables in notebooks: kernels that follow `Symbol.for("Jupyter.display")`, as Deno's does.
 */
const nodeInspect = Symbol.for("nodejs.util.inspect.custom");
const denoInspect = Symbol.for("Deno.customInspect");
const jupyterDisplay = Symbol.for("Jupyter.display");

/** What a notebook is given: texts by media type, images in base64. */
type Display = Readonly<Record<string, string>>;

/** Has all objects of a class show themselves so. */
export function showAs<T extends object>(
  type: { readonly prototype: T },
  text: (self: T) => string,
  display?: (self: T) => Display,
): void {
  const hide = (key: symbol, value: (this: T) => unknown): void => {
    Object.defineProperty(type.prototype, key, { value, configurable: true });
  };
  const inspect = function (this: T): string {
    // The class itself can be looked at, too.
    return this === type.prototype ? "[prototype]" : text(this);
  };
  hide(nodeInspect, inspect);
  hide(denoInspect, inspect);
  if (display !== undefined)
    hide(jupyterDisplay, function (this: T) {
      return { "text/plain": text(this), ...display(this) };
    });
}

/** The same object, which a notebook shows so. Nothing else changes: the property is hidden. */
export function displayed<T extends object>(object: T, display: () => Display): T {
  return Object.defineProperty(object, jupyterDisplay, { value: display, configurable: true });
}

/** Letters that String.fromCharCode takes at once. */
const AT_ONCE = 8192;

export function base64(bytes: Uint8Array): string {
  let letters = "";
  for (let i = 0; i < bytes.length; i += AT_ONCE) letters += String.fromCharCode(...bytes.subarray(i, i + AT_ONCE));
  return btoa(letters);
}

/** A table of text as HTML. */
export function htmlTable(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const escaped = (cell: string | number): string =>
    String(cell).replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
  const line = (cells: readonly (string | number)[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  return `<table>${line(header, "th")}${rows.map((row) => line(row, "td")).join("")}</table>`;
}
