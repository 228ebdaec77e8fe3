/** The names most like `wanted`, best first: those that share most of its words. */
export function nearestNames(wanted: string, names: Iterable<string>, limit = 5): string[] {
  const wantedWords = new Set(wordsIn(wanted));
  const scored = [...names].map((name) => {
    const words = wordsIn(name);
    const shared = words.filter((word) => wantedWords.has(word)).length;
    return { name, score: shared / (wantedWords.size + words.length) };
  });
  return scored
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.name.localeCompare(b.name))
    .slice(0, limit)
    .map(({ name }) => name);
}

/** Numbers apart from letters, so that `bm1` is near `bm_1`. */
function wordsIn(name: string): string[] {
  return name.toLowerCase().match(/[a-z]+|\d+/g) ?? [];
}

/** The name that is spelt most like `wanted`: at most every third letter missing, added, changed or swapped. */
export function nearestSpelling(wanted: string, names: readonly string[]): string | undefined {
  const scored = names.map((name) => ({ name, edits: editsBetween(wanted.toLowerCase(), name.toLowerCase()) }));
  const [best] = scored.sort((a, b) => a.edits - b.edits);
  return best !== undefined && best.edits <= wanted.length / 3 ? best.name : undefined;
}

/** ` Did you mean i0?`, to end a message about a wrong name; "" when no name is spelt like it. */
export function didYouMean(wanted: string, names: readonly string[]): string {
  const near = nearestSpelling(wanted, names);
  return near === undefined ? "" : ` Did you mean ${near}?`;
}

/** Letters missing, added, changed or swapped with their neighbor (optimal string alignment distance). */
function editsBetween(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Infinity;
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSwapped = i > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const changed = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      rows[i]?.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, changed, isSwapped ? at(i - 2, j - 2) + 1 : Infinity));
    }
  }
  return at(a.length, b.length);
}
