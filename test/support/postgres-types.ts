/**
 * Every type of PostgreSQL that a change event can hold, with values at its edges: the tables of the comparison with
 * Debezium, one a type.
 */

export interface TypeCase {
  /** The table is `t_` and this. */
  readonly name: string
  /** As in CREATE TABLE. */
  readonly type: string
  /** SQL expressions, cast to the type. */
  readonly values: readonly string[]
  /** Run before the table is made. */
  readonly setup?: string
  /** The table has two more columns with this default, a SQL expression: one that may not be null, and one that may. */
  readonly default?: string
  /** Debian's contrib modules that it needs. */
  readonly extension?: string
}

const text = (...values: readonly string[]): string[] => values.map((value) => `'${value.replaceAll("'", "''")}'`)

const numbers: readonly TypeCase[] = [
  { name: 'bool', type: 'boolean', values: ['true', 'false'], default: 'true' },
  { name: 'int2', type: 'smallint', values: ['1', '-32768', '32767'], default: '7' },
  { name: 'int4', type: 'integer', values: ['0', '-2147483648', '2147483647'], default: '-7' },
  {
    name: 'int8',
    type: 'bigint',
    values: text('0', '9007199254740991', '9007199254740993', '9223372036854775807', '-9223372036854775808'),
    default: '9223372036854775807',
  },
  { name: 'oid', type: 'oid', values: ['0', '4294967295'], default: '12' },
  {
    name: 'float4',
    type: 'real',
    values: text('0', '-0', '3.3', '1e-45', '3.4028235e38', 'NaN', 'Infinity', '-Infinity', '16777217', '0.1'),
    default: '1.5',
  },
  {
    name: 'float8',
    type: 'double precision',
    values: text('0', '-0', '4.44', '5e-324', '1.7976931348623157e308', 'NaN', 'Infinity', '-Infinity', '0.1', '1e21'),
    default: '-2.5',
  },
  {
    name: 'numeric_5_2',
    type: 'numeric(5,2)',
    values: text('0', '1.1', '-999.99', '999.99', '0.01'),
    default: '12.3',
  },
  { name: 'numeric_10', type: 'numeric(10)', values: text('0', '-1', '9999999999'), default: '42' },
  { name: 'numeric_38_0', type: 'numeric(38,0)', values: text('9'.repeat(38), `-${'9'.repeat(38)}`, '128', '-128') },
  { name: 'numeric_3_5', type: 'numeric(3,5)', values: text('0.00123', '-0.00999') },
  { name: 'numeric_5_minus2', type: 'numeric(5,-2)', values: text('12300', '-9999900') },
  { name: 'numeric_120_30', type: 'numeric(120,30)', values: text(`${'7'.repeat(90)}.${'3'.repeat(30)}`, '-0.5') },
  {
    name: 'numeric',
    type: 'numeric',
    values: text('0', '0.00', '1', '100', '-1.5', '22.2222', '1e-20', `${'8'.repeat(60)}.${'1'.repeat(20)}`, '1e30'),
    default: '3.140',
  },
  { name: 'numeric_nan', type: 'numeric', values: text('NaN', '1') },
  { name: 'numeric_nan_5_2', type: 'numeric(5,2)', values: text('NaN', '1') },
  { name: 'numeric_infinity', type: 'numeric', values: text('Infinity', '-Infinity', '1') },
  {
    name: 'money',
    type: 'money',
    values: text('1234.11', '-1234.11', '0', '92233720368547758.07', '-92233720368547758.08', '0.01'),
    default: '5',
  },
]

