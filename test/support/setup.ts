/** Runs before each test file, also where files share their modules. */
import { afterAll, expect } from "vitest";
import { sameNumbers } from "./equal-arrays.ts";
import { endFile } from "./file-end.ts";

// Files that share their modules share the list of testers.
const shared = globalThis as { hasSameNumbers?: true };
if (shared.hasSameNumbers === undefined) expect.addEqualityTesters([sameNumbers]);
shared.hasSameNumbers = true;

afterAll(endFile);
