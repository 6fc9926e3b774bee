/**
 * Settings of Confluent's converters, and of the serializers and the registry client that they are made of, that would
 * change what is written or read, and that the converters here lack.
 */

const rules = 'rules of schemas are not carried out'
const logIn = 'of log-ins there are basic.auth.*, bearer.auth.token and schema.registry.ssl.*'
const idPlace = 'the id of the schema stands before the value, in four bytes'
const classes = 'there are no Java classes here'

const unsupportedRegistrySettings: Readonly<Record<string, string>> = {
  'use.latest.with.metadata': 'name the schema by use.latest.version or use.schema.id',
  'use.schema.guid': 'name the schema by use.schema.id',
  'propagate.schema.tags': 'schemas are registered as they are',
  'schema.format': 'schemas are read in the form in which they are registered',
  'context.name.strategy': "put the context into schema.registry.url, as the path '/contexts/.name'",
  'subject.name.strategy.*': 'the subject goes by key.subject.name.strategy and value.subject.name.strategy',
  'key.schema.id.serializer': idPlace,
  'key.schema.id.deserializer': idPlace,
  'value.schema.id.serializer': idPlace,
  'value.schema.id.deserializer': idPlace,
  'schema.reflection': classes,
  'schema.backup.enabled': 'records have no envelope with the registered schema',
  'rule.executors': rules,
  'rule.executors.*': rules,
  'rule.actions': rules,
  'rule.actions.*': rules,
  'execution.environment': rules,
  'validation.rules.*': rules,
  'request.header.*': logIn,
  'bearer.auth.issuer.endpoint.url': logIn,
  'bearer.auth.client.*': logIn,
  'bearer.auth.scope': logIn,
  'bearer.auth.scope.*': logIn,
  'bearer.auth.sub.*': logIn,
  'bearer.auth.logical.cluster': logIn,
  'bearer.auth.identity.pool.id': logIn,
  'bearer.auth.custom.provider.class': logIn,
  'bearer.auth.uami.*': logIn,
  'proxy.host': 'the registry is asked without a proxy',
  'proxy.port': 'the registry is asked without a proxy',
}

export const unsupportedAvroSettings: Readonly<Record<string, string>> = {
  ...unsupportedRegistrySettings,
  'avro.use.logical.type.converters': 'logical types are those of Connect',
  'avro.fail.on.trailing.data': 'bytes after a value are passed over',
  'specific.avro.*': classes,
}

export const unsupportedJsonSchemaSettings: Readonly<Record<string, string>> = {
  ...unsupportedRegistrySettings,
  'json.fail.invalid.schema': 'values are not checked by the rules of a JSON Schema beyond their types',
  'json.indent.output': 'JSON is written without blanks',
  'json.envelope.detection': 'records have no envelope',
  'preserve.additional.properties': 'properties that a schema does not name are dropped',
  'ignore.modern.dialects': 'schemas are read by the keywords in them, whatever their dialect',
}

export const unsupportedProtobufSettings: Readonly<Record<string, string>> = {
  ...unsupportedRegistrySettings,
  'reference.lookup.only': 'the schemas that are written import known types alone',
  'specific.protobuf.*': classes,
  'derive.type': classes,
}
