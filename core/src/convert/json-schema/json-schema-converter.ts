import { defineConfig, defineConverter } from '@tidewire/sdk'
import { deferredConverter } from '../registry/deferred-converter.ts'
import { checkRegistryConfig, registryConverterSettings } from '../registry/settings.ts'
import { unsupportedJsonSchemaSettings } from '../registry/unsupported-settings.ts'

const config = defineConfig({
  ...registryConverterSettings,
  'decimal.format': {
    type: 'string',
    default: 'BASE64',
    pattern: '^(?:[bB][aA][sS][eE]64|[nN][uU][mM][eE][rR][iI][cC])$',
    importance: 'low',
    doc: 'How Decimals are written: BASE64 (of the unscaled value) or NUMERIC. Both are read.',
  },
  'object.additional.properties': {
    type: 'boolean',
    default: true,
    doc: 'Whether the objects of a schema that is registered may have properties that it does not name.',
  },
  'use.optional.for.nonrequired': {
    type: 'boolean',
    default: false,
    doc: 'Whether a property that a schema does not require is read as an optional field.',
  },
  'flatten.singleton.unions': {
    type: 'boolean',
    default: true,
    importance: 'low',
    doc: 'Whether oneOf with a single schema is read as that schema.',
  },
  'generalized.sum.type.support': {
    type: 'boolean',
    default: false,
    doc: 'Whether unions and enums have the form that the Avro and Protobuf converters use too.',
  },
  'ignore.default.for.nullables': {
    type: 'boolean',
    default: false,
    doc: 'Whether null in an optional field with a default stays null.',
  },
})

/** Confluent's JsonSchemaConverter: JSON, with a JSON Schema in a registry. */
export const jsonSchemaConverter = defineConverter({
  name: 'json-schema',
  aliases: ['io.confluent.connect.json.JsonSchemaConverter', 'JsonSchemaConverter'],
  doc: "JSON, with JSON Schemas in a schema registry: Confluent's wire format and Connect properties.",
  config,
  unsupported: unsupportedJsonSchemaSettings,
  create: (settings, use, context) => {
    checkRegistryConfig(settings, use)
    return deferredConverter(async () => {
      const [{ JsonSchemaCodec }, { RegistryConverter }] = await Promise.all([
        import('./json-schema-codec.ts'),
        import('../registry/registry-converter.ts'),
      ])
      const codec = new JsonSchemaCodec({
        decimalFormat: settings['decimal.format'].toUpperCase() === 'NUMERIC' ? 'NUMERIC' : 'BASE64',
        additionalProperties: settings['object.additional.properties'],
        optionalForNonRequired: settings['use.optional.for.nonrequired'],
        generalizedSumTypes: settings['generalized.sum.type.support'],
        flattenSingletonUnions: settings['flatten.singleton.unions'],
        ignoreDefaultForNullables: settings['ignore.default.for.nullables'],
      })
      return new RegistryConverter(codec, settings, use, context?.signal)
    })
  },
})
