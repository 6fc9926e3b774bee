import { Command, CommanderError, Option } from 'commander'
import type { Settings } from '@tidewire/sdk'
import { exitCodes } from '../cli/cli-error.ts'
import { exitWith, UserError } from './fatal.ts'
import { environmentName, flagName, type SettingsSources } from './settings-sources.ts'
import { logCommandSettings, startSettings, workerCommandSettings } from './start-settings.ts'
import { version } from './version.ts'

/** Parses the arguments and runs the command that they name; each command is loaded only when it is called. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = createProgram()
  try {
    // What starts a part of the platform, and starts fast, does without the others.
    if (!program.commands.some((command) => command.name() === argv[2])) {
      const { addCommands } = await import('../cli/commands.ts')
      addCommands(program)
      // Whoever reads the output (`| head`) may have seen enough.
      process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
    }
    await program.parseAsync(argv)
  } catch (error) {
    // It has said what is wrong with the command line, or shown the help that was asked for.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    else exitWith(error)
  }
}

/** The commands that start a part of the platform, or belong to one. */
export function createProgram(): Command {
  const program = new Command('tidewire')
    .description('Moves data between the systems people run and a partitioned log, as Kafka Connect does.')
    .version(version)
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride()

  withSettings(program.command('start'), startSettings)
    .description('the whole platform in one process: log, worker with REST and console, schema registry, MQTT gateway')
    .option('--empty', 'start without the quickstart (the same as --quickstart false)')
    .addHelpText(
      'after',
      `
Settings of the worker and of the log are taken too: --set offset.flush.interval.ms=1000

Examples:
  tidewire start                                      the platform and the quickstart, data in ./data
  tidewire start --empty --data-dir /var/lib/tidewire
  tidewire start --rest-port 9083 --log-port 19092 --mqtt-port 2883
  TIDEWIRE_BIND_ADDRESS=0.0.0.0 tidewire start        open to the network: see docs/security.md`,
    )
    .action(async (options: Record<string, unknown>) => {
      const sources = sourcesOf(options, startSettings)
      const flags = options['empty'] === true ? { ...sources.flags, quickstart: 'false' } : sources.flags
      const { start } = await import('./start.ts')
      await start({ ...sources, flags })
    })

  withSettings(program.command('log'), logCommandSettings)
    .description('the log alone: a Kafka broker in one process, with one data directory')
    .action(async (options: Record<string, unknown>) => {
      const { runLog } = await import('./log-command.ts')
      await runLog(sourcesOf(options, logCommandSettings))
    })

  withSettings(program.command('worker'), workerCommandSettings)
    .description('a worker alone, on the bundled log, Apache Kafka or Redpanda')
    .argument('[file]', 'settings file, .properties or .json, as connect-distributed takes it')
    .addHelpText(
      'after',
      `
Example:
  tidewire worker config/worker.properties --set bootstrap.servers=127.0.0.1:19092`,
    )
    .action(async (file: string | undefined, options: Record<string, unknown>) => {
      const sources = sourcesOf(options, workerCommandSettings)
      if (file !== undefined && sources.file !== undefined) throw new UserError('give one settings file, not two')
      const { runWorker } = await import('./worker-command.ts')
      await runWorker({ ...sources, file: file ?? sources.file })
    })

  withSettings(program.command('standalone'), workerCommandSettings)
    .description(
      'a worker whose connectors are those of files, as connect-standalone has it; REST changes none of them',
    )
    .option('--rest-writes', 'let REST change them until the next start, as that of connect-standalone does')
    .argument('<file>', 'settings of the worker, .properties or .json')
    .argument('<connectors...>', 'files of connectors, .json or .properties, and folders of them')
    .addHelpText(
      'after',
      `
Offsets, states and configs are in the log, in topics connect-standalone-*: nothing is kept on the machine. Several of these on
one log need a group.id and topics of their own each. A connector of an earlier start that is in none of the files is stopped.

Example:
  tidewire standalone config/standalone.properties config/examples/file-source.json config/examples/file-sink.json`,
    )
    .action(async (file: string, connectors: string[], options: Record<string, unknown>) => {
      if (options['config'] !== undefined) throw new UserError('give one settings file, not two')
      const { runStandalone } = await import('./standalone-command.ts')
      const takesWrites = options['restWrites'] === true
      await runStandalone({ ...sourcesOf(options, workerCommandSettings), file }, connectors, takesWrites)
    })

  withSettings(program.command('registry'), workerCommandSettings)
    .description('a schema registry alone, with the API of Confluent’s, on the bundled log, Apache Kafka or Redpanda')
    .argument('[file]', 'settings file, .properties or .json, as schema-registry-start takes it')
    .addHelpText(
      'after',
      `
Example:
  tidewire registry config/registry.properties --set kafkastore.bootstrap.servers=127.0.0.1:19092`,
    )
    .action(async (file: string | undefined, options: Record<string, unknown>) => {
      const sources = sourcesOf(options, workerCommandSettings)
      if (file !== undefined && sources.file !== undefined) throw new UserError('give one settings file, not two')
      const { runRegistry } = await import('./registry-command.ts')
      await runRegistry({ ...sources, file: file ?? sources.file })
    })

  program
    .command('user')
    .description('sets the password of a user of the log (SASL), read from standard input; see docs/security.md')
    .argument('<name>')
    .requiredOption('-f, --file <file>', 'the file that sasl.users.file names; made where it is not there')
    .option('--remove', 'remove the user')
    .addHelpText('after', '\nExample:\n  printf %s "$PASSWORD" | tidewire user alice --file users')
    .action(async (name: string, { file, remove }: { file: string; remove?: boolean }) => {
      const { changeUser } = await import('./user-command.ts')
      await changeUser(name, file, remove === true)
    })

  return program
}

/** A flag for each setting, and `--config` and `--set` for the rest. */
function withSettings(command: Command, settings: Settings): Command {
  for (const [name, setting] of Object.entries(settings)) {
    const option = new Option(`${flagName(name)} <value>`, `${setting.doc} (environment: ${environmentName(name)})`)
    if (setting.enum !== undefined) option.choices([...setting.enum])
    if (setting.default !== undefined) option.description += ` (default: ${String(setting.default)})`
    command.addOption(option)
  }
  return command
    .option('-c, --config <file>', 'settings file, .json or .properties (environment: TIDEWIRE_CONFIG)')
    .option('--set <name=value...>', 'any setting by its full name')
}

function sourcesOf(options: Record<string, unknown>, settings: Settings): SettingsSources {
  const flags: Record<string, string | undefined> = {}
  for (const pair of (options['set'] ?? []) as readonly string[]) {
    const at = pair.indexOf('=')
    if (at < 1) throw new UserError(`--set takes name=value, not ${pair}`)
    flags[pair.slice(0, at)] = pair.slice(at + 1)
  }
  for (const name of Object.keys(settings)) {
    const value = options[camelCase(flagName(name).slice(2))]
    if (typeof value === 'string') flags[name] = value
  }
  const file = options['config'] ?? process.env['TIDEWIRE_CONFIG']
  return { flags, env: process.env, file: typeof file === 'string' ? file : undefined }
}

/** The name under which commander stores `--some-flag`. */
function camelCase(flag: string): string {
  return flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
