import {
  ConfigError,
  schema,
  type Header,
  type SourceOffset,
  type SourcePartition,
  type SourceRecord,
} from '@tidewire/sdk'
import { publicName } from './indices.ts'
import type { Hit } from './point-in-time.ts'
import type { ReadConfig } from './settings.ts'

const keySchema = schema.string()

/** What makes records of the documents of one index. */
export class RecordMaker {
  readonly #config: ReadConfig
  readonly #index: string
  readonly #topic: string
  readonly #partition: SourcePartition

  constructor(config: ReadConfig, index: string, partition: SourcePartition) {
    this.#config = config
    this.#index = index
    this.#topic = config['topic.prefix'] + config.topic.replaceAll('${index}', () => publicName(index))
    this.#partition = partition
  }

  /** @throws ConfigError where the index does not keep its documents */
  make(hit: Hit, offset: SourceOffset, timestamp: number | undefined): SourceRecord {
    if (hit.source === undefined) {
      throw new ConfigError(`${this.#index} does not keep its documents (_source), so that there is nothing to read`)
    }
    const headers = this.#headersOf(hit)
    return {
      topic: this.#topic,
      ...(this.#config.key === 'id' && { key: hit.id, keySchema }),
      value: hit.source,
      sourcePartition: this.#partition,
      sourceOffset: offset,
      ...(headers.length > 0 && { headers }),
      ...(timestamp !== undefined && { timestamp }),
    }
  }

  #headersOf(hit: Hit): Header[] {
    const names = this.#config['metadata.headers']
    if (names.length === 0) return []
    const known = {
      index: this.#index,
      id: hit.id,
      version: hit.version,
      seq_no: hit.seqNo,
      primary_term: hit.primaryTerm,
      routing: hit.routing,
    }
    return names.flatMap((name): Header[] => {
      const value = known[name]
      if (value === undefined) return []
      return [{ key: `elasticsearch.${name}`, value, schema: typeof value === 'string' ? keySchema : schema.int64() }]
    })
  }
}
