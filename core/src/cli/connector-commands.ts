import { Option, type Command } from 'commander'
import {
  asksWorker,
  collected,
  connectorState,
  count,
  examples,
  pairsOf,
  seconds,
  type RestCommandOptions,
} from './command-options.ts'
import { runOnWorker } from './rest-connection.ts'

type Options<T = unknown> = RestCommandOptions & T
type State = 'RUNNING' | 'PAUSED' | 'STOPPED'

/** `--wait` without a number is a minute. */
const waitOption = (what: string): Option =>
  new Option('--wait [seconds]', `wait until ${what}`).argParser(seconds).preset('60')

interface Wait {
  readonly wait?: number
}

/** `tidewire connector …` */
export function connectorCommands(program: Command): void {
  const connector = program.command('connector').description('connectors of a cluster of workers')
  reading(connector)
  changing(connector)
  states(connector)
  signals(connector)
  trying(connector)
  offsets(connector)
  deadLetters(connector)
}

function reading(connector: Command): void {
  asksWorker(connector.command('list'))
    .alias('ls')
    .description('all connectors, with the states of their tasks')
    .option('--state <state>', 'only those that are in it, or have a task that is', connectorState)
    .addHelpText(
      'after',
      examples('tidewire connector list --state failed', "tidewire connector list -o json | jq -r '.[].name'"),
    )
    .action(async (options: Options<{ state?: string }>) => {
      const { listConnectors } = await import('./connectors.ts')
      await runOnWorker(options, (rest, out) => listConnectors(rest, out, options.state))
    })

  asksWorker(connector.command('describe'))
    .description('one connector: its state, tasks, config, and why something of it failed')
    .argument('<connector>')
    .option('--trace', 'of what failed the whole stack trace')
    .addHelpText('after', examples('tidewire connector describe orders', 'tidewire connector describe orders --trace'))
    .action(async (name: string, options: Options<{ trace?: true }>) => {
      const { describeConnector } = await import('./connectors.ts')
      await runOnWorker(options, (rest, out) => describeConnector(rest, out, name, options.trace === true))
    })
}

interface CreateOptions extends Wait {
  readonly name?: string
  readonly set?: string[]
  readonly initialState?: State
  readonly replace?: true
}

function changing(connector: Command): void {
  asksWorker(connector.command('create'))
    .description('creates a connector, from a file or from settings')
    .argument('[file]', '.json, as it is POSTed or flat, or .properties; - is standard input')
    .option('--name <name>', 'its name, in place of the file’s')
    .option('--set <name=value...>', 'settings, in place of those of the file', collected)
    .addOption(new Option('--initial-state <state>', 'what it begins as').choices(['RUNNING', 'PAUSED', 'STOPPED']))
    .option('--replace', 'give one that is there this config')
    .addOption(waitOption('it runs, or is paused or stopped as it is to be'))
    .addHelpText(
      'after',
      examples(
        'tidewire connector create config/examples/file-source.json --wait',
        'tidewire connector create - < orders.json',
        'tidewire connector create --name demo --set connector.class=datagen-source kafka.topic=demo rate=10',
      ),
    )
    .action(async (file: string | undefined, options: Options<CreateOptions>) => {
      const { createConnector } = await import('./connector-writes.ts')
      const { name, set, initialState, replace, wait: waitMs } = options
      const settings = pairsOf('--set', set)
      await runOnWorker(options, (rest, out) =>
        createConnector(rest, out, { file, name }, { settings, initialState, replace: replace === true, waitMs }),
      )
    })

  asksWorker(connector.command('edit'))
    .description(
      'opens the config in $VISUAL or $EDITOR, and sends what was changed there; secrets are masked, and stay',
    )
    .argument('<connector>')
    .addOption(waitOption('it runs, or is paused or stopped as before'))
    .addHelpText(
      'after',
      examples('EDITOR=nano tidewire connector edit orders', 'EDITOR="code --wait" tidewire connector edit orders'),
    )
    .action(async (name: string, options: Options<Wait>) => {
      const { editConnector } = await import('./connector-edit.ts')
      await runOnWorker(options, (rest, out) => editConnector(rest, out, name, { waitMs: options.wait }))
    })

  asksWorker(connector.command('apply'))
    .description(
      'makes the connectors what files say: creates, updates, leaves alone; all are checked before one is changed',
    )
    .argument('<paths...>', 'files, and folders of them')
    .option('--delete', 'delete those that are in none of the files')
    .option('--dry-run', 'only tell what would be done, as connector diff does')
    .addOption(waitOption('those that were changed run, or are paused or stopped as they are to be'))
    .addHelpText('after', examples('tidewire connector apply connectors/ --delete'))
    .action(async (paths: string[], options: Options<Wait & { delete?: true; dryRun?: true }>) => {
      const { applyConnectors, diffConnectors } = await import('./connector-apply.ts')
      const { wait: waitMs, dryRun, delete: deletes = false } = options
      await runOnWorker(options, (rest, out) =>
        dryRun === true
          ? diffConnectors(rest, out, paths, { deletes })
          : applyConnectors(rest, out, paths, { deletes, waitMs }),
      )
    })

  asksWorker(connector.command('diff'))
    .description('tells what apply would do; exit code 5 where there is something')
    .argument('<paths...>', 'files, and folders of them')
    .option('--delete', 'as for apply')
    .action(async (paths: string[], options: Options<{ delete?: true }>) => {
      const { diffConnectors } = await import('./connector-apply.ts')
      await runOnWorker(options, (rest, out) => diffConnectors(rest, out, paths, { deletes: options.delete === true }))
    })

  asksWorker(connector.command('delete'))
    .description('deletes connectors; their offsets stay, for others of the same name')
    .argument('<connector...>')
    .action(async (names: string[], options: Options) => {
      const { deleteConnectors } = await import('./connector-writes.ts')
      await runOnWorker(options, (rest, out) => deleteConnectors(rest, out, names))
    })
}

