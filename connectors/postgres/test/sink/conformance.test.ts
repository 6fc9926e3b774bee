import { schema } from '@tidewire/sdk'
import { sinkConformance } from '@tidewire/sdk/testing'
import { describe, test } from 'vitest'
import { postgresMissing } from '../../../../test/support/postgres.ts'
import { postgresSink } from '../../sink/sink.ts'
import { sinkServer } from './sink-database.ts'

const missing = await postgresMissing()
const valueSchema = schema.struct({ text: schema.string() })

describe.skipIf(missing !== undefined).each([true, false])(
  `postgres-sink with exactly.once=%s ${missing ?? ''}`,
  (exactlyOnce) => {
    const { server, database } = sinkServer('debian')
    const cases = sinkConformance({
      sink: postgresSink,
      exactlyOnce,
      timeoutMs: 30_000,
      record: (text) => ({ keySchema: schema.string(), value: { text }, valueSchema }),
      system: async () => {
        const made = await database('CREATE TABLE out (n bigserial, text text)')
        return {
          config: {
            'connection.url': made.url,
            'connection.user': server().user,
            'table.name.format': 'out',
            'exactly.once': exactlyOnce,
          },
          read: async () => (await made.sql('SELECT text FROM out ORDER BY n')).map(({ text }) => text as string),
        }
      },
    })
    for (const { name, run } of cases) test(name, run)
  },
)
