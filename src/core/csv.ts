/**
 * A table as CSV after RFC 4180, but with lines that end in LF, as the tools of Linux expect. A cell with a comma, a
 * quote or a line break is quoted; NaN is an empty cell; a text that a spreadsheet would take for a formula begins with
 * an apostrophe.
 *
 * @example
 * formatCsv([["tag", "charge"], [1, 4.2e-9]]); // "tag,charge\n1,4.2e-9\n"
 */
export function formatCsv(rows: Iterable<readonly (number | string)[]>): string {
  let text = "";
  for (const row of rows) text += `${row.map(cellText).join(",")}\n`;
  return text;
}

function cellText(value: number | string): string {
  if (typeof value === "number") return Number.isNaN(value) ? "" : String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
