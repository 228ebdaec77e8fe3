import { counted } from "../../core/show.ts";
import { formatTagList } from "../../db/index.ts";
import { type ChoiceOptions, chooseShots, withChoice } from "../choices.ts";
import { type AddCommand, declare, findDetector, findRun, runArgument } from "../command.ts";

interface Options extends ChoiceOptions {
  readonly detector?: string;
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
      withChoice(command.addArgument(runArgument()), "all")
        .option("--detector <id>", "only tags for which this detector has an image")
        .option("-o, --out <file>", "write a tag list that MakeTagList's users can read"),
    async (session, options, [number]) => {
      const { detector, out, limit } = options;
      const run = await findRun(session, number);
      const { tags: all, words } = await chooseShots(session, run, options, "all");
      let selected = all;
      const group = detector === undefined ? undefined : await findDetector(run, detector);
      if (group !== undefined)
        selected = selected.intersect(await run.tags({ detector: group.id, signal: session.signal }));
      selected = selected.slice(0, limit);
      const list = formatTagList({ detectors: group === undefined ? [] : [group.id], tags: [...selected] });
      if (out !== undefined) io.writeFile(out, list);
      const { length } = await run.tags({ signal: session.signal });
      const told = `${selected.length} of ${length} shots of run ${run.number}: ${words(selected.length)}`;
      // The list itself is for other programs: what it holds is told beside it.
      if (out === undefined && session.io.isTerminal) io.err(`${told}\n`);
      return {
        json: {
          bl: run.bl,
          run: run.number,
          hightag: run.hightag,
          class: options.class ?? "all",
          tags: [...selected],
          evidence: all.basis,
          ledger: all.ledger,
        },
        text: out === undefined ? list.trimEnd() : `${told}: ${counted(selected.length, "tag")} written to ${out}`,
      };
    },
  );
