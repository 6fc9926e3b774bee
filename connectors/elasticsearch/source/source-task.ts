import { setTimeout as delay } from 'node:timers/promises'
import { ConnectError, type SourceBatch, type SourceTaskContext } from '@tidewire/sdk'
import { codes } from '../link/errors.ts'
import { openLink } from '../link/link.ts'
import { askServer } from '../link/server.ts'
import { IndexReader, type Session } from './index-reader.ts'
import { findIndices, shareOf } from './indices.ts'
import { partitionOf, positionOf } from './offset.ts'
import { wantedIndices, type ReadConfig } from './settings.ts'

type Context = SourceTaskContext<ReadConfig>

/** Polls the indices of this task, each at its time, one after the other, for as long as the task runs. */
export async function* readDocuments(context: Context): AsyncGenerator<SourceBatch> {
  const { config, signal, log } = context
  const link = await openLink(config)
  try {
    const session: Session = { link, server: await askServer(link, signal), config, log, signal, now: Date.now }
    const readers = new Map<string, IndexReader>()
    let lookAgainAt = 0
    while (!signal.aborted) {
      if (session.now() >= lookAgainAt) {
        await renew(readers, session, context)
        lookAgainAt = session.now() + config['index.poll.interval.ms']
      }
      const reader = earliest(readers)
      await pause(Math.min(reader?.dueAt ?? Infinity, lookAgainAt) - session.now(), signal)
      if (reader === undefined || session.now() < reader.dueAt) continue
      try {
        yield* reader.poll()
      } catch (error) {
        if (!isNotFound(error)) throw error
        // Whether it is gone, or was made anew meanwhile, is seen when the indices are looked for.
        readers.delete(reader.index.name)
        lookAgainAt = 0
      }
      tellProgress(readers, context)
    }
  } catch (error) {
    // Cut off: by the end of the task.
    if (!signal.aborted) throw error
  } finally {
    await link.close()
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof ConnectError && error.code === codes.notFound
}

/** The readers of the indices that there are now. Those that go on keep their positions. */
async function renew(readers: Map<string, IndexReader>, session: Session, context: Context): Promise<void> {
  const { config, log, signal } = session
  const all = await findIndices(session.link, config, signal)
  const indices = all.filter(shareOf(config))
  const found = new Map(indices.map((index) => [index.name, index]))
  for (const [name, { index }] of readers) {
    if (found.get(name)?.uuid === index.uuid) continue
    readers.delete(name)
    if (!found.has(name)) log.info(`${name} is not there any more, and is not read`)
  }
  const added = indices.filter(({ name }) => !readers.has(name))
  const stored = await context.offsets.getAll(added.map(({ name }) => partitionOf(name)))
  for (const [i, index] of added.entries()) {
    const offset = stored[i]
    readers.set(index.name, new IndexReader(session, index, offset === undefined ? { ids: [] } : positionOf(offset)))
  }
  if (all.length === 0) {
    log.warn(
      `no index is there to read for ${wantedIndices(config).join(',')}; they are looked for every ${config['index.poll.interval.ms']} ms`,
    )
  }
}

function earliest(readers: ReadonlyMap<string, IndexReader>): IndexReader | undefined {
  let first: IndexReader | undefined
  for (const reader of readers.values()) if (first === undefined || reader.dueAt < first.dueAt) first = reader
  return first
}

function tellProgress(readers: ReadonlyMap<string, IndexReader>, context: Context): void {
  let documents = 0
  let lagMs: number | undefined
  for (const reader of readers.values()) {
    documents += reader.documents
    if (reader.lagMs !== undefined) lagMs = Math.max(lagMs ?? 0, reader.lagMs)
  }
  context.progress({
    text: `${documents} documents of ${readers.size} indices`,
    figures: {
      indices: readers.size,
      documents_read: documents,
      ...(lagMs !== undefined && { last_document_lag_ms: lagMs }),
    },
  })
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // A timer takes no more than 24 days.
  if (ms > 0) await delay(Math.min(ms, 86_400_000), undefined, { signal }).catch(() => undefined)
}
