import { ConfigError, type SinkRecord } from '@tidewire/sdk'
import { JavaDateFormat } from '@tidewire/sdk/time'
import { pairsOf, streamType } from './options.ts'
import type { ElasticsearchSinkConfig } from './settings.ts'

const maxIndexLength = 255
const maxNamespaceLength = 100
const minuteMs = 60_000

/** Which index, data stream or alias a record goes to. */
export class ResourceNames {
  readonly #external: ReadonlyMap<string, string> | undefined
  readonly #renamed: ReadonlyMap<string, string>
  readonly #stream: string | undefined
  readonly #format: string
  readonly #date: JavaDateFormat | undefined
  readonly #byTopic = new Map<string, string>()
  #minute = NaN
  #time = ''

  constructor(config: ElasticsearchSinkConfig) {
    const type = streamType(config)
    this.#external =
      config['external.resource.usage'].toUpperCase() === 'DISABLED'
        ? undefined
        : pairsOf(config['topic.to.external.resource.mapping'])
    this.#renamed = pairsOf(config['topic.index.map'])
    this.#stream =
      type === 'none' ? undefined : `${type}-${config['data.stream.dataset']}-${config['data.stream.namespace']}`
    this.#format = config['index.name.format']
    this.#date = this.#format.includes('${timestamp}')
      ? new JavaDateFormat(config['index.name.timestamp.format'])
      : undefined
  }

  /** Whether it is there already, and never made. */
  get isExternal(): boolean {
    return this.#external !== undefined
  }

  /**
   * @throws ConfigError where no resource is named for the topic
   */
  of({ topic, timestamp }: SinkRecord): string {
    if (this.#date !== undefined) return this.#timed(topic, timestamp, this.#date)
    let name = this.#byTopic.get(topic)
    if (name === undefined) {
      name = this.#untimed(topic)
      this.#byTopic.set(topic, name)
    }
    return name
  }

  /** What the names of all that a topic's records go to are like: with `*` for what differs. */
  pattern(topic: string): string {
    return this.#date === undefined ? this.#untimed(topic) : indexName(this.#formatted(topic, '*'))
  }

  #untimed(topic: string): string {
    if (this.#external !== undefined) {
      const resource = this.#external.get(topic)
      if (resource !== undefined) return resource
      throw new ConfigError(`topic.to.external.resource.mapping names no resource for the topic ${topic}`, {
        setting: 'topic.to.external.resource.mapping',
      })
    }
    if (this.#stream !== undefined) return streamName(this.#stream, topic)
    return this.#renamed.get(topic) ?? indexName(this.#formatted(topic, ''))
  }

  #timed(topic: string, timestamp: number, date: JavaDateFormat): string {
    // Most records are of the same minute as the one before, and few formats have anything below it.
    const minute = Math.floor(timestamp / minuteMs)
    if (minute !== this.#minute || /[sS]/.test(date.pattern)) {
      this.#minute = minute
      this.#time = date.format(Math.max(0, timestamp))
      this.#byTopic.clear()
    }
    let name = this.#byTopic.get(topic)
    if (name === undefined) {
      name = indexName(this.#formatted(topic, this.#time))
      this.#byTopic.set(topic, name)
    }
    return name
  }

  #formatted(topic: string, time: string): string {
    const renamed = this.#renamed.get(topic) ?? topic
    return this.#format.replaceAll(/\$\{(topic|timestamp)\}/g, (_, part) => (part === 'topic' ? renamed : time))
  }
}

/** As Confluent's connector makes it from a topic: what Elasticsearch takes as a name. */
function indexName(text: string): string {
  const name = text.toLowerCase().slice(0, maxIndexLength).replace(/^[-_]/, '')
  return name === '.' || name === '..' ? name.replaceAll('.', 'dot') : name
}

function streamName(format: string, topic: string): string {
  const at = format.indexOf('-', format.indexOf('-') + 1) + 1
  const namespace = format.slice(at).replaceAll('${topic}', topic.toLowerCase()).slice(0, maxNamespaceLength)
  return format.slice(0, at) + namespace
}
