const works: (() => void | Promise<void>)[] = [];

/**
 * Has `work` done when the test file has run, by test/support/setup.ts. A hook of a module here would be known
 * to the first file only where files share their modules, and never called when registered while a test runs.
 */
export function atFileEnd(work: () => void | Promise<void>): void {
  works.push(work);
}

/** Does what {@link atFileEnd} was given, the newest first. */
export async function endFile(): Promise<void> {
  for (const work of works.splice(0).reverse()) await work();
}
