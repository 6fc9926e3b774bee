import type { Argument, Command, Option } from 'commander'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/** Each asks the program itself for what may come next, and falls back to files where that knows nothing. */
const scripts: Readonly<Record<Shell, string>> = {
  // Bash breaks words at : and =, as in http://host, and replaces only what stands after them.
  bash: `_tidewire() {
  local line="\${COMP_LINE:0:COMP_POINT}" words found typed
  read -a words <<< "$line"
  if [[ "$line" == *[[:space:]] ]]; then words+=(""); fi
  typed="\${words[\${#words[@]}-1]}"
  COMPREPLY=()
  while IFS= read -r found; do
    found="\${found#"\${typed%"\${typed##*[:=]}"}"}"
    COMPREPLY+=("$(printf %q "$found")")
  done < <(tidewire complete -- "\${words[@]:1}" 2>/dev/null)
  if [ \${#COMPREPLY[@]} -eq 0 ]; then compopt -o default; fi
}
complete -F _tidewire tidewire
`,
  // Found in fpath, the file is run as the function at the first Tab; sourced, it is not.
  zsh: `#compdef tidewire
_tidewire() {
  local -a found
  found=("\${(@f)$(tidewire complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[*]}" ]]; then compadd -a found; else _files; fi
}
if [[ "$funcstack[1]" == _tidewire ]]; then _tidewire "$@"; else compdef _tidewire tidewire; fi
`,
  fish: `function __tidewire_complete
  set -l words (commandline -opc)
  set -l found (tidewire complete -- $words[2..-1] (commandline -ct) 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c tidewire -f -a '(__tidewire_complete)'
`,
}

/** What a shell has to read to complete `tidewire`. */
export function completionScript(shell: Shell): string {
  return scripts[shell]
}

/** Longest wait for a worker or the log: whoever has pressed Tab waits. */
const askTimeoutMs = 1_500

/**
 * What may stand in the place of the last word.
 * @param words of the command line, without the program's name; the last is what has been typed of the word
 */
export async function complete(program: Command, words: readonly string[]): Promise<string[]> {
  const typed = words.at(-1) ?? ''
  const { command, given, options, pending } = walk(program, words.slice(0, -1))
  const found = await candidates(command, typed, given, options, pending)
  return found.filter((each) => each.startsWith(typed)).sort()
}

interface Walked {
  readonly command: Command
  /** How many arguments have been given. */
  readonly given: number
  readonly options: Readonly<Record<string, string>>
  /** The option whose value comes next. */
  readonly pending: Option | undefined
}

function walk(program: Command, words: readonly string[]): Walked {
  let command = program
  let given = 0
  const options: Record<string, string> = {}
  let pending: Option | undefined
  for (const word of words) {
    if (pending !== undefined) {
      options[pending.attributeName()] = word
      pending = undefined
    } else if (word.startsWith('-')) {
      const option = command.options.find((each) => each.short === word || each.long === word)
      if (option?.required === true) pending = option
    } else {
      const sub = command.commands.find((each) => each.name() === word || each.aliases().includes(word))
      if (sub === undefined) given++
      else {
        command = sub
        given = 0
      }
    }
  }
  return { command, given, options, pending }
}

async function candidates(
  command: Command,
  typed: string,
  given: number,
  options: Readonly<Record<string, string>>,
  pending: Option | undefined,
): Promise<readonly string[]> {
  if (pending !== undefined) return pending.argChoices ?? []
  if (typed.startsWith('-')) return [...command.options.flatMap(({ long }) => long ?? []), '--help']
  if (command.commands.length > 0) {
    return command
      .createHelp()
      .visibleCommands(command)
      .map((each) => each.name())
  }
  const argument =
    command.registeredArguments[given] ?? command.registeredArguments.findLast(({ variadic }) => variadic)
  return argument === undefined ? [] : namesOf(argument, command, options)
}

/** Names that a worker or the log knows; none where it does not answer. */
async function namesOf(
  argument: Argument,
  command: Command,
  given: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  if (argument.argChoices !== undefined) return argument.argChoices
  const option = (name: string): string => given[name] ?? (command.getOptionValue(name) as string)
  const asking = askNames(argument.name(), option).catch(() => [])
  const late = new Promise<string[]>((resolve) => setTimeout(resolve, askTimeoutMs, []).unref())
  return Promise.race([asking, late])
}

async function askNames(kind: string, option: (name: string) => string): Promise<readonly string[]> {
  switch (kind) {
    case 'connector':
    case 'plugin': {
      const { connectRest } = await import('./rest-connection.ts')
      const where = { url: option('url'), cert: option('cert'), key: option('key'), ca: option('ca') }
      const rest = await connectRest(where, process.env)
      const signal = AbortSignal.timeout(askTimeoutMs)
      if (kind === 'connector') return (await rest.call('GET /connectors', { signal })) as readonly string[]
      return (await rest.call('GET /connector-plugins', { signal })).map(({ name }) => name)
    }
    case 'topic':
    case 'group': {
      const { withLog } = await import('./log-connection.ts')
      const where = { bootstrap: option('bootstrap'), commandConfig: option('commandConfig') }
      return withLog(where, async ({ admin }) =>
        kind === 'topic'
          ? (await admin.topics()).filter(({ internal }) => !internal).map(({ topic }) => topic)
          : (await admin.groups()).map(({ groupId }) => groupId),
      )
    }
    default:
      return []
  }
}
