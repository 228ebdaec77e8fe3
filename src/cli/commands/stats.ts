import { type Completeness, completeness } from "../../hdf5/index.ts";
import { textTable } from "../../plot/text.ts";
import { type ChoiceOptions, chooseShots, withChoice } from "../choices.ts";
import { type AddCommand, collect, declare, findRun, parseFileName } from "../command.ts";

interface Options extends ChoiceOptions {
  readonly signal: string[];
  readonly out?: string;
}

/** `sacla stats FILE|RUN`: what of a run is there, and a picture of what is missing where. */
export const stats: AddCommand = (program, io) =>
  declare<Options, [source: string]>(
    program,
    io,
    "stats",
    "count the images and values of each detector and signal of a run, and draw where some are missing",
    (command) =>
      withChoice(command.argument("[source]", "run number, newest, or an HDF5 file (its newest run)", "newest"), "all")
        .option(
          "--signal <id>",
          "equipment id or pattern with *; can be repeated (default: the signals that convert writes)",
          collect,
          [],
        )
        .option("-o, --out <file>", "SVG picture of the missing images and values", parseFileName(".svg")),
    async (session, options, [source]) => {
      const { signal: signals, out, limit } = options;
      const run = await findRun(session, /^\d+$/.test(source) ? Number(source) : "newest");
      const chosen = await chooseShots(session, run, options, "all");
      const found = await completeness(
        run,
        signals.length === 0 ? undefined : signals,
        { signal: session.signal },
        chosen.tags.slice(0, limit),
      );
      const { tags, rows, complete } = found;
      if (out !== undefined) session.io.writeFile(out, picture(found));
      const cells = rows.map(({ name, counts }) => [
        name,
        counts.ok,
        counts["not-converged"],
        counts.saturated,
        counts.missing,
        share(counts.ok, tags.length),
      ]);
      const lost = rows.flatMap(({ name, reasons = {} }) =>
        Object.entries(reasons).map(([reason, images]) => `${name}: ${images} of the missing are ${reason}\n`),
      );
      const table = textTable(["", "ok", "not-converged", "saturated", "missing", "there"], cells);
      return {
        json: {
          bl: run.bl,
          run: run.number,
          shots: tags.length,
          complete,
          rows: rows.map(({ name, kind, ok, counts, reasons }) => ({ name, kind, ok, counts, reasons })),
          picture: out ?? null,
        },
        text:
          `${table}\n${lost.join("")}${complete} of ${tags.length} ${chosen.words(tags.length)} of run ${run.number} ` +
          `have everything (${share(complete, tags.length)})${out === undefined ? "" : `\n${out}`}`,
      };
    },
    (_options, [source]) => (isFile(source) ? { url: source } : {}),
  );

function isFile(source: string): boolean {
  return source !== "newest" && !/^\d+$/.test(source);
}

/** Rounded down: 100 % is said only of what is all there. */
function share(part: number, whole: number): string {
  return whole === 0 ? "–" : `${(Math.floor((1000 * part) / whole) / 10).toFixed(1)} %`;
}

/** Columns at most; beyond, neighbouring shots share one. */
const MAX_COLUMNS = 800;
const [ROW_HEIGHT, WIDTH, SHARE_WIDTH, HEAD, FOOT] = [16, 800, 60, 40, 26];
/** Wide enough for a letter of the labels. */
const LETTER_WIDTH = 6.6;
/** By index into the statuses of a shot: there, not-converged, saturated, missing. */
const colours = ["#e8eef2", "#e69f00", "#cc79a7", "#222222"] as const;
const labels = ["there", "not-converged", "saturated", "missing"] as const;

/** One row a detector or signal, shots from left to right, coloured by why something is missing. */
function picture({ run, rows, tags, complete }: Completeness): string {
  const perColumn = Math.max(1, Math.ceil(tags.length / MAX_COLUMNS));
  const columns = Math.max(1, Math.ceil(tags.length / perColumn));
  const left = Math.ceil(16 + LETTER_WIDTH * Math.max(0, ...rows.map(({ name }) => name.length)));
  const right = left + WIDTH;
  const bands = rows.map(({ name, ok, status }, r) => {
    const y = HEAD + r * ROW_HEIGHT;
    const texts = `${label(left - 8, y + 11, name, "end")}${label(right + 8, y + 11, share(ok, tags.length))}`;
    return `${texts}<g transform="translate(${left} ${y})">${band(status, perColumn, columns)}</g>`;
  });
  const legend = labels.map((text, i) => {
    const x = left + i * 130;
    return `<rect x="${x}" y="20" width="12" height="12" fill="${colours[i]}"/>${label(x + 18, 30, text)}`;
  });
  const height = HEAD + rows.length * ROW_HEIGHT + FOOT;
  const first = label(left, height - 8, `tag ${tags[0] ?? ""}`);
  const range = first + label(right, height - 8, String(tags.at(-1) ?? ""), "end");
  const title = `<g font-weight="bold">${label(left, 13, titleOf(run, tags.length, complete, perColumn))}</g>`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${right + SHARE_WIDTH}" height="${height}" ` +
    `font-family="sans-serif" font-size="11"><rect width="100%" height="100%" ` +
    `fill="#fff"/>${[title, ...legend, ...bands, range].join("\n")}</svg>\n`
  );
}

function titleOf(run: number, shots: number, complete: number, perColumn: number): string {
  const column = perColumn > 1 ? `; a column is ${perColumn} shots and shows the worst of them` : "";
  return `run ${run}: ${complete} of ${shots} shots have everything${column}`;
}

function label(x: number, y: number, text: string, anchor: "start" | "end" = "start"): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escaped(text)}</text>`;
}

/** Neighbouring columns of one colour are one rectangle. */
function band(status: Uint8Array, perColumn: number, columns: number): string {
  const worst = (c: number): number => Math.max(0, ...status.subarray(c * perColumn, (c + 1) * perColumn));
  const parts: string[] = [];
  for (let c = 0; c < columns; ) {
    const code = worst(c);
    const start = c;
    while (c < columns && worst(c) === code) c++;
    const [x, width] = [(start / columns) * WIDTH, ((c - start) / columns) * WIDTH];
    parts.push(
      `<rect x="${x.toFixed(2)}" width="${width.toFixed(2)}" height="${ROW_HEIGHT - 3}" ` +
        `fill="${colours[code] ?? colours[3]}"/>`,
    );
  }
  return parts.join("");
}

function escaped(text: string): string {
  return text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
}
