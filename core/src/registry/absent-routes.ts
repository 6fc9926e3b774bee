/** Parts of the Confluent platform's API that this registry has not, so that who asks is told so, and not that a name is wrong. */
import type { FastifyInstance } from 'fastify'
import { view } from './registry-access.ts'
import { RegistryError } from './registry-error.ts'

const absent: readonly (readonly [name: string, paths: readonly string[]])[] = [
  ['Associations', ['/associations', '/associations/*', '/associations::batch']],
  ['Schema exporters', ['/exporters', '/exporters/*']],
  ['The DEK registry (KEKs and DEKs)', ['/dek-registry/*']],
  ['The stream catalog', ['/catalog/*']],
  ['Tags of schemas', ['/subjects/:subject/versions/:version/tags']],
]

/** 404, as from Confluent's registry without these parts: serializers that try associations go on without them. */
export function absentRoutes(app: FastifyInstance): void {
  for (const [name, paths] of absent) {
    for (const path of paths) {
      app.all(path, view, async () => {
        throw new RegistryError(404, 404, `${name}: not part of this schema registry`)
      })
    }
  }
}
