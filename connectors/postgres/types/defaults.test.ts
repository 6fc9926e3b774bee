import { Decimal } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { columnReader, type TypeOptions } from './column-reader.ts'
import { oids } from './oids.ts'
import { TypeCatalog, type PgType } from './type-catalog.ts'

const plain = { schema: 'public', elementOid: 0, delimiter: ',', baseOid: 0, baseModifier: -1, labels: [] }
const mood: PgType = { ...plain, oid: 20_000, name: 'mood', kind: 'enum', labels: ['sad', "it's ok"] }
const positive: PgType = { ...plain, oid: 20_001, name: 'positive', kind: 'domain', baseOid: oids.int4 }
const catalog = TypeCatalog.of([
  ...Object.entries(oids).map(([name, oid]): PgType => ({ ...plain, oid, name, kind: 'base' })),
  ...[mood, positive],
])
const options: TypeOptions = {
  ...{ decimal: 'precise', time: 'adaptive', interval: 'numeric', hstore: 'json', binary: 'bytes' },
  ...{ moneyFractionDigits: 2, unavailable: '', includeUnknown: false },
}

const reader = (typeOid: number, defaultSql: string, typeModifier = -1, more: Partial<TypeOptions> = {}) =>
  columnReader({ name: 'c', typeOid, typeModifier, nullable: false, defaultSql }, catalog, { ...options, ...more })!

const numeric10x2 = ((10 << 16) | 2) + 4

/** The expressions are what pg_get_expr gives, the values Debezium 3.7's. */
describe('a default', () => {
  test.each([
    [oids.bool, 'true', true],
    [oids.int4, '42', 42],
    [oids.int4, "'-42'::integer", -42],
    [oids.int8, "'9223372036854775807'::bigint", 9223372036854775807n],
    [oids.float8, "'-0.1'::numeric", -0.1],
    [oids.text, "'it''s'::text", "it's"],
    [oids.bpchar, "'ab'::bpchar", 'ab'],
    [oids.json, `'{"a":1}'::json`, '{"a":1}'],
    [oids.uuid, "'76019d1a-ad2e-4b22-96e9-1a6d6543c818'::uuid", '76019d1a-ad2e-4b22-96e9-1a6d6543c818'],
    [oids.date, "'2020-02-29'::date", 18321],
    [oids.time, "'12:34:56.789'::time without time zone", 45296789000],
    [oids.timestamp, "'2020-02-29 12:34:56.123456'::timestamp without time zone", 1582979696123456],
    [oids.timestamptz, "'2020-02-29 12:34:56.123456+02'::timestamp with time zone", '2020-02-29T10:34:56.123456Z'],
    [oids.timestamp, "'infinity'::timestamp without time zone", 9223372036854775807n],
    [oids.interval, "'1 day 02:03:04'::interval", 93784000000],
    [mood.oid, "'it''s ok'::mood", "it's ok"],
    [oids.text, "('a'::text || 'b'::text)", 'a'],
    [oids.text, 'CURRENT_USER', 'CURRENT_USER'],
  ])('of type %i: %s', (oid, sql, expected) => {
    expect(reader(oid, sql).default).toEqual(expected)
    expect(reader(oid, sql).schema.default).toEqual(expected)
    expect(reader(oid, sql).absent).toEqual(expected)
  })

  test('has the digits of its column', () => {
    expect(reader(oids.numeric, '12.5', numeric10x2).default).toEqual(new Decimal(1250n, 2))
    expect(reader(oids.numeric, "'-12.5'::numeric", numeric10x2).default).toEqual(new Decimal(-1250n, 2))
    expect(reader(oids.numeric, '12.5', numeric10x2, { decimal: 'string' }).default).toBe('12.50')
  })

  test('of bits', () => {
    expect(reader(oids.bit, `'1'::"bit"`, 1).default).toBe(true)
    expect(reader(oids.varbit, `'101'::"bit"`, 5).default).toEqual(Buffer.of(5))
  })

  test.each([
    [oids.int4, "nextval('t_id_seq'::regclass)", 0],
    [oids.int4, 'COALESCE(1, 2)', 0],
    [oids.text, "upper('a'::text)", ''],
    [oids.uuid, 'gen_random_uuid()', '00000000-0000-0000-0000-000000000000'],
    [oids.date, 'CURRENT_DATE', 0],
    [oids.timestamp, 'now()', 0],
    [oids.timestamp, "(now() AT TIME ZONE 'utc'::text)", 0],
    [oids.timestamp, "timezone('utc'::text, now())", 0],
    [oids.timestamptz, 'CURRENT_TIMESTAMP', '1970-01-01T00:00:00.000000Z'],
    [oids.jsonb, 'jsonb_build_object()', '{}'],
    [oids.bool, '(1 = 1)', false],
  ])('of type %i that is not known before: %s', (oid, sql, expected) => {
    expect(reader(oid, sql).default).toEqual(expected)
  })

  test.each([
    [oids.int4, '(1 + 1)'],
    [oids.text, 'NULL::text'],
    [oids.numeric, "'1.5'::numeric"],
    [oids.bytea, "'\\x00ff'::bytea"],
    [oids.inet, "'10.0.0.1'::inet"],
    [oids.point, "'(1,2)'::point"],
    [oids.money, "'$1.50'::money"],
    [positive.oid, '5'],
    [mood.oid, 'some_mood()'],
  ])('of type %i that Debezium does not tell: %s', (oid, sql) => {
    expect(reader(oid, sql)).not.toHaveProperty('default')
    expect(reader(oid, sql).schema).not.toHaveProperty('default')
  })

  test('that no row can get is none', () => {
    expect(reader(oids.numeric, '1.005', numeric10x2)).not.toHaveProperty('default')
    expect(reader(oids.numeric, "'NaN'::numeric", numeric10x2)).not.toHaveProperty('default')
    expect(reader(oids.timestamp, "'9999-12-31 00:00:00'::timestamp", -1, { time: 'nanoseconds' })).not.toHaveProperty(
      'default',
    )
  })
})
