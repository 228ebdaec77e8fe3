import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const made: string[] = [];

/** A folder that is gone when the test file has run: test/support/setup.ts sees to it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sacla-test-"));
  made.push(folder);
  return folder;
}

export function removeTemporaryFolders(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
}
