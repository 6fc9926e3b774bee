/** An Avro schema as a tree, after parsing: names are full names, references are the types that they name. */

export type AvroPrimitiveType = 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string'

/** A logical type that is valid on the type it stands on; an unknown or invalid one is a property like any other. */
export type AvroLogicalType =
  | { readonly name: 'decimal'; readonly precision: number; readonly scale: number }
  | {
      readonly name:
        | 'big-decimal'
        | 'uuid'
        | 'date'
        | 'time-millis'
        | 'time-micros'
        | 'timestamp-millis'
        | 'timestamp-micros'
        | 'timestamp-nanos'
        | 'local-timestamp-millis'
        | 'local-timestamp-micros'
        | 'local-timestamp-nanos'
        | 'duration'
    }

interface AvroPart {
  readonly logicalType?: AvroLogicalType
  /**
   * Everything that is not part of Avro's own declaration, in its order; `logicalType`, `precision` and `scale` too. As
   * {@link AvroField.default}, in parsed JSON: integers are numbers or bigints, numbers with a fraction or exponent
   * ExactFraction.
   */
  readonly props: ReadonlyMap<string, unknown>
}

export interface AvroPrimitive extends AvroPart {
  readonly type: AvroPrimitiveType
}

interface AvroNamedPart extends AvroPart {
  /** The full name: with its namespace, if it has one. */
  readonly name: string
  /** Full names. */
  readonly aliases: readonly string[]
  readonly doc?: string
}

export interface AvroField {
  readonly name: string
  readonly schema: AvroSchema
  readonly doc?: string
  readonly aliases: readonly string[]
  readonly order: 'ascending' | 'descending' | 'ignore'
  /** JSON; undefined where the field has none (a default of null is null). */
  readonly default?: unknown
  readonly props: ReadonlyMap<string, unknown>
}

export interface AvroRecord extends AvroNamedPart {
  readonly type: 'record'
  /** Declared as `error`, which differs from a record in its text only. */
  readonly isError: boolean
  /** A field's schema may lead back to the record. */
  readonly fields: readonly AvroField[]
}

export interface AvroEnum extends AvroNamedPart {
  readonly type: 'enum'
  readonly symbols: readonly string[]
  /** What a reader takes an unknown symbol for. */
  readonly default?: string
}

export interface AvroFixed extends AvroNamedPart {
  readonly type: 'fixed'
  readonly size: number
}

export interface AvroArray extends AvroPart {
  readonly type: 'array'
  readonly items: AvroSchema
}

export interface AvroMap extends AvroPart {
  readonly type: 'map'
  readonly values: AvroSchema
}

export interface AvroUnion {
  readonly type: 'union'
  readonly branches: readonly AvroSchema[]
}

export type AvroNamed = AvroRecord | AvroEnum | AvroFixed
export type AvroSchema = AvroPrimitive | AvroNamed | AvroArray | AvroMap | AvroUnion

export function isNamed(schema: AvroSchema): schema is AvroNamed {
  return schema.type === 'record' || schema.type === 'enum' || schema.type === 'fixed'
}

/** What a union knows a branch by: the full name of a named type, the type of any other. */
export function branchName(schema: AvroSchema): string {
  return isNamed(schema) ? schema.name : schema.type
}

/** The part of a full name before its last dot; undefined where there is none. */
export function namespaceOf(fullName: string): string | undefined {
  const dot = fullName.lastIndexOf('.')
  return dot < 0 ? undefined : fullName.slice(0, dot)
}

/** The part of a full name after its last dot. */
export function simpleNameOf(fullName: string): string {
  return fullName.slice(fullName.lastIndexOf('.') + 1)
}
