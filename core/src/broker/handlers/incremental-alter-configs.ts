/** IncrementalAlterConfigs, v0–1 (KIP-339): changes single settings of a topic, the broker or a group. v1 flexible */
import { errorCodes } from '../../protocol/errors.ts'
import type { RequestOf } from '../../protocol/message.ts'
import { incrementalAlterConfigs } from '../../protocol/messages/incremental-alter-configs.ts'
import { alterSettings, defaultItems } from '../alter-settings.ts'
import { defineHandler } from '../handler.ts'
import { errorMessageOf, kafkaErrorOf, RequestError } from '../kafka-error.ts'

type Change = RequestOf<typeof incrementalAlterConfigs>['resources'][number]['configs'][number]

const operations = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 } as const

export const incrementalAlterConfigsHandler = defineHandler({
  api: incrementalAlterConfigs,
  versions: [0, 1],
  async handle(services, { resources, validateOnly }) {
    const responses = resources.map(async ({ resourceType, resourceName, configs }) => {
      try {
        const change = (current: Readonly<Record<string, string>>) => applyAll(resourceType, current, configs)
        await alterSettings(services, { resourceType, resourceName }, change, validateOnly)
        return { errorCode: errorCodes.NONE, errorMessage: null, resourceType, resourceName }
      } catch (error) {
        const errorMessage = errorMessageOf(error)
        return { errorCode: errorCodes[kafkaErrorOf(error, services.logger)], errorMessage, resourceType, resourceName }
      }
    })
    return { responses: await Promise.all(responses) }
  },
})

/** @throws RequestError */
function applyAll(
  resourceType: number,
  current: Readonly<Record<string, string>>,
  changes: readonly Change[],
): Record<string, string> {
  const names = changes.map(({ name }) => name)
  const repeated = names.find((name, i) => names.indexOf(name) !== i)
  if (repeated !== undefined) throw new RequestError('INVALID_REQUEST', `${repeated} is changed twice`)
  const entries = new Map(Object.entries(current))
  for (const change of changes) {
    const value = changed(resourceType, entries.get(change.name), change)
    if (value === null) entries.delete(change.name)
    else entries.set(change.name, value)
  }
  return Object.fromEntries(entries)
}

/** The new value; null: back to the default. */
function changed(
  resourceType: number,
  current: string | undefined,
  { name, configOperation, value }: Change,
): string | null {
  if (configOperation === operations.DELETE) return null
  if (value === null) throw new RequestError('INVALID_REQUEST', `Null value not supported for ${name}`)
  if (configOperation === operations.SET) return value
  const defaults = defaultItems(resourceType, name)
  if (defaults === undefined) {
    throw new RequestError('INVALID_CONFIG', `Config value append or subtract is not allowed for config key: ${name}`)
  }
  const items = new Set(current === undefined ? defaults : split(current))
  if (configOperation === operations.APPEND) for (const item of split(value)) items.add(item)
  else if (configOperation === operations.SUBTRACT) for (const item of split(value)) items.delete(item)
  else throw new RequestError('INVALID_REQUEST', `Unknown operation ${configOperation} for ${name}`)
  return [...items].join(',')
}

function split(list: string): string[] {
  return list.split(',').filter((item) => item !== '')
}
