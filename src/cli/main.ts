#!/usr/bin/env node
import { processIo } from "./io.ts";
import { runCli } from "./program.ts";
import { collectAtOnce, optimiseLate } from "./v8-flags.ts";

collectAtOnce();
optimiseLate();
const code = await runCli(process.argv.slice(2), processIo());
// Set already when the output could not be written.
process.exitCode ??= code;
