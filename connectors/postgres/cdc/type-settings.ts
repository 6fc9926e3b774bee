import { defineConfig } from '@tidewire/sdk'

/** What values become. */
export const typeSettings = defineConfig({
  'decimal.handling.mode': {
    type: 'string',
    default: 'precise',
    enum: ['precise', 'string', 'double'],
    group: 'Types',
    doc: 'What numeric, decimal and money become: exact decimals, texts, or doubles, which lose digits.',
  },
  'time.precision.mode': {
    type: 'string',
    default: 'adaptive',
    enum: [
      'adaptive',
      'adaptive_time_microseconds',
      'connect',
      'isostring',
      'microseconds',
      'nanoseconds',
      'structured',
    ],
    group: 'Types',
    doc:
      'What dates and times become: numbers in the unit that holds the column’s digits (`adaptive`), in one unit, Kafka ' +
      'Connect’s logical types, which have milliseconds at most (`connect`), texts (`isostring`), or structs of their ' +
      'parts, which lose nothing (`structured`).',
  },
  'interval.handling.mode': {
    type: 'string',
    default: 'numeric',
    enum: ['numeric', 'string'],
    group: 'Types',
    doc: 'What intervals become: microseconds, with months of 365.25 / 12 days, or ISO 8601 periods, which keep them apart.',
  },
  'hstore.handling.mode': {
    type: 'string',
    default: 'json',
    enum: ['json', 'map'],
    group: 'Types',
    doc: 'What hstore becomes: a text of JSON, or a map.',
  },
  'binary.handling.mode': {
    type: 'string',
    default: 'bytes',
    enum: ['bytes', 'base64', 'base64-url-safe', 'hex'],
    group: 'Types',
    doc: 'What bytea becomes: bytes, or a text of them.',
  },
  'money.fraction.digits': {
    type: 'int',
    default: 2,
    minimum: 0,
    importance: 'low',
    group: 'Types',
    doc: 'Digits after the point that money has.',
  },
  'include.unknown.datatypes': {
    type: 'boolean',
    default: false,
    importance: 'low',
    group: 'Types',
    doc: 'Whether columns of types that have no place in events are given as bytes of their text, rather than left out.',
  },
  'unavailable.value.placeholder': {
    type: 'string',
    default: '__debezium_unavailable_value',
    importance: 'low',
    group: 'Types',
    doc: 'Stands for a large value that an update left as it was, which the server then does not send. `hex:` before it: its bytes.',
  },
})
