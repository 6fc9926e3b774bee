import { InvalidArgumentError, type Command } from 'commander'
import { asksLog, collected, count, examples, pairsOf, type LogCommandOptions } from './command-options.ts'
import { runOnLog } from './log-connection.ts'

type Options<T> = LogCommandOptions & T

const maxLast = 10_000

/** `tidewire topic …` */
export function topicCommands(program: Command): void {
  const topic = program.command('topic').description('topics of the log')

  asksLog(topic.command('list'))
    .alias('ls')
    .description('all topics; OFFSETS counts from the first to the last there is, records or not')
    .option('--internal', 'with those that begin with __')
    .action(async (options: Options<{ internal?: true }>) => {
      const { listTopics } = await import('./topics.ts')
      await runOnLog(options, (client, out) => listTopics(client, out, { internal: options.internal === true }))
    })

  asksLog(topic.command('describe'))
    .description('one topic: where its partitions begin and end, and its settings')
    .argument('<topic>')
    .action(async (name: string, options: LogCommandOptions) => {
      const { describeTopic } = await import('./topics.ts')
      await runOnLog(options, (client, out) => describeTopic(client, out, name))
    })

  asksLog(topic.command('create'))
    .description('makes a topic')
    .argument('<topic>')
    .option('--partitions <count>', 'how many (default: the broker’s)', count)
    .option('--replication-factor <count>', 'replicas of each (default: the broker’s)', count)
    .option('--set <name=value...>', 'settings of the topic', collected)
    .addHelpText('after', examples('tidewire topic create orders --partitions 4 --set retention.ms=86400000'))
    .action(
      async (name: string, options: Options<{ partitions?: number; replicationFactor?: number; set?: string[] }>) => {
        const { createTopic } = await import('./topics.ts')
        const { partitions = -1, replicationFactor = -1, set } = options
        const config = pairsOf('--set', set)
        await runOnLog(options, (client, out) =>
          createTopic(client, out, name, { partitions, replicationFactor, config }),
        )
      },
    )

  tail(topic)
  produce(topic)
}

interface TailCommandOptions {
  readonly lines: number
  readonly from?: string
  readonly follow?: true
  readonly partition?: number
  readonly limit?: number
  readonly values?: true
}

function tail(topic: Command): void {
  asksLog(topic.command('tail'))
    .description('the newest records of a topic, or those from somewhere on')
    .argument('<topic>')
    .option('-n, --lines <count>', 'how many of the newest', atMost(maxLast), 10)
    .option('--from <place>', 'begin here instead: earliest, latest, an offset, or a time (2026-01-31T12:00)')
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .option('-p, --partition <number>', 'only this one', count)
    .option('--limit <count>', 'end after so many', count)
    .option('--values', 'values alone, as they are')
    .addHelpText(
      'after',
      examples(
        'tidewire topic tail sensors -f',
        'tidewire topic tail sensors --from earliest --values > sensors.jsonl',
        'tidewire topic tail sensors -o json -n 100 | jq -r .key',
      ),
    )
    .action(async (name: string, options: Options<TailCommandOptions>) => {
      const { tailTopic } = await import('./topic-tail.ts')
      const { placeOf } = await import('./place.ts')
      const { lines: last, follow = false, partition, limit = Infinity, values = false } = options
      const from = options.from === undefined ? undefined : placeOf('--from', options.from)
      await runOnLog(options, (client, out) =>
        tailTopic(client, out, name, { from, last, follow, partition, limit, values }),
      )
    })
}

interface ProduceCommandOptions {
  readonly key?: string
  readonly keySeparator?: string
  readonly partition?: number
  readonly header?: string[]
  readonly json?: true
}

function produce(topic: Command): void {
  asksLog(topic.command('produce'))
    .description('writes each line of standard input to a topic, as a record')
    .argument('<topic>')
    .option('-k, --key <key>', 'of all records')
    .option('--key-separator <text>', 'what stands before it in a line is the key')
    .option('-H, --header <name=value...>', 'headers of all records', collected)
    .option('-p, --partition <number>', 'where they go (default: by key)', count)
    .option('--json', 'lines are records, as topic tail -o json prints them')
    .addHelpText(
      'after',
      examples(
        `echo '{"celsius": 21.5}' | tidewire topic produce sensors --key my-device`,
        'tidewire topic tail orders --from earliest -o json | tidewire topic produce orders-copy --json',
      ),
    )
    .action(async (name: string, options: Options<ProduceCommandOptions>) => {
      const { produceToTopic } = await import('./topic-produce.ts')
      const { key, keySeparator, partition, json = false } = options
      const headers = Object.entries(pairsOf('--header', options.header)).map(([name, value]) => ({ key: name, value }))
      await runOnLog(options, (client, out) =>
        produceToTopic(client, out, name, process.stdin, { key, keySeparator, partition, headers, json }),
      )
    })
}

const atMost =
  (most: number) =>
  (text: string): number => {
    const number = count(text)
    if (number > most) throw new InvalidArgumentError(`Expected at most ${most}.`)
    return number
  }
