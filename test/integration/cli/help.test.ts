import { Command } from "commander";
import { expect, it } from "vitest";
import type { Host } from "../../../src/cli/command.ts";
import { commandGroups, examples } from "../../../src/cli/command-list.ts";
import type { Io } from "../../../src/cli/io.ts";
import { runCli, withMinus } from "../../../src/cli/program.ts";
import { wordsOf } from "../../../src/cli/shell-line.ts";

/** Commands that do nothing but read their words. */
async function idleProgram(io: Io): Promise<Command> {
  const program = new Command("sacla").exitOverride().configureOutput({ writeErr: (text) => io.err(text) });
  for (const { load } of commandGroups.flatMap(([, listed]) => listed)) (await load())(program, io, {} as Host);
  for (const command of program.commands)
    for (const each of [command, ...command.commands]) each.exitOverride().action(() => undefined);
  return program;
}

function silentIo(): { readonly io: Io; readonly out: string[] } {
  const out: string[] = [];
  return { io: { out: (text: string) => out.push(text), err: (text: string) => out.push(text) } as unknown as Io, out };
}

it("every command and each of its parts has two examples, whose words it takes", async () => {
  const { io, out } = silentIo();
  const program = await idleProgram(io);
  const parts = program.commands.flatMap((command) => [
    command.name(),
    ...command.commands.map((part) => `${command.name()} ${part.name()}`),
  ]);
  expect(Object.keys(examples).sort()).toEqual(parts.sort());
  for (const line of Object.values(examples)
    .flat()
    .filter((text) => text.startsWith("sacla "))) {
    const words = wordsOf(line.replace(/ > .*/, "")).slice(1).map(withMinus);
    await program.parseAsync(words, { from: "user" }).catch(() => expect.fail(`${line}: ${out.at(-1)}`));
  }
});

it("help says no default where there is none", async () => {
  const { io, out } = silentIo();
  expect(await runCli(["help", "convert"], io)).toBe(0);
  expect(out.join("")).toMatch(/can be\s+repeated\n/);
  expect(out.join("")).not.toContain("default: []");
});
