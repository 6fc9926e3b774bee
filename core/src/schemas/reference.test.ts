import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { loadFormat } from './load-format.ts'
import type { ParsedSchema, ResolvedReference } from './schema-format.ts'

/** What the Confluent registry's own classes answer; test/vectors/schema-compatibility tells how they were asked. */
interface Vectors {
  readonly texts: readonly {
    readonly schema: string
    readonly references?: readonly Reference[]
    readonly expected: { readonly canonical?: string; readonly normalized?: string; readonly refused?: true }
  }[]
  readonly cases: readonly {
    readonly name: string
    readonly old: string
    readonly new: string
    readonly oldReferences?: readonly Reference[]
    readonly newReferences?: readonly Reference[]
    readonly expected: Verdicts
  }[]
}

type Reference = Pick<ResolvedReference, 'name' | 'schema'> & Partial<ResolvedReference>
type Direction = 'backward' | 'forward' | 'lenientBackward' | 'lenientForward'
type Verdicts = { readonly [D in Direction]?: readonly string[] } & { readonly failed?: string }

/** Where we differ, and why; all are listed in docs/registry.md. By a part of the text. */
const textsThatDiffer = [
  // An integer beyond 64 bits in a property: the reference fails.
  '12345678901234567890]}',
  // A type without a namespace inside of one with: the reference's normal form moves it there.
  '"name":"Q","namespace":""',
  // A type that a reference declares inside of its own: the reference writes it out again, and refuses that as declared twice.
  '"type":"m.In"',
  // A oneof without fields, which protoc refuses, leaves an empty line in the reference's normal form.
  'oneof o {}',
  // Bytes that are no word, as a default: the reference cannot read again what it writes.
  '[default = "\\001\\xff"]',
]

const verdictsThatDiffer: Readonly<Record<string, Verdicts>> = {
  // The reference compares a lower exclusiveMaximum with the new maximum.
  'exclusiveMaximum changed': { forward: ['EXCLUSIVE_MAXIMUM_DECREASED /exclusiveMaximum'] },
  // json-sKema 0.29, with which the answers were made, loses unevaluatedProperties; later ones do not.
  'unevaluated properties closed': { backward: ['UNEVALUATED_PROPERTIES_REMOVED /unevaluatedProperties'] },
}

describe.each(['AVRO', 'JSON', 'PROTOBUF'] as const)('%s as the Confluent registry has it', async (type) => {
  const file = new URL(`../../../test/vectors/schema-compatibility/${type.toLowerCase()}.json`, import.meta.url)
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors
  const format = await loadFormat(type)

  const parse = (text: string, references: readonly Reference[] = []): ParsedSchema =>
    format.parse(
      text,
      references.map((one) => ({ subject: one.name, version: 1, ...one })),
    )

  test.each(vectors.texts.filter(({ schema }) => !textsThatDiffer.some((part) => schema.includes(part))))(
    'text $schema',
    ({ schema, references, expected }) => {
      const attempt = () => {
        const parsed = parse(schema, references)
        parsed.checkNew?.()
        return { canonical: parsed.canonical, normalized: parsed.normalized() }
      }
      if (expected.refused === true) expect(attempt).toThrow(expect.objectContaining({ name: 'InvalidSchemaError' }))
      else expect(attempt()).toEqual(expected)
    },
  )

  test('what is written is read again as the same', () => {
    for (const { schema, references, expected } of vectors.texts) {
      if (expected.refused === true) continue
      const first = parse(schema, references)
      const again = parse(first.canonical, references)
      expect(again.canonical).toBe(first.canonical)
      expect(again.normalized()).toBe(first.normalized())
      const normal = parse(first.normalized(), references)
      expect(normal.normalized()).toBe(first.normalized())
      expect([first.compatibility(normal), normal.compatibility(first)]).toEqual([[], []])
    }
  })

  test('every schema can be read with itself', () => {
    for (const one of vectors.cases) {
      if (one.expected.failed !== undefined) continue
      expect(parse(one.old, one.oldReferences).compatibility(parse(one.old, one.oldReferences))).toEqual([])
    }
  })

  test('compatibility, both ways and by both policies', () => {
    const different: unknown[] = []
    for (const one of vectors.cases) {
      if (one.expected.failed !== undefined) continue
      const before = parse(one.old, one.oldReferences)
      const after = parse(one.new, one.newReferences)
      const answers = {
        backward: places(after.compatibility(before)),
        forward: places(before.compatibility(after)),
        lenientBackward: places(after.compatibility(before, 'LENIENT')),
        lenientForward: places(before.compatibility(after, 'LENIENT')),
      }
      const ours = Object.entries(verdictsThatDiffer).find(([name]) => one.name.startsWith(name))?.[1]
      const expected = ours === undefined ? one.expected : { ...one.expected, ...lenientToo(ours) }
      for (const direction of Object.keys(answers) as Direction[]) {
        const wanted = expected[direction]
        if (wanted === undefined) continue
        const [got, want] = one.name.startsWith('recursive')
          ? [typesOf(answers[direction]), typesOf(wanted)]
          : [answers[direction], wanted]
        if (JSON.stringify(got) !== JSON.stringify(want)) different.push({ name: one.name, direction, got, want })
      }
    }
    expect(different).toEqual([])
  })
})

function lenientToo({ backward, forward }: Verdicts): Verdicts {
  const lenient = (found: readonly string[]) => found.filter((one) => !one.startsWith('UNEVALUATED'))
  return {
    ...(backward === undefined ? {} : { backward, lenientBackward: lenient(backward) }),
    ...(forward === undefined ? {} : { forward, lenientForward: lenient(forward) }),
  }
}

/** Of each message the type and the place. */
function places(messages: readonly string[]): readonly string[] {
  const found = messages.map((message) => {
    const [, type, place] = /errorType:'([A-Z_]+)'.*\(path #?(\/.*?)\)'/.exec(message) ?? []
    if (type === undefined) return 'OTHER '
    // The reference's message of this one does not say where.
    return type === 'SCHEMA_ADDED' ? 'SCHEMA_ADDED ' : `${type} ${place ?? ''}`
  })
  return [...new Set(found)].sort()
}

/** A schema that refers to itself is unrolled once more by the reference, which shows in the places alone. */
function typesOf(found: readonly string[]): readonly string[] {
  return [...new Set(found.map((one) => one.split(' ')[0] ?? ''))]
}
