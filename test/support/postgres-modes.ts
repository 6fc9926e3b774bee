/** The ways in which a connector can be told to show types, each with the tables of postgres-types.ts that it changes. */
import { rowsOf, tableOf, typeCases, type TypeCase } from './postgres-types.ts'
import type { CaptureScript } from './change-capture.ts'

interface TypeMode {
  readonly name: string
  readonly config: Readonly<Record<string, string>>
  /** Names of type cases; left out: all. */
  readonly types?: RegExp
}

const times = /date|time|interval/
// Modes of types that have nothing to do with each other are run together.
export const typeModes: readonly TypeMode[] = [
  { name: 'types_default', config: {} },
  {
    name: 'types_texts',
    config: {
      'decimal.handling.mode': 'string',
      'time.precision.mode': 'isostring',
      'interval.handling.mode': 'string',
      'hstore.handling.mode': 'map',
      'binary.handling.mode': 'base64',
      'include.unknown.datatypes': 'true',
      'unavailable.value.placeholder': '__away',
    },
  },
  {
    name: 'types_numbers',
    config: {
      'decimal.handling.mode': 'double',
      'time.precision.mode': 'connect',
      'binary.handling.mode': 'hex',
      'money.fraction.digits': '4',
      'hstore.handling.mode': 'map',
      'include.unknown.datatypes': 'true',
    },
    types: /date|time|interval|numeric|money|domain|bytea|bit|hstore|tid|composite|cube|multirange/,
  },
  {
    name: 'types_adaptive_us',
    config: {
      'time.precision.mode': 'adaptive_time_microseconds',
      'binary.handling.mode': 'base64-url-safe',
      'column.propagate.source.type': '.*',
    },
    types: /date|time|interval|bytea|numeric|varchar|bit|domain|enum/,
  },
  { name: 'types_structured', config: { 'time.precision.mode': 'structured' }, types: times },
  { name: 'types_us', config: { 'time.precision.mode': 'microseconds' }, types: times },
  { name: 'types_ns', config: { 'time.precision.mode': 'nanoseconds' }, types: times },
]

/** What a mode is shown with: each value is there for the snapshot, and comes again, with a higher key, as a change. */
export function scriptOf({ name, config, types = /./ }: TypeMode, hasContrib: boolean): CaptureScript {
  const cases = casesOf(types, hasContrib)
  const extensions = new Set(cases.flatMap(({ extension }) => extension ?? []))
  return {
    name,
    config,
    before: [
      ...[...extensions].map((extension) => `CREATE EXTENSION ${extension}`),
      ...cases.flatMap((each) => [...tableOf(each), ...rowsOf(each, 1)]),
    ],
    steps: [cases.flatMap((each) => rowsOf(each, firstStreamedKey))],
  }
}

export const firstStreamedKey = 101

export function casesOf(types: RegExp, hasContrib: boolean): TypeCase[] {
  const wanted = typeCases.filter(({ name, extension }) => types.test(name) && (hasContrib || extension === undefined))
  // What makes a type is needed by those that are made of it.
  const madeOf = (maker: TypeCase) =>
    wanted.some((each) => each.type.startsWith(maker.type) || each.setup?.includes(` AS ${maker.type}`))
  return typeCases.filter((each) => wanted.includes(each) || (each.setup !== undefined && madeOf(each)))
}
