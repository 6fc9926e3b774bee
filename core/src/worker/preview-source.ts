import {
  isErrorKind,
  isRetriable,
  type Source,
  type SourceBatch,
  type SourceRecord,
  type SourceTaskContext,
} from '@tidewire/sdk'
import type { OutRecord } from '../client/client.ts'
import { messageOf } from '../logging/message-of.ts'
import { parseSource, sourceTopics } from './build-task.ts'
import { requireValid } from './connector-config.ts'
import type { PreviewedRecord, PreviewEnd, PreviewErrand, RecordProblem } from './errand-messages.ts'
import {
  NotedErrors,
  openErrandChain,
  transformProblem,
  type ErrandSurroundings,
  type ErrandTask,
} from './errand-task.ts'
import { OffsetStore } from './offset-store.ts'
import type { PreviewRoom } from './preview-room.ts'
import { plainSchema, plainValue, shownBytes } from './shown-value.ts'
import { SourceConversion } from './source-conversion.ts'
import { backoffMs, pause, unlessAborted, within } from './time-limit.ts'
import type { TransformChain } from './transform-chain.ts'

const firstReopenMs = 300
const maxReopenMs = 5000
/** For the source to end, once enough has been seen. */
const endGraceMs = 2000

type Polled = readonly SourceRecord[] | SourceBatch

/** Reads the source, from its beginning or its stored offsets, until there is no room or no time for more. */
export async function previewSource(
  definition: Source,
  task: ErrandTask,
  errand: PreviewErrand,
  around: ErrandSurroundings,
  room: PreviewRoom,
): Promise<PreviewEnd> {
  const { spec } = errand
  const { config: framework, errors } = parseSource(spec.config)
  requireValid(errors)
  const abort = new AbortController()
  const signal = AbortSignal.any([abort.signal, around.signal])
  const noted = new NotedErrors(framework, around.logger)
  // Only asked which topics there may be: none is made.
  const topics = sourceTopics(spec, framework, task.clients, around.settings)
  const conversion = new SourceConversion(task.converters, noted.policy, topics, signal)
  const chain = await openErrandChain(spec, task, { ...around, signal }, noted.policy)
  const context: SourceTaskContext<typeof task.config> = {
    config: task.config,
    connector: spec.connector,
    task: spec.task,
    signal,
    log: around.logger,
    maxBufferedBytes: framework['source.max.buffered.bytes'],
    holds: () => true,
    progress: () => undefined,
    followTopic: async () => Promise.resolve(),
    preview: true,
    deadLetters: framework['errors.tolerance'] === 'all' && framework['errors.deadletterqueue.topic.name'] !== '',
    offsets: await storedOffsets(task, errand, around, framework['offsets.storage.topic']),
  }
  try {
    let failure: string | undefined
    for (let failures = 1; ; failures++) {
      let batches: AsyncIterator<Polled> | undefined
      try {
        const source = await unlessAborted(Promise.resolve(definition.read(context)), signal)
        if (source === undefined) return { ended: 'timeout' }
        batches = source[Symbol.asyncIterator]()
        for (;;) {
          const polled = await unlessAborted(batches.next(), signal)
          if (polled === undefined) return { ended: 'timeout', ...(failure === undefined ? {} : { error: failure }) }
          if (polled.done === true) return { ended: around.signal.aborted ? 'timeout' : 'end' }
          failure = undefined
          const given = polled.value
          for (const record of 'records' in given ? given.records : given) {
            room.show(await previewOf(record, chain, conversion, noted))
            if (room.ended !== undefined) return { ended: room.ended }
          }
        }
      } catch (error) {
        failure = messageOf(error)
        // As where the config is validated: it is the request that is at fault.
        if (isErrorKind(error, 'ConfigError') && room.isUntouched) throw error
        if (!isRetriable(error)) return { ended: 'failed', error: failure }
        if (around.signal.aborted) return { ended: 'timeout', error: failure }
      } finally {
        if (room.ended !== undefined || around.signal.aborted) abort.abort()
        const ending = Promise.resolve(batches?.return?.()).catch(() => undefined)
        await within(endGraceMs, ending)
      }
      await pause(backoffMs(failures, firstReopenMs, maxReopenMs), signal)
    }
  } finally {
    await chain?.close()
  }
}

async function previewOf(
  given: SourceRecord,
  chain: TransformChain | undefined,
  conversion: SourceConversion,
  noted: NotedErrors,
): Promise<PreviewedRecord> {
  let record: SourceRecord | null = given
  try {
    if (chain !== undefined && given.error === undefined) record = await chain.apply(given)
  } catch (error) {
    return previewed(given, undefined, [transformProblem(chain!, error)])
  }
  if (record === null) return { ...previewed(given, undefined, []), dropped: chain!.alias }
  const { out } = await conversion.convert([record])
  return previewed(record, out[0], noted.take())
}

async function storedOffsets(
  task: ErrandTask,
  { from, spec }: PreviewErrand,
  { settings, logger }: ErrandSurroundings,
  ownTopic: string | undefined,
): Promise<SourceTaskContext<unknown>['offsets']> {
  if (from !== 'committed') {
    return {
      get: async () => Promise.resolve(undefined),
      getAll: async (all) => Promise.resolve(all.map(() => undefined)),
    }
  }
  const stores = [new OffsetStore({ client: task.client, topic: settings.offsetTopic, logger })]
  // Its own topic is the truth, and the worker's has what it lacks.
  if (ownTopic !== undefined)
    stores.unshift(new OffsetStore({ client: task.clients.consumer, topic: ownTopic, logger }))
  await Promise.all(stores.map((store) => store.refresh()))
  const get: SourceTaskContext<unknown>['offsets']['get'] = async (partition) =>
    Promise.resolve(stores.map((store) => store.get(spec.connector, partition)).find((offset) => offset !== undefined))
  return { get, getAll: async (all) => Promise.all(all.map(get)) }
}

function previewed(
  record: SourceRecord,
  out: OutRecord | undefined,
  errors: readonly RecordProblem[],
): PreviewedRecord {
  const { topic, partition, timestamp, sourcePartition, sourceOffset, key, keySchema, value, valueSchema, headers } =
    record
  return {
    topic,
    partition: partition ?? null,
    timestamp: timestamp ?? null,
    ...(sourcePartition === undefined ? {} : { sourcePartition }),
    ...(sourceOffset === undefined ? {} : { sourceOffset }),
    key: { value: plainValue(key), schema: plainSchema(keySchema), ...bytesOf(out?.key) },
    value: { value: plainValue(value), schema: plainSchema(valueSchema), ...bytesOf(out?.value) },
    headers: (headers ?? []).map((header, i) => ({
      key: header.key,
      value: plainValue(header.value),
      schema: plainSchema(header.schema),
      ...bytesOf(out?.headers?.[i]?.value),
    })),
    errors,
  }
}

function bytesOf(bytes: OutRecord['value'] | undefined): Pick<PreviewedRecord['key'], 'bytes'> {
  return bytes === undefined ? {} : { bytes: shownBytes(bytes, Infinity) }
}