const texts: readonly TypeCase[] = [
  {
    name: 'text',
    type: 'text',
    values: text('', 'abc', 'žš ü 漢字 😀', 'a\tb\nc\\d"e\'f', '\\N', '\\.', 'x'.repeat(3000)),
    default: "'it''s'",
  },
  { name: 'varchar_5', type: 'varchar(5)', values: text('', 'abcde', 'žš'), default: "'ab'" },
  { name: 'varchar', type: 'varchar', values: text('', 'any length') },
  { name: 'char_4', type: 'char(4)', values: text('ab', 'abcd', ''), default: "'xy'" },
  { name: 'char', type: 'char', values: text('a', ' ') },
  { name: 'quoted_char', type: '"char"', values: text('a', '') },
  { name: 'name', type: 'name', values: text('a_name') },
  { name: 'json', type: 'json', values: text('{"b": 1,  "a": [1.10, null]}', '"x"', 'null', '1e400'), default: "'{}'" },
  { name: 'jsonb', type: 'jsonb', values: text('{"b": 1,  "a": [1.10, null]}', '"x"', 'null'), default: `'{"a": 1}'` },
  { name: 'jsonpath', type: 'jsonpath', values: text('$.a[*] ? (@ > 1)') },
  { name: 'xml', type: 'xml', values: text('<foo>bar</foo><foo/>', '<a b="c"/>') },
  { name: 'uuid', type: 'uuid', values: text('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'), default: `'${'0'.repeat(32)}'` },
  { name: 'inet', type: 'inet', values: text('192.168.2.0/12', '10.0.0.1', '::1', '2001:db8::/32'), default: "'::1'" },
  { name: 'cidr', type: 'cidr', values: text('192.168.100.128/25', '10.0.0.0/8') },
  { name: 'macaddr', type: 'macaddr', values: text('08:00:2b:01:02:03') },
  { name: 'macaddr8', type: 'macaddr8', values: text('08:00:2b:01:02:03:04:05') },
  { name: 'tsvector', type: 'tsvector', values: text('fat:2,4 cat:3A rat', 'a') },
  { name: 'tsquery', type: 'tsquery', values: text('fat <-> cat & !rat') },
  { name: 'pg_lsn', type: 'pg_lsn', values: text('16/B374D848') },
  { name: 'txid_snapshot', type: 'txid_snapshot', values: text('10:20:10,14,15') },
  { name: 'xid', type: 'xid', values: text('4294967295') },
  { name: 'xid8', type: 'xid8', values: text('18446744073709551615') },
  { name: 'tid', type: 'tid', values: text('(1,2)') },
  { name: 'regclass', type: 'regclass', values: text('pg_class') },
  { name: 'regtype', type: 'regtype', values: text('integer') },
  {
    name: 'enum',
    type: 'mood',
    setup: `CREATE TYPE mood AS ENUM ('sad', 'ok', 'very happy', 'a,b')`,
    values: text('sad', 'very happy', 'a,b'),
    default: "'ok'",
  },
]

const binary: readonly TypeCase[] = [
  { name: 'bytea', type: 'bytea', values: text('', '\\x00ff10', '\\xdeadbeef'), default: "'\\x0102'" },
  { name: 'bit', type: 'bit', values: ["B'1'", "B'0'"], default: "B'1'" },
  { name: 'bit_2', type: 'bit(2)', values: ["B'11'", "B'01'"], default: "B'10'" },
  { name: 'bit_9', type: 'bit(9)', values: ["B'100000001'"] },
  { name: 'bit_64', type: 'bit(64)', values: [`B'1${'0'.repeat(63)}'`] },
  { name: 'varbit_5', type: 'bit varying(5)', values: ["B'101'", "B''"] },
  { name: 'varbit_1', type: 'bit varying(1)', values: ["B'1'"] },
  { name: 'varbit', type: 'bit varying', values: ["B'111011010001000110000001000000001'", "B'0'"] },
]

