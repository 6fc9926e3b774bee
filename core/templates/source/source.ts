import { setTimeout as sleep } from 'node:timers/promises'
import { DataError, defineSource, RetriableError } from '@tidewire/sdk'
import { config } from './config.ts'

interface Item {
  readonly id: number
}

export const exampleSource = defineSource({
  name: 'example-source',
  doc: 'Reads the items of a web service into a topic.',
  config,
  // Asked again from a stored offset, the service gives the very rest: each item is in the topic once, whatever happens.
  exactlyOnce: true,
  async *read({ config, offsets, signal }) {
    // What a position is kept for, and where to go on.
    const sourcePartition = { url: config.url }
    let after = Number((await offsets.get(sourcePartition))?.['after'] ?? 0)
    while (!signal.aborted) {
      const items = await itemsAfter(config.url, after, signal)
      if (items.length === 0) {
        await sleep(config['poll.interval.ms'], undefined, { signal }).catch(() => {})
        continue
      }
      yield items.map((item) => ({
        topic: config.topic,
        key: String(item.id),
        value: item,
        sourcePartition,
        sourceOffset: { after: item.id },
      }))
      after = items.at(-1)!.id
    }
  },
})

async function itemsAfter(url: string, after: number, signal: AbortSignal): Promise<readonly Item[]> {
  const asked = new URL(url)
  asked.searchParams.set('after', String(after))
  let body: unknown
  try {
    const answer = await fetch(asked, { signal })
    if (!answer.ok) throw new Error(`status ${answer.status}`)
    body = await answer.json()
  } catch (error) {
    if (signal.aborted) return []
    // The worker tries again after a pause, from the stored offsets.
    throw new RetriableError(`${url} does not answer: ${String(error)}`, { cause: error })
  }
  if (!Array.isArray(body)) throw new DataError(`${url} answers something other than a JSON array`)
  return body as readonly Item[]
}
