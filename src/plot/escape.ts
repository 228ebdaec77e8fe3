/** Text as it can stand in XML or HTML, in content and in attribute values; what XML does not allow becomes �. */
export function escapeMarkup(text: string): string {
  return text
    .replace(forbidden, "\ufffd")
    .replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c] ?? "&#39;");
}

// Control characters but tab and line ends, halves of a surrogate pair, and code points that are no character.
const forbidden = /[^\P{Cc}\t\n\r]|\p{Surrogate}|\p{Noncharacter_Code_Point}/gu;