const times: readonly TypeCase[] = [
  {
    name: 'date',
    type: 'date',
    values: text('1970-01-01', '2016-11-04', '1969-12-31', '0001-01-01', '9999-12-31', '0044-03-15 BC', '1582-10-10'),
    default: "'2020-02-29'",
  },
  { name: 'date_extreme', type: 'date', values: text('5874897-12-31', '4713-01-01 BC') },
  { name: 'date_infinity', type: 'date', values: text('infinity', '-infinity') },
  ...[0, 1, 3, 4, 6].map((digits) => ({
    name: `time_${digits}`,
    type: `time(${digits})`,
    values: text('00:00:00', '13:51:30.123456', '23:59:59.999999', '24:00:00'),
  })),
  {
    name: 'time',
    type: 'time',
    values: text('00:00:00', '13:51:30.123456', '23:59:59.999999', '24:00:00'),
    default: "'12:30:00.5'",
  },
  {
    name: 'timetz',
    type: 'timetz',
    values: text('13:51:30.123789+02', '00:00:00Z', '24:00:00-05:30'),
    default: "'01:02:03+00'",
  },
  { name: 'timetz_3', type: 'timetz(3)', values: text('13:51:30.123789+02') },
  ...[0, 1, 3, 4, 6].map((digits) => ({
    name: `timestamp_${digits}`,
    type: `timestamp(${digits})`,
    values: text('2016-11-04T13:51:30.123456', '1936-10-25T22:10:12.608', '1969-12-31T23:59:59.999999'),
  })),
  {
    name: 'timestamp',
    type: 'timestamp',
    values: text(
      '1970-01-01',
      '2016-11-04T13:51:30.123456',
      '0001-01-01',
      '9999-12-31T23:59:59.999999',
      '0044-03-15 BC',
    ),
    default: "'2020-02-29T01:02:03.004005'",
  },
  {
    name: 'timestamp_large',
    type: 'timestamp',
    values: text('21016-11-04T13:51:30.123456', '294246-12-31T23:59:59.999999'),
  },
  { name: 'timestamp_old', type: 'timestamp', values: text('4713-12-31T23:59:59.999999 BC') },
  { name: 'timestamp_infinity', type: 'timestamp', values: text('infinity', '-infinity') },
  {
    name: 'timestamptz',
    type: 'timestamptz',
    values: text(
      '1970-01-01Z',
      '2016-11-04T13:51:30.123456+02',
      '0001-01-01Z',
      '9999-12-31T23:59:59.999999Z',
      '2020-01-01T00:00:00.1Z',
    ),
    default: "'2020-02-29T01:02:03.004005Z'",
  },
  ...[0, 3].map((digits) => ({
    name: `timestamptz_${digits}`,
    type: `timestamptz(${digits})`,
    values: text('2016-11-04T13:51:30.123456+02'),
  })),
  {
    name: 'timestamptz_large',
    type: 'timestamptz',
    values: text('21016-11-04T13:51:30.123456+07', '0044-03-15T01:02:03Z BC'),
  },
  { name: 'timestamptz_infinity', type: 'timestamptz', values: text('infinity', '-infinity') },
  {
    name: 'interval',
    type: 'interval',
    values: text(
      'P1Y2M3DT4H5M6.78S',
      '0',
      '-1 mon -2 days -03:04:05.000006',
      '1 year -1 day',
      '178000000 years',
      '1 microsecond',
      '-0.5 seconds',
    ),
    default: "'1 day'",
  },
  { name: 'interval_0', type: 'interval(0)', values: text('P1Y2M3DT4H5M6.78S') },
  { name: 'interval_day', type: 'interval day to second', values: text('3 days 04:05:06.78') },
]

const geometry: readonly TypeCase[] = [
  { name: 'point', type: 'point', values: text('(1,1)', '(-1.5,2e300)', '(0.1,0.2)'), default: "'(1,2)'" },
  { name: 'line', type: 'line', values: text('{1,2,3}') },
  { name: 'lseg', type: 'lseg', values: text('[(0,1),(2,3)]') },
  { name: 'box', type: 'box', values: text('(2,3),(0,1)') },
  { name: 'path', type: 'path', values: text('[(0,1),(2,3)]', '((0,1),(2,3))') },
  { name: 'polygon', type: 'polygon', values: text('((0,0),(0,1),(1,1))') },
  { name: 'circle', type: 'circle', values: text('<(1,2),3>') },
]

const ranges: readonly TypeCase[] = [
  { name: 'int4range', type: 'int4range', values: text('[1,6)', 'empty', '(,)', '[5,)'), default: "'[1,2)'" },
  { name: 'int8range', type: 'int8range', values: text('[1000000,6000000)') },
  { name: 'numrange', type: 'numrange', values: text('[5.3,6.30)', '(,1]') },
  { name: 'daterange', type: 'daterange', values: text('[2019-03-31,2019-04-30)', '[2019-03-31,infinity)') },
  {
    name: 'tsrange',
    type: 'tsrange',
    values: text('[2019-03-31 15:30:00, infinity)', '[2019-03-31 15:30:00, 2019-04-30 15:30:00]'),
  },
  {
    name: 'tstzrange',
    type: 'tstzrange',
    values: text('[2017-06-05 11:29:12.549426+02,)', '[2017-06-05 11:29:12+00, 2017-06-06 12:34:56.789012+00]'),
  },
  { name: 'int4multirange', type: 'int4multirange', values: text('{[1,2),[5,6)}', '{}') },
  {
    name: 'ownrange',
    type: 'floatrange',
    setup: 'CREATE TYPE floatrange AS RANGE (subtype = float8)',
    values: text('[1.5,2.5)'),
  },
]

