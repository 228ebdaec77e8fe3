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
