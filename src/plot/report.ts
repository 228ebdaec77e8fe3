import { badArgument } from "../core/guards.ts";
import { escapeMarkup } from "./escape.ts";

export interface ReportImage {
  /** The bytes of a PNG, as {@link renderImage} gives. */
  readonly png: Uint8Array;
  /** What the picture shows, for those who cannot see it. */
  readonly alt: string;
  readonly caption?: string | undefined;
}

export interface ReportTable {
  readonly header: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** Part of a report; what is given is shown in this order. */
export interface ReportSection {
  readonly heading: string;
  /** Empty lines part paragraphs. */
  readonly text?: string | undefined;
  readonly image?: ReportImage | undefined;
  /**
   * What {@link linePlot} or {@link histogramPlot} gave. It goes into the page as it is, so take it from nowhere else.
   */
  readonly svg?: string | undefined;
  readonly table?: ReportTable | undefined;
}

export interface Report {
  readonly title: string;
  readonly subtitle?: string | undefined;
  readonly sections: readonly ReportSection[];
  readonly footer?: string | undefined;
}

/**
 * One HTML file with everything in it (pictures as data, no script, nothing loaded), for light and dark screens and for
 * paper. All text is escaped.
 *
 * @throws BAD_ARGUMENT when an image is not a PNG, an `svg` is not an SVG element, or a table row is longer than its
 * header
 * @example
 * const sections = [{ heading: "Average", image: { png, alt: "rings" } }];
 * await writeFile("report.html", reportPage({ title: "Run 206178", sections }));
 */
export function reportPage(report: Report): string {
  const { title, subtitle, sections, footer } = report;
  return [
    "<!DOCTYPE html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${escapeMarkup(title)}</title>`,
    `<style>${style}</style>`,
    "</head>",
    "<body>",
    "<main>",
    `<header><h1>${escapeMarkup(title)}</h1>` +
      `${subtitle === undefined ? "" : `<p>${escapeMarkup(subtitle)}</p>`}</header>`,
    ...sections.map(sectionOf),
    ...(footer === undefined ? [] : [`<footer>${paragraphs(footer)}</footer>`]),
    "</main>",
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

function sectionOf({ heading, text, image, svg, table }: ReportSection): string {
  const parts = ["<section>", `<h2>${escapeMarkup(heading)}</h2>`];
  if (text !== undefined) parts.push(paragraphs(text));
  if (image !== undefined) parts.push(figureOf(image));
  if (svg !== undefined) {
    if (!/^<svg[\s>]/.test(svg) || !svg.trimEnd().endsWith("</svg>"))
      throw badArgument("section svg", svg, "an SVG element, as linePlot gives");
    parts.push(`<figure>${svg}</figure>`);
  }
  if (table !== undefined) parts.push(tableOf(table));
  return [...parts, "</section>"].join("\n");
}

function paragraphs(text: string): string {
  return text
    .split(/\n\s*\n/)
    .filter((part) => part.trim() !== "")
    .map((part) => `<p>${escapeMarkup(part.trim())}</p>`)
    .join("\n");
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] as const;

function figureOf({ png, alt, caption }: ReportImage): string {
  if (!signature.every((byte, i) => png[i] === byte)) throw badArgument("section image png", png, "the bytes of a PNG");
  const data = Buffer.from(png.buffer, png.byteOffset, png.byteLength).toString("base64");
  const below = caption === undefined ? "" : `<figcaption>${escapeMarkup(caption)}</figcaption>`;
  return `<figure><img src="data:image/png;base64,${data}" alt="${escapeMarkup(alt)}">${below}</figure>`;
}

function tableOf({ header, rows }: ReportTable): string {
  const isNumber = header.map(
    (_, i) => rows.length > 0 && rows.every((row) => row[i] === undefined || typeof row[i] === "number"),
  );
  const cell = (tag: string, text: string, i: number): string =>
    `<${tag}${isNumber[i] === true ? ' class="n"' : ""}>${escapeMarkup(text)}</${tag.slice(0, 2)}>`;
  const body = rows.map((row) => {
    if (row.length > header.length)
      throw badArgument("table row", row, `at most ${header.length} cells, as many as the header has`);
    return `<tr>${header.map((_, i) => cell("td", String(row[i] ?? ""), i)).join("")}</tr>`;
  });
  const head = `<thead><tr>${header.map((text, i) => cell('th scope="col"', text, i)).join("")}</tr></thead>`;
  return `<div class="wide"><table>${head}<tbody>${body.join("\n")}</tbody></table></div>`;
}

const style = `
:root { color-scheme: light dark; --ink: #1f2329; --soft: #5c636e; --line: #dde1e6; --page: #f6f7f9; --card: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --soft: #9aa3af; --line: #333a44; --page: #14171b; --card: #1c2026 }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Helvetica, Arial,
  sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.25; overflow-wrap: anywhere }
h2 { margin: 0 0 .6rem; font-size: 1.15rem; overflow-wrap: anywhere }
header p, figcaption, footer { color: var(--soft) }
header p { margin: .3rem 0 0 }
section { margin-top: 1.25rem; padding: 1.25rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 10px }
section > p { margin: 0 0 .8rem; max-width: 46rem; white-space: pre-line }
figure { margin: .4rem 0 }
img, figure > svg { display: block; max-width: 100%; max-height: 85vh; width: auto; height: auto;
  margin: 0 auto; background: #fff; border-radius: 6px }
figcaption { margin-top: .5rem; font-size: .9rem; text-align: center }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums }
th, td { padding: .35rem .9rem .35rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--soft); font-weight: 600 }
.n { text-align: right }
td:first-child { white-space: nowrap }
footer { margin-top: 1.5rem; font-size: .85rem }
@media print {
  :root { --ink: #000; --soft: #444; --line: #bbb; --page: #fff; --card: #fff }
  main { max-width: none; padding: 0 }
  section { padding: .6rem 0; border-width: 1px 0 0; border-radius: 0 }
  figure, tr { break-inside: avoid }
  h2 { break-after: avoid }
  img, figure > svg { max-height: 20cm }
}
`;