const array = (name: string, of: string, ...values: readonly string[]): TypeCase => ({
  name: `array_${name}`,
  type: `${of}[]`,
  values: text(...values),
})

const arrays: readonly TypeCase[] = [
  array('bool', 'boolean', '{t,f,NULL}', '{}'),
  array('int2', 'smallint', '{1,-2}'),
  { ...array('int4', 'integer', '{1,2,3}', '{}', '{NULL}', '{{1,2},{3,4}}', '[0:1]={1,2}'), default: "'{1,2}'" },
  array('int8', 'bigint', '{1550166368505037572,-1}'),
  array('oid', 'oid', '{3,4000000000}'),
  array('float4', 'real', '{1.5,NaN}'),
  array('float8', 'double precision', '{1.5,Infinity}'),
  array('numeric_10_2', 'numeric(10,2)', '{1.2,3.4,NULL}'),
  array('numeric', 'numeric', '{1.1,2.22,3.333}'),
  { ...array('text', 'text', '{one,"t,w\\"o",NULL,"NULL","", "\\\\"}', '{}', '{{a,b},{c,d}}'), default: "'{a,b}'" },
  array('varchar', 'varchar(10)', '{one,two}'),
  array('char', 'char(5)', '{one,two}'),
  array('bytea', 'bytea', '{"\\\\x0001","\\\\xff"}'),
  array('date', 'date', '{2016-11-04,2016-11-05}'),
  array('time', 'time', '{13:51:30.123456}'),
  array('timetz', 'timetz', '{13:51:30.123456+02}'),
  array('timestamp', 'timestamp', '{"2016-11-04 13:51:30.123456"}'),
  array('timestamptz', 'timestamptz', '{"2016-11-04 13:51:30.123456+02"}'),
  array('interval', 'interval', '{"1 day"}'),
  array('uuid', 'uuid', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'),
  array('json', 'json', '{"{\\"a\\": 1}"}'),
  array('jsonb', 'jsonb', '{"{\\"a\\": 1}"}'),
  array('inet', 'inet', '{192.168.2.0/12,10.0.0.1}'),
  array('cidr', 'cidr', '{192.168.100.128/25}'),
  array('macaddr', 'macaddr', '{08:00:2b:01:02:03}'),
  array('int4range', 'int4range', '{"[1,6)","[1,4)"}'),
  array('tsrange', 'tsrange', '{"[2019-03-31 15:30:00, infinity)"}'),
  array('tstzrange', 'tstzrange', '{"[2017-06-05 11:29:12+00,)"}'),
  array('daterange', 'daterange', '{"[2019-03-31,infinity)"}'),
  array('numrange', 'numrange', '{"[5.3,6.3)"}'),
  array('int8range', 'int8range', '{"[5000,9000)"}'),
  array('money', 'money', '{1.50}'),
  array('bit', 'bit(3)', '{101}'),
  array('varbit', 'bit varying', '{101}'),
  array('point', 'point', '{"(1,2)"}'),
  array('xml', 'xml', '{<a/>}'),
  array('name', 'name', '{a}'),
  array('enum', 'mood', '{sad,"a,b",NULL}'),
]

const made: readonly TypeCase[] = [
  {
    name: 'domain_int',
    type: 'positive',
    setup: 'CREATE DOMAIN positive AS integer CHECK (value > 0)',
    values: ['1'],
    default: '3',
  },
  {
    name: 'domain_numeric',
    type: 'price',
    setup: 'CREATE DOMAIN price AS numeric(8,3) DEFAULT 1.5',
    values: text('1.1'),
  },
  {
    name: 'domain_domain',
    type: 'dear_price',
    setup: 'CREATE DOMAIN dear_price AS price CHECK (value > 100)',
    values: text('100.125'),
  },
  {
    name: 'domain_text',
    type: 'postcode',
    setup: 'CREATE DOMAIN postcode AS varchar(8)',
    values: text('1010'),
  },
  {
    name: 'domain_enum',
    type: 'good_mood',
    setup: "CREATE DOMAIN good_mood AS mood CHECK (value <> 'sad')",
    values: text('ok'),
  },
  { name: 'domain_array', type: 'numbers', setup: 'CREATE DOMAIN numbers AS integer[]', values: text('{1,2}') },
  { name: 'array_domain', type: 'positive[]', values: text('{1,2}') },
  {
    name: 'composite',
    type: 'complex',
    setup: 'CREATE TYPE complex AS (r double precision, i double precision, name text)',
    values: text('(1.5,2,"a b")'),
  },
  { name: 'array_composite', type: 'complex[]', values: text('{"(1.5,2,a)"}') },
]

const extensions: readonly TypeCase[] = [
  { name: 'citext', type: 'citext', extension: 'citext', values: text('Hello World'), default: "'A'" },
  { name: 'array_citext', type: 'citext[]', extension: 'citext', values: text('{four,Five}') },
  {
    name: 'hstore',
    type: 'hstore',
    extension: 'hstore',
    values: text('"key" => "val"', '', 'a=>NULL,"key_#1"=>" ##123 78","q\\"u"=>"b\\\\s"', 'k1=>v1,k2=>v2,k3=>v3'),
  },
  {
    name: 'array_hstore',
    type: 'hstore[]',
    extension: 'hstore',
    values: text('{"\\"key4\\"=>\\"val4\\", \\"key5\\"=>NULL","a=>b"}'),
  },
  { name: 'ltree', type: 'ltree', extension: 'ltree', values: text('Top.Collections.Pictures', '') },
  { name: 'array_ltree', type: 'ltree[]', extension: 'ltree', values: text('{Ship.Frigate,Ship.Destroyer}') },
  { name: 'isbn', type: 'isbn', extension: 'isn', values: text('978-0-393-04002-9') },
  { name: 'cube', type: 'cube', extension: 'cube', values: text('(1,2,3)') },
]

/** A type of this name whose values are kept as they are written: stands for one of an extension that is not at hand. */
const standIn = (name: string): string =>
  `CREATE TYPE ${name}; ` +
  `CREATE FUNCTION ${name}_in(cstring) RETURNS ${name} AS 'textin' LANGUAGE internal IMMUTABLE STRICT; ` +
  `CREATE FUNCTION ${name}_out(${name}) RETURNS cstring AS 'textout' LANGUAGE internal IMMUTABLE STRICT; ` +
  `CREATE TYPE ${name} (INPUT = ${name}_in, OUTPUT = ${name}_out, LIKE = text)`

/** What PostGIS and pgvector write is what they read; their own servers' modules are large. */
const standIns: readonly TypeCase[] = [
  {
    name: 'geometry',
    type: 'geometry',
    setup: standIn('geometry'),
    // POINT(174.9479 -36.7208) with SRID 3187, and one without.
    values: text('0101000020730C00001C7C613255DE6540787AA52C435C42C0', '01010000001C7C613255DE6540787AA52C435C42C0'),
  },
  {
    name: 'geography',
    type: 'geography',
    setup: standIn('geography'),
    values: text(
      '0105000020E610000001000000010200000002000000A779C7293A2465400B462575025A46C0C66D3480B7FC6440C3D32B65195246C0',
    ),
  },
  {
    name: 'array_geometry',
    type: 'geometry[]',
    values: text('{010700000000000000,01010000001C7C613255DE6540787AA52C435C42C0}'),
  },
  { name: 'vector', type: 'vector', setup: standIn('vector'), values: text('[1,2.5,-3]') },
  { name: 'halfvec', type: 'halfvec', setup: standIn('halfvec'), values: text('[1,2.5]') },
  { name: 'sparsevec', type: 'sparsevec', setup: standIn('sparsevec'), values: text('{1:10,11:20.5,111:30}/1000') },
]

export const typeCases: readonly TypeCase[] = [
  ...[...numbers, ...texts, ...binary, ...times, ...geometry, ...ranges],
  ...[...arrays, ...made, ...extensions, ...standIns],
]

/** Statements that make the type and its table. */
export function tableOf({ name, type, setup, default: byDefault }: TypeCase): string[] {
  const withDefault =
    byDefault === undefined ? '' : `, d ${type} NOT NULL DEFAULT ${byDefault}, e ${type} DEFAULT ${byDefault}`
  return [
    ...(setup === undefined ? [] : setup.split('; ')),
    `CREATE TABLE t_${name} (pk integer PRIMARY KEY, v ${type}${withDefault})`,
  ]
}

/** Statements that insert each value, from this key on, and at last a null. */
export function rowsOf({ name, values }: TypeCase, firstKey: number): string[] {
  const rows = values.map((value, i) => `INSERT INTO t_${name} (pk, v) VALUES (${firstKey + i}, ${value})`)
  return [...rows, `INSERT INTO t_${name} (pk, v) VALUES (${firstKey + values.length}, NULL)`]
}
