/** What many commands share: their options, and how texts of the command line become values. */
import { InvalidArgumentError, Option, type Command } from 'commander'
import { CliError, exitCodes } from './cli-error.ts'
import type { LogOptions } from './log-connection.ts'
import type { Format } from './output.ts'
import type { RestOptions } from './rest-connection.ts'

interface OutputOptions {
  readonly output: Format
}

export type RestCommandOptions = RestOptions & OutputOptions
export type LogCommandOptions = LogOptions & OutputOptions

/**
 * For a command that asks a worker.
 * @param ownTimeout its `--timeout` is another: of the work that it asks for
 */
export function asksWorker(command: Command, { ownTimeout = false } = {}): Command {
  command
    .addOption(
      new Option('--url <url>', 'REST of any worker of the cluster; with --cert, --key and --ca where it wants them')
        .env('TIDEWIRE_URL')
        .default('http://127.0.0.1:8083'),
    )
    // Told with --url: as lines of their own they would hide what a command is about.
    .addOption(new Option('--cert <file>').env('TIDEWIRE_CERT').hideHelp())
    .addOption(new Option('--key <file>').env('TIDEWIRE_KEY').hideHelp())
    .addOption(new Option('--ca <file>').env('TIDEWIRE_CA').hideHelp())
  return withOutput(ownTimeout ? command : withTimeout(command, 'the worker'))
}

/** For a command that asks the log, past the workers. */
export function asksLog(command: Command): Command {
  command
    .addOption(
      new Option('--bootstrap <servers>', 'the log: host:port, several with commas between them')
        .env('TIDEWIRE_BOOTSTRAP')
        .default('127.0.0.1:9092'),
    )
    .addOption(
      new Option('--command-config <file>', 'client settings (.properties) for a log with TLS or log-ins').env(
        'TIDEWIRE_COMMAND_CONFIG',
      ),
    )
  return withOutput(withTimeout(command, 'the log'))
}

function withTimeout(command: Command, who: string): Command {
  return command.addOption(
    new Option('--timeout <seconds>', `how long ${who} may say nothing at all (default: 5)`)
      .argParser(seconds)
      .env('TIDEWIRE_TIMEOUT'),
  )
}

function withOutput(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'tables for people, JSON for programs')
      .choices(['table', 'json'])
      .default('table'),
  )
}

export function examples(...lines: readonly string[]): string {
  return `\n${lines.length > 1 ? 'Examples' : 'Example'}:\n${lines.map((line) => `  ${line}`).join('\n')}`
}

/** A whole number that is not negative, for an option or argument. */
export function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.')
  return Number(text)
}

/** Seconds, as milliseconds. */
export function seconds(text: string): number {
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(text)) throw new InvalidArgumentError('Expected seconds.')
  return Math.round(Number(text) * 1000)
}

/** As REST has them, and tables show them. */
const connectorStates = ['RUNNING', 'STALLED', 'FAILED', 'PAUSED', 'STOPPED', 'UNASSIGNED', 'RESTARTING']

/** In letters of either case. */
export function connectorState(text: string): string {
  const state = text.toUpperCase()
  if (connectorStates.includes(state)) return state
  throw new InvalidArgumentError(`Expected ${connectorStates.join(', ').toLowerCase()}.`)
}

/** For an option that is given several times, or with several values. */
export const collected = (text: string, before: readonly string[] = []): string[] => [...before, text]

/** `name=value` each. @throws CliError */
export function pairsOf(option: string, pairs: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new CliError(`${option} takes name=value, not ${pair}`, exitCodes.usage)
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}