function states(connector: Command): void {
  const what = {
    pause: ['lets connectors stand still: their tasks stay, and do nothing', 'they are paused'],
    resume: ['lets paused or stopped connectors go on', 'they run'],
    stop: ['stops connectors: they have no tasks until they are resumed', 'they are stopped'],
  } as const
  for (const action of ['pause', 'resume', 'stop'] as const) {
    asksWorker(connector.command(action))
      .description(what[action][0])
      .argument('<connector...>')
      .addOption(waitOption(what[action][1]))
      .action(async (names: string[], options: Options<Wait>) => {
        const { setStates } = await import('./connector-writes.ts')
        await runOnWorker(options, (rest, out) => setStates(rest, out, action, names, { waitMs: options.wait }))
      })
  }

  asksWorker(connector.command('restart'))
    .description('restarts connectors with their tasks, or one task')
    .argument('<connector...>')
    .option('--only-failed', 'only what of them has failed')
    .option('--connector-only', 'not the tasks')
    .option('--task <number>', 'only this task', count)
    .addHelpText('after', examples('tidewire connector restart orders --only-failed'))
    .action(async (names: string[], options: Options<{ onlyFailed?: true; connectorOnly?: true; task?: number }>) => {
      const { restartConnectors } = await import('./connector-writes.ts')
      const { task, onlyFailed = false, connectorOnly = false } = options
      await runOnWorker(options, (rest, out) =>
        restartConnectors(rest, out, names, { task, onlyFailed, connectorOnly }),
      )
    })
}

function signals(connector: Command): void {
  asksWorker(connector.command('signal'))
    .description('sends a connector a signal: something that its tasks are to do while they run')
    .argument('<connector>')
    .argument('<type>', 'which; the connector says which there are')
    .option('--data <json>', 'what more there is to say, a JSON object')
    .option('--id <id>', 'tells it apart; one is made where there is none')
    .addHelpText(
      'after',
      examples(
        `tidewire connector signal orders execute-snapshot --data '{"type": "incremental", "data-collections": ["public.orders"]}'`,
      ),
    )
    .action(async (name: string, type: string, options: Options<{ data?: string; id?: string }>) => {
      const { signalConnector } = await import('./connector-signals.ts')
      const { data, id } = options
      await runOnWorker(options, (rest, out) => signalConnector(rest, out, name, type, { data, id }))
    })
}

interface PreviewCommandOptions {
  readonly limit?: number
  readonly from?: 'earliest' | 'latest' | 'committed'
  readonly task?: number
  readonly timeout?: number
}

function trying(connector: Command): void {
  asksWorker(connector.command('validate'))
    .description('tells whether a config would be taken, and every setting that is wrong; stores nothing')
    .argument('<file>', '.json or .properties; - is standard input')
    .option('--deep', 'has the connector try it: log in, look whether what it names is there')
    .action(async (file: string, options: Options & { readonly deep?: boolean }) => {
      const { validateConnector } = await import('./connector-checks.ts')
      await runOnWorker(options, (rest, out) => validateConnector(rest, out, file, options.deep === true))
    })

  asksWorker(connector.command('preview'), { ownTimeout: true })
    .description('shows what a connector would do, record by record; nothing is written anywhere')
    .argument('<connector>', 'one that there is, or a file')
    .option('--limit <count>', 'most records (default: 10)', count)
    .addOption(new Option('--from <place>', 'where to begin').choices(['earliest', 'latest', 'committed']))
    .option('--task <number>', 'of those that the work is split into', count)
    .option('--timeout <seconds>', 'what came until then is shown (default: 10)', seconds)
    .addHelpText('after', examples('tidewire connector preview config/examples/file-source.json --limit 3'))
    .action(async (given: string, options: Options<PreviewCommandOptions>) => {
      const { previewConnector } = await import('./connector-checks.ts')
      const { timeout: timeoutMs, ...others } = options
      const { limit, from, task } = options
      await runOnWorker(others, (rest, out) => previewConnector(rest, out, given, { limit, from, task, timeoutMs }))
    })
}

