import { badArgument } from "../core/guards.ts";

/**
 * The names that fit a pattern: a text is looked for anywhere in the name, or fits the whole name when it has `*`
 * (any characters) or `?` (one character); case does not matter. A RegExp decides by itself.
 */
export function matchNames(names: readonly string[], pattern: string | RegExp): string[] {
  if (pattern instanceof RegExp) {
    // A global or sticky RegExp remembers where it stopped, and would skip names.
    const fresh = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
    return names.filter((name) => fresh.test(name));
  }
  if (typeof pattern !== "string") throw badArgument("pattern", pattern, "a text or a RegExp");
  if (/[*?]/.test(pattern)) {
    const glob = pattern
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".");
    return matchNames(names, new RegExp(`^${glob}$`, "is"));
  }
  const wanted = pattern.toLowerCase();
  return names.filter((name) => name.toLowerCase().includes(wanted));
}
