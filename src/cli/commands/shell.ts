import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { toSaclaError } from "../../core/errors.ts";
import { makeFolder, replaceFile } from "../../files/index.ts";
import { textTable } from "../../plot/text.ts";
import { type AddCommand, declare, type Host, type NamesAtSource, type Session } from "../command.ts";
import type { Io } from "../io.ts";
import { userFolder } from "../settings.ts";
import { commandOf, shortForms, wordsOf } from "../shell-line.ts";

/** Lines of former sessions that are kept. */
const HISTORY = 1000;

/** `sacla shell`: commands over one connection, with history and completion. */
export const shell: AddCommand = (program, io, host) =>
  declare<{ readonly as?: string }, []>(
    program,
    io,
    "shell",
    "commands over one connection, with history and completion; Ctrl+C stops what a command does, exit leaves",
    (command) => command.option("--as <name>", "your name: others see it while you hold the lease"),
    async (session, options) => {
      const { url = "sim:", experiment, as } = options;
      const env = { ...io.env, SACLA_URL: url, SACLA_EXPERIMENT: experiment ?? "", SACLA_AS: as ?? "" };
      const held = { url, bl: session.bl, endpoint: session.facility.endpoint };
      const code = await new Shell(
        session,
        host,
        Object.create(io, { env: { value: env }, held: { value: held } }),
      ).untilLeft();
      return { json: { closed: url }, text: `left ${url}`, exitCode: code };
    },
  );

class Shell {
  readonly #session: Session;
  readonly #host: Host;
  readonly #io: Io;
  readonly #historyFile: string | undefined;
  #history: string[];
  /** Of the command that runs. */
  #running: AbortController | undefined;
  readonly #lists = new Map<string, Promise<string[]>>();

  constructor(session: Session, host: Host, io: Io) {
    this.#session = session;
    this.#host = host;
    this.#io = io;
    const folder = userFolder(io.env, "state");
    this.#historyFile = folder === undefined ? undefined : join(folder, "shell-history");
    this.#history = historyIn(this.#historyFile);
  }

  /** Gives the exit code of the last command. */
  async untilLeft(): Promise<number> {
    this.#io.takeInterrupt?.(() => this.#running?.abort());
    let code = 0;
    try {
      for await (const line of this.#io.lines ?? (process.stdin.isTTY === true ? this.#typed() : piped())) {
        const done = await this.#do(line);
        if (done === undefined) break;
        code = done;
      }
    } finally {
      this.#io.takeInterrupt?.(undefined);
      this.#keepHistory();
    }
    return code;
  }

  /** Runs one line; undefined: to leave. */
  async #do(line: string): Promise<number | undefined> {
    try {
      const words = wordsOf(line);
      if (words.length === 0) return 0;
      const command = commandOf(words);
      if (command[0] === "exit" || command[0] === "quit") return undefined;
      if (command[0] === "help" && command.length === 1) this.#help();
      if (command[0] === "shell") return 0;
      const running = new AbortController();
      this.#running = running;
      return await this.#host.run(command, Object.create(this.#io, { signal: { value: running.signal } }));
    } catch (error) {
      this.#io.err(`error ${toSaclaError(error).code}: ${toSaclaError(error).message}\n`);
      return 2;
    } finally {
      this.#running = undefined;
    }
  }

  /** A prompt of its own for each line: while a command runs the terminal is as it wants it. */
  async *#typed(): AsyncGenerator<string, void, undefined> {
    const { bl, io } = this.#session;
    const prompt = `${(await this.#session.isSimulated()) ? "SIMULATED " : ""}bl${bl}> `;
    io.err("help: commands; Tab completes; Ctrl+C stops what a command does; exit or Ctrl+D leaves\n");
    for (;;) {
      let isGiven = false;
      const lines = createInterface({
        input: process.stdin,
        output: process.stderr,
        terminal: true,
        history: this.#history,
        historySize: HISTORY,
        removeHistoryDuplicates: true,
        // What is found after the line was given belongs to no line.
        completer: async (line: string): Promise<[string[], string]> => {
          const found = await this.#complete(line);
          return isGiven ? [[], line] : found;
        },
      });
      lines.on("history", (all) => {
        this.#history = all;
      });
      // Nothing of this shell goes on at the prompt: the line is given up.
      lines.on("SIGINT", () => {
        io.err("^C nothing goes on here; stop everything that moves with: stop\n");
        lines.write(null, { ctrl: true, name: "e" });
        lines.write(null, { ctrl: true, name: "u" });
        lines.prompt();
      });
      const line = await new Promise<string | undefined>((resolve) => {
        lines.once("line", resolve);
        lines.once("close", () => resolve(undefined));
        lines.setPrompt(prompt);
        lines.prompt();
      });
      isGiven = true;
      lines.close();
      if (line === undefined) {
        io.err("\n");
        return;
      }
      yield line;
    }
  }

  async #complete(line: string): Promise<[string[], string]> {
    const begun = /\S*$/.exec(line)?.[0] ?? "";
    const before = line.slice(0, line.length - begun.length).split(/\s+/);
    const words = ["sacla", ...before.filter((word) => word !== "" && word !== "sacla"), begun];
    const [, name] = words;
    if (words.length > 2 && (name === "umv" || name === "umvr" || name === "wm")) words[1] = "axes";
    try {
      const found = await this.#host.complete(
        words,
        words.length - 1,
        this.#io,
        async (what) => await this.#names(what),
      );
      return [found.map((one) => (one.endsWith("=") ? one : `${one} `)), begun];
    } catch {
      return [[], begun];
    }
  }

  /** What the connection has of a kind; asked for once, but for runs. */
  async #names(what: Parameters<NamesAtSource>[0]): Promise<string[]> {
    const { facility, bl } = this.#session;
    if (what === "run") {
      const numbers: string[] = [];
      for await (const { number } of facility.runs({ bl, last: 20 })) numbers.push(String(number));
      return numbers;
    }
    const ask = async (): Promise<string[]> => {
      if (what === "signal") return await facility.db.readEquiplist();
      if (what === "detector") return (await (await facility.run(bl, -1)).detectors()).map(({ id }) => id);
      const devices = await facility.ec.devices(bl);
      return devices.filter(({ kind }) => (kind === "axis") === (what === "axis")).map(({ name }) => name);
    };
    const known = this.#lists.get(what) ?? ask();
    this.#lists.set(what, known);
    return await known.catch(() => []);
  }

  #help(): void {
    this.#io.out(`${textTable(["here", "is"], Object.entries(shortForms))}\n\n`);
  }

  #keepHistory(): void {
    if (this.#historyFile === undefined || this.#history.length === 0) return;
    try {
      makeFolder(dirname(this.#historyFile));
      replaceFile(this.#historyFile, `${this.#history.join("\n")}\n`, 0o600);
    } catch {
      // The next session begins with an older one.
    }
  }
}

async function* piped(): AsyncGenerator<string, void, undefined> {
  yield* createInterface({ input: process.stdin });
}

/** Newest first. */
function historyIn(path: string | undefined): string[] {
  if (path === undefined) return [];
  try {
    const lines = readFileSync(path, "utf8").split("\n");
    return lines.filter((line) => line !== "");
  } catch {
    return [];
  }
}
