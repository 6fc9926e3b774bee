/**
 * A JSON Schema of any draft as one tree, the shape of which decides what is comparable with what. It follows the object
 * model in which the Confluent registry compares schemas: a schema is of one kind, and one that combines several (a type with
 * an enum, say) is an `allOf` of them.
 */
import type { Json } from './json-text.ts'

interface Annotations {
  readonly default?: Json
  /** `connect.type`, by which the JSON Schema converter marks what a type stands for. */
  readonly connectType?: string
  /** What it was made of; of one object may be made several schemas, of different kinds. */
  readonly source: Json
}

/** Accepts everything: `true`, `{}`. */
export interface EmptySchema extends Annotations {
  readonly kind: 'empty'
}

export interface FalseSchema extends Annotations {
  readonly kind: 'false'
}

export interface PlainSchema extends Annotations {
  readonly kind: 'boolean' | 'null' | 'conditional'
}

export interface StringSchema extends Annotations {
  readonly kind: 'string'
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
}

export interface NumberSchema extends Annotations {
  readonly kind: 'number'
  readonly isInteger: boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  /** Decimal text. */
  readonly multipleOf?: string
}

export interface EnumSchema extends Annotations {
  readonly kind: 'enum'
  /** In their JSON texts. */
  readonly values: ReadonlySet<string>
}

export interface ConstSchema extends Annotations {
  readonly kind: 'const'
  readonly value: string
}

export interface NotSchema extends Annotations {
  readonly kind: 'not'
  readonly schema: Schema
}

export type Criterion = 'allOf' | 'anyOf' | 'oneOf'

export interface CombinedSchema extends Annotations {
  readonly kind: 'combined'
  readonly criterion: Criterion
  readonly schemas: readonly Schema[]
}

export interface ObjectSchema extends Annotations {
  readonly kind: 'object'
  readonly properties: ReadonlyMap<string, Schema>
  readonly required: ReadonlySet<string>
  /** False: no others; a schema: others of this; undefined: any. */
  readonly additional: Schema | false | undefined
  readonly patterns: readonly { readonly pattern: string; readonly schema: Schema }[]
  readonly unevaluated?: Schema
  readonly propertyDependencies: ReadonlyMap<string, ReadonlySet<string>>
  readonly schemaDependencies: ReadonlyMap<string, Schema>
  readonly minProperties?: number
  readonly maxProperties?: number
}

export interface ArraySchema extends Annotations {
  readonly kind: 'array'
  readonly items?: Schema
  readonly tuple: readonly Schema[]
  readonly additional: Schema | false | undefined
  readonly unevaluated?: Schema
  readonly uniqueItems: boolean
  readonly minItems?: number
  readonly maxItems?: number
  readonly minContains?: number
  readonly maxContains?: number
}

/** A `$ref`; what it refers to may lead back to it. */
export interface ReferenceSchema extends Annotations {
  readonly kind: 'reference'
  readonly target: Schema
}

export type Schema =
  | EmptySchema
  | FalseSchema
  | PlainSchema
  | StringSchema
  | NumberSchema
  | EnumSchema
  | ConstSchema
  | NotSchema
  | CombinedSchema
  | ObjectSchema
  | ArraySchema
  | ReferenceSchema
