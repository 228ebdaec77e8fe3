import { Argument } from "commander";
import type { AddCommand } from "../command.ts";

const shells = ["bash", "zsh", "fish"] as const;

/** What a shell runs to know how a command line may go on: `sacla complete INDEX WORDS…` answers. */
const scripts: Readonly<Record<(typeof shells)[number], string>> = {
  bash: `_sacla() {
  local IFS=$'\\n' found
  found="$(sacla complete "$COMP_CWORD" "\${COMP_WORDS[@]}" 2>/dev/null)"
  COMPREPLY=($(compgen -W "$found" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _sacla sacla`,
  zsh: `#compdef sacla
_sacla() {
  local -a found
  found=("\${(@f)$(sacla complete $((CURRENT - 1)) "\${words[@]}" 2>/dev/null)}")
  if (( \${#found} )) && [[ -n "\${found[1]}" ]]; then compadd -a found; else _files; fi
}
compdef _sacla sacla`,
  fish:
    "complete -c sacla -a " +
    "'(sacla complete (count (commandline -opc)) (commandline -opc) (commandline -ct) 2>/dev/null)'",
};

/** `sacla completion bash|zsh|fish`: the script that the shell needs. */
export const completion: AddCommand = (program, io) => {
  program
    .command("completion")
    .description(
      'print the script by which a shell completes commands, options and names: eval "$(sacla completion bash)"',
    )
    .addArgument(new Argument("<shell>").choices(shells))
    .action((shell: (typeof shells)[number]) => io.out(`${scripts[shell]}\n`));
};
