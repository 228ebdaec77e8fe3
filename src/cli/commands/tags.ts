import { Option } from "commander";
import { formatTagList, parseCondition, type Run, type RunTags } from "../../db/index.ts";
import { type AddCommand, declare, findRun, runArgument } from "../command.ts";

const classes = ["all", "dark", "exposed", "on", "off"] as const;
interface Options {
  readonly class: (typeof classes)[number];
  readonly detector?: string;
  readonly where: string[];
  readonly out?: string;
}

/** `sacla tags RUN`: the tag list of a run, of one class of shots, or under conditions, in the form of MakeTagList. */
export const tags: AddCommand = (program, io) =>
  declare<Options, [number | "newest"]>(
    program,
    io,
    "tags",
    "print the tags of a run: all, dark, exposed, pump on or off, or those that fulfil conditions",
    (command) =>
      command
        .addArgument(runArgument())
        .addOption(new Option("--class <class>", "which shots").choices(classes).default("all"))
        .option("--detector <id>", "only tags for which this detector has an image")
        .option(
          "--where <condition>",
          'only tags where a signal fulfils a condition, e.g. "xfel_bl_3_tc_bm_1_pd/charge > 5e-9"; can be repeated',
          (text: string, all: string[]) => [...all, text],
          [],
        )
        .option("-o, --out <file>", "write a tag list that MakeTagList's users can read"),
    async (session, { class: wanted, detector, where, out }, [number]) => {
      const run = await findRun(session, number);
      let selected = await ofClass(run, wanted, session.signal);
      if (detector !== undefined) selected = selected.intersect(await run.tags({ detector, signal: session.signal }));
      for (const text of where) {
        const { equipId: name, holds } = parseCondition(text);
        selected = await selected.where(name, holds, { signal: session.signal });
      }
      const list = formatTagList({ detectors: detector === undefined ? [] : [detector], tags: [...selected] });
      if (out !== undefined) io.writeFile(out, list);
      return {
        json: {
          bl: run.bl,
          run: run.number,
          hightag: run.hightag,
          class: wanted,
          tags: [...selected],
          evidence: selected.basis,
          ledger: selected.ledger,
        },
        text: out === undefined ? list.trimEnd() : `${selected.length} tags written to ${out}`,
      };
    },
  );

async function ofClass(run: Run, wanted: Options["class"], signal: AbortSignal): Promise<RunTags> {
  if (wanted === "all") return await run.tags({ signal });
  if (wanted === "dark") return await run.darkTags(undefined, { signal });
  if (wanted === "exposed") return await run.exposedTags(undefined, { signal });
  return (await run.labels(undefined, { signal }))[wanted];
}