const stopOption = (): Option => new Option('--stop', 'stop it before, and let it go on after')

interface Stop {
  readonly stop?: true
}

function offsets(connector: Command): void {
  const command = connector.command('offsets').description('how far a connector has come')

  asksWorker(command.command('get'))
    .description('its offsets: of a sink by topic and partition, of a source as it has them')
    .argument('<connector>')
    .action(async (name: string, options: Options) => {
      const { showOffsets } = await import('./connector-offsets.ts')
      await runOnWorker(options, (rest, out) => showOffsets(rest, out, name))
    })

  asksWorker(command.command('set'))
    .description('sets offsets of a stopped connector: those of a file, or a place to begin from')
    .argument('<connector>')
    .argument('[file]', 'what connector offsets get -o json printed; - is standard input')
    .option('--from <place>', 'earliest, latest, an offset, or a time (2026-01-31T12:00), as far as the connector can')
    .option('--topic <topic...>', 'of a sink: only these', collected)
    .addOption(stopOption())
    .addHelpText(
      'after',
      examples(
        'tidewire connector offsets set orders-to-file --from 2026-01-31T12:00 --stop',
        'tidewire connector offsets get orders -o json > before.json',
        'tidewire connector offsets set orders before.json',
      ),
    )
    .action(
      async (
        name: string,
        file: string | undefined,
        options: Options<Stop & { readonly from?: string; readonly topic?: string[] }>,
      ) => {
        const { setOffsets } = await import('./connector-offsets.ts')
        const { placeOf } = await import('./place.ts')
        const { topic: topics = [], stop: stops = false } = options
        const from = options.from === undefined ? undefined : placeOf('--from', options.from)
        await runOnWorker(options, (rest, out) => setOffsets(rest, out, name, { file, from, topics, stops }))
      },
    )

  asksWorker(command.command('reset'))
    .description('forgets the offsets of a stopped connector: it begins anew')
    .argument('<connector>')
    .addOption(stopOption())
    .action(async (name: string, options: Options<Stop>) => {
      const { resetOffsets } = await import('./connector-offsets.ts')
      await runOnWorker(options, (rest, out) => resetOffsets(rest, out, name, { stops: options.stop === true }))
    })
}

interface RedriveCommandOptions {
  readonly letter?: string[]
  readonly partition?: number
  readonly from?: number
  readonly to?: number
  readonly limit?: number
  readonly timeout?: number
  readonly dryRun?: true
}

function deadLetters(connector: Command): void {
  const dlq = connector.command('dlq').description('dead letters of a connector')

  asksWorker(dlq.command('list'))
    .alias('ls')
    .description('dead letters, with what was wrong')
    .argument('<connector>')
    .option('--limit <count>', 'most letters (default: 100)', count)
    .option('--partition <number>', 'of its dead letter topic', count)
    .option('--from <place>', 'an offset, earliest, or redriven: what came since the last re-drive')
    .action(async (name: string, options: Options<{ limit?: number; partition?: number; from?: string }>) => {
      const { listDeadLetters } = await import('./dead-letters.ts')
      const { limit, partition, from } = options
      await runOnWorker(options, (rest, out) => listDeadLetters(rest, out, name, { limit, partition, from }))
    })

  asksWorker(dlq.command('redrive'), { ownTimeout: true })
    .description('puts dead letters back through the connector: all since the last re-drive, or those chosen')
    .argument('<connector>')
    .option('--letter <partition:offset...>', 'these letters', collected)
    .option('--partition <number>', 'letters of this partition of its dead letter topic', count)
    .option('--from <offset>', 'from here on', count)
    .option('--to <offset>', 'to before here', count)
    .option('--limit <count>', 'most letters (default: 1000)', count)
    .option('--timeout <seconds>', 'longest time (default: 60)', seconds)
    .option('--dry-run', 'only tell what could be put back')
    .addHelpText(
      'after',
      examples(
        'tidewire connector dlq redrive orders --dry-run',
        'tidewire connector dlq redrive orders --letter 0:17 0:23',
      ),
    )
    .action(async (name: string, options: Options<RedriveCommandOptions>) => {
      const { redriveDeadLetters } = await import('./dead-letters.ts')
      const { timeout: timeoutMs, ...others } = options
      const { letter: letters = [], dryRun = false, partition, from, to, limit } = options
      await runOnWorker(others, (rest, out) =>
        redriveDeadLetters(rest, out, name, { letters, partition, from, to, limit, timeoutMs, dryRun }),
      )
    })
}
