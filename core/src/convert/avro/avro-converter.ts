import { defineConfig, defineConverter } from '@tidewire/sdk'
import { deferredConverter } from '../registry/deferred-converter.ts'
import { checkRegistryConfig, registryConverterSettings } from '../registry/settings.ts'
import { unsupportedAvroSettings } from '../registry/unsupported-settings.ts'

const config = defineConfig({
  ...registryConverterSettings,
  'enhanced.avro.schema.support': {
    type: 'boolean',
    default: false,
    doc: 'Whether enums stay enums and branches of unions are told apart by their full names.',
  },
  'connect.meta.data': {
    type: 'boolean',
    default: true,
    importance: 'low',
    doc: 'Whether what Avro has no place for (names, versions, parameters, defaults) is kept as connect.* properties.',
  },
  'scrub.invalid.names': {
    type: 'boolean',
    default: false,
    doc: 'Whether characters that Avro does not take in names are replaced.',
  },
  'flatten.singleton.unions': {
    type: 'boolean',
    default: true,
    importance: 'low',
    doc: 'Whether a union of one branch is read as that branch.',
  },
  'discard.type.doc.default': {
    type: 'boolean',
    default: false,
    importance: 'low',
    doc: 'Whether docs and defaults of fields alone are kept, not those of types.',
  },
  'allow.optional.map.keys': {
    type: 'boolean',
    default: false,
    importance: 'low',
    doc: "Whether a map with optional string keys is written as Avro's map.",
  },
  'generalized.sum.type.support': {
    type: 'boolean',
    default: false,
    doc: 'Whether unions and enums have the form that the JSON Schema and Protobuf converters use too.',
  },
  'ignore.default.for.nullables': {
    type: 'boolean',
    default: false,
    doc: 'Whether null in an optional field with a default stays null.',
  },
})

/** Confluent's AvroConverter: Avro's binary form, with the schema in a registry. */
export const avroConverter = defineConverter({
  name: 'avro',
  aliases: ['io.confluent.connect.avro.AvroConverter', 'AvroConverter'],
  doc: "Avro, with the schemas in a schema registry: Confluent's wire format and Connect properties.",
  config,
  unsupported: unsupportedAvroSettings,
  create: (settings, use, context) => {
    checkRegistryConfig(settings, use)
    return deferredConverter(async () => {
      const [{ AvroCodec }, { RegistryConverter }] = await Promise.all([
        import('./avro-codec.ts'),
        import('../registry/registry-converter.ts'),
      ])
      const codec = new AvroCodec({
        connectMetaData: settings['connect.meta.data'],
        enhancedSchemas: settings['enhanced.avro.schema.support'],
        generalizedSumTypes: settings['generalized.sum.type.support'],
        scrubInvalidNames: settings['scrub.invalid.names'],
        discardTypeDocDefault: settings['discard.type.doc.default'],
        optionalMapKeys: settings['allow.optional.map.keys'],
        flattenSingletonUnions: settings['flatten.singleton.unions'],
        ignoreDefaultForNullables: settings['ignore.default.for.nullables'],
      })
      return new RegistryConverter(codec, settings, use, context?.signal)
    })
  },
})
