/** What the library asks of files on disk; a browser has none. */
export function readJsonFile(path: string): never {
  throw new Error(`A browser cannot read ${path}.`);
}
