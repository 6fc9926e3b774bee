import { defineConfig, defineConverter } from '@tidewire/sdk'
import { deferredConverter } from '../registry/deferred-converter.ts'
import { checkRegistryConfig, registryConverterSettings } from '../registry/settings.ts'
import { unsupportedProtobufSettings } from '../registry/unsupported-settings.ts'

const strategies = 'io.confluent.kafka.serializers.subject.'

const config = defineConfig({
  ...registryConverterSettings,
  'enhanced.protobuf.schema.support': {
    type: 'boolean',
    default: false,
    doc: 'Whether names in Connect schemas have the package of the message before them.',
  },
  'generalized.sum.type.support': {
    type: 'boolean',
    default: false,
    doc: 'Whether unions and enums have the form that the Avro and JSON Schema converters use too.',
  },
  'scrub.invalid.names': {
    type: 'boolean',
    default: false,
    doc: 'Whether characters that Protobuf does not take in names are replaced.',
  },
  'int.for.enums': {
    type: 'boolean',
    default: false,
    doc: 'Whether enums are numbers in Connect, not their symbols.',
  },
  'optional.for.nullables': {
    type: 'boolean',
    default: false,
    doc: 'Whether fields that may be null are `optional` in the message, and only those that are may be null.',
  },
  'optional.for.proto2': {
    type: 'boolean',
    default: true,
    doc: 'Whether an optional field of proto2 that is not set is null; otherwise it has its default.',
  },
  'wrapper.for.nullables': {
    type: 'boolean',
    default: false,
    doc: 'Whether primitives that may be null are messages of google/protobuf/wrappers.proto.',
  },
  'wrapper.for.raw.primitives': {
    type: 'boolean',
    default: true,
    doc: 'Whether wrapper messages are read as the primitives in them.',
  },
  'generate.struct.for.nulls': {
    type: 'boolean',
    default: false,
    doc: 'Whether a message in a message that is not there is read as one with default values.',
  },
  'generate.index.for.unions': {
    type: 'boolean',
    default: true,
    importance: 'low',
    doc: "Whether a oneof's field in Connect has its place among the oneofs of the message at its end: choice_0.",
  },
  'flatten.unions': {
    type: 'boolean',
    default: false,
    importance: 'low',
    doc: "Whether a oneof's members are read as fields of the message's struct itself.",
  },
  'ignore.default.for.nullables': {
    type: 'boolean',
    default: false,
    doc: 'Whether null in a field with a default stays null.',
  },
  'skip.known.types': {
    type: 'string',
    default: 'true',
    enum: ['true'],
    importance: 'low',
    doc: "Whether imports of Google's and Confluent's own files are left out of the references; they always are.",
  },
  'reference.subject.name.strategy': {
    type: 'class',
    default: `${strategies}DefaultReferenceSubjectNameStrategy`,
    enum: ['Default', 'Qualified'].map((name) => `${strategies}${name}ReferenceSubjectNameStrategy`),
    importance: 'low',
    doc: 'Under which subjects imports are registered. Both have one result: known types alone are imported.',
  },
})

/** Confluent's ProtobufConverter: Protobuf's wire format, with the schema in a registry. */
export const protobufConverter = defineConverter({
  name: 'protobuf',
  aliases: ['io.confluent.connect.protobuf.ProtobufConverter', 'ProtobufConverter'],
  doc: "Protobuf, with the schemas in a schema registry: Confluent's wire format and forms of Connect's types.",
  config,
  unsupported: unsupportedProtobufSettings,
  create: (settings, use, context) => {
    checkRegistryConfig(settings, use)
    return deferredConverter(async () => {
      const [{ ProtobufCodec }, { RegistryConverter }] = await Promise.all([
        import('./protobuf-codec.ts'),
        import('../registry/registry-converter.ts'),
      ])
      const codec = new ProtobufCodec({
        enhancedSchemas: settings['enhanced.protobuf.schema.support'],
        generalizedSumTypes: settings['generalized.sum.type.support'],
        scrubInvalidNames: settings['scrub.invalid.names'],
        intForEnums: settings['int.for.enums'],
        optionalForNullables: settings['optional.for.nullables'],
        optionalForProto2: settings['optional.for.proto2'],
        wrapperForNullables: settings['wrapper.for.nullables'],
        wrapperForRawPrimitives: settings['wrapper.for.raw.primitives'],
        structForNulls: settings['generate.struct.for.nulls'],
        indexForUnions: settings['generate.index.for.unions'],
        flattenUnions: settings['flatten.unions'],
        ignoreDefaultForNullables: settings['ignore.default.for.nullables'],
      })
      return new RegistryConverter(codec, settings, use, context?.signal)
    })
  },
})
