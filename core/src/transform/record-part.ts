/**
 * Most of Kafka Connect's transforms come as two classes, `…$Key` and `…$Value`, that differ in which part of the record
 * they work on. Here they are two declarations made from one.
 */
import {
  changed,
  defineTransform,
  type ConfigOf,
  type ConnectRecord,
  type Schema,
  type Settings,
  type Transform,
  type TransformDefinition,
} from '@tidewire/sdk'

/** The key or the value of a record, with its schema. */
export interface RecordPart {
  readonly name: 'key' | 'value'
  readonly schemaOf: (record: ConnectRecord) => Schema | undefined
  /** Null where there is none; never undefined. */
  readonly valueOf: (record: ConnectRecord) => unknown
  readonly replaced: <R extends ConnectRecord>(record: R, schema: Schema | undefined, value: unknown) => R
}

const keyPart: RecordPart = {
  name: 'key',
  schemaOf: (record) => record.keySchema,
  valueOf: (record) => record.key ?? null,
  replaced: (record, keySchema, key) => changed(record, { keySchema, key }),
}

export const valuePart: RecordPart = {
  name: 'value',
  schemaOf: (record) => record.valueSchema,
  valueOf: (record) => record.value ?? null,
  replaced: (record, valueSchema, value) => changed(record, { valueSchema, value }),
}

interface TwoPartDefinition<S extends Settings> {
  /** The short name, to which `-key` or `-value` is added. */
  readonly name: string
  /** Kafka Connect's class, without its package and without `$Key` or `$Value`. */
  readonly className: string
  readonly doc: string
  readonly config: S
  readonly check?: (config: ConfigOf<S>) => Readonly<Record<string, string>>
  readonly create: (config: ConfigOf<S>, part: RecordPart) => Transform
}

/** Declares a transform for keys and the same for values. */
export function defineForKeyAndValue<const S extends Settings>(
  definition: TwoPartDefinition<S>,
): readonly TransformDefinition<S>[] {
  return [keyPart, valuePart].map((part) => {
    const { name, className, doc, config, check, create } = definition
    return defineTransform<S>({
      name: `${name}-${part.name}`,
      aliases: kafkaNames(`${className}$${part === keyPart ? 'Key' : 'Value'}`),
      doc: `${doc} Works on the record's ${part.name}.`,
      config,
      ...(check === undefined ? {} : { check }),
      create: (settings) => create(settings, part),
    })
  })
}

/** What configs written for Kafka Connect call a transform: its class with its package, or without. */
export function kafkaNames(className: string): readonly string[] {
  return [`org.apache.kafka.connect.transforms.${className}`, className]
}
