import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/** Folders that a path in the text of a page may name; of others, such as `test`, only a clone has the files. */
const SHIPPED = /(?<![\w./-])(?:docs|examples|fixtures|gateway|src)\/[\w./-]*\w(?:#[\w-]+)?/g;
const LINK = /\]\((?!\w+:)([^)\s]+)\)/g;

/**
 * What the pages and the error texts below `root` name and is not there: links with their anchors, paths in the text of
 * pages, pages that a message of `src` sends to.
 *
 * @param isThere - whether a path, relative to `root`, is there for the reader
 * @returns one line each: `docs/live.md: serving.md#nowhere`
 */
export function brokenLinks(
  root: string,
  isThere: (path: string) => boolean = (path) => existsSync(join(root, path)),
): string[] {
  const read = (path: string): string => readFileSync(join(root, path), "utf8");
  const broken: string[] = [];
  const check = (from: string, link: string, base: string): void => {
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? from : normalize(join(base, path));
    const isPage = target.endsWith(".md");
    if (!isThere(target) || !existsSync(join(root, target))) broken.push(`${from}: ${link}`);
    else if (anchor !== undefined && isPage && !anchorsOf(read(target)).has(anchor)) broken.push(`${from}: ${link}`);
  };
  const files = [".", "docs", "examples", "gateway", "src"].flatMap((folder) => filesOf(root, folder));
  for (const file of files.filter(isThere)) {
    const text = read(file);
    if (file.endsWith(".md")) {
      for (const [, link = ""] of text.matchAll(LINK)) check(file, link, dirname(file));
      for (const [, code = ""] of text.matchAll(/(?<!`)`([^`\n]+)`/g))
        for (const [path] of code.matchAll(SHIPPED)) if (!/\bNAME\b|^docs\/api\//.test(path)) check(file, path, ".");
    } else {
      for (const [path] of text.matchAll(/(?<![\w./-])docs\/[\w./-]+\.(?:md|json)(?:#[\w-]+)?/g))
        check(file, path, ".");
    }
  }
  return broken;
}

/** Of `.` only its own files; of another folder all below it. */
function filesOf(root: string, folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: folder !== ".", encoding: "utf8" })
    .map((name) => normalize(join(folder, name)))
    .filter((name) => /\.(?:md|ts)$/.test(name) && !name.startsWith("docs/api/"));
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of page.replace(/^```.*?^```/gms, "").matchAll(/^#+ +(.+)$/gm)) {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-");
    let name = anchor;
    for (let count = 1; anchors.has(name); count++) name = `${anchor}-${count}`;
    anchors.add(name);
  }
  return anchors;
}
