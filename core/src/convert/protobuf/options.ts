/** How values and schemas of Connect stand in Protobuf: the settings of Confluent's converter. */
export interface ProtobufOptions {
  readonly enhancedSchemas: boolean
  readonly generalizedSumTypes: boolean
  readonly scrubInvalidNames: boolean
  readonly intForEnums: boolean
  readonly optionalForNullables: boolean
  readonly optionalForProto2: boolean
  readonly wrapperForNullables: boolean
  readonly wrapperForRawPrimitives: boolean
  readonly structForNulls: boolean
  readonly indexForUnions: boolean
  readonly flattenUnions: boolean
  readonly ignoreDefaultForNullables: boolean
}
