#!/usr/bin/env node
import { collectAtOnce } from "./collect-at-once.ts";
import { processIo } from "./io.ts";
import { runCli } from "./program.ts";

collectAtOnce();
const code = await runCli(process.argv.slice(2), processIo());
// Set already when the output could not be written.
process.exitCode ??= code;
