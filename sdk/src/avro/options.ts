/** How values and schemas of Connect stand in Avro: the settings of Confluent's converter. */
export interface AvroOptions {
  readonly connectMetaData: boolean
  readonly enhancedSchemas: boolean
  readonly generalizedSumTypes: boolean
  readonly scrubInvalidNames: boolean
  readonly discardTypeDocDefault: boolean
  readonly optionalMapKeys: boolean
  readonly flattenSingletonUnions: boolean
  readonly ignoreDefaultForNullables: boolean
}
