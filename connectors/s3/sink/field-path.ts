import { DataError, type Schema } from '@tidewire/sdk'

/** What is found at a path; a value without a schema has none. */
export interface Found {
  readonly value: unknown
  readonly schema: Schema | undefined
}

/** Reads a field of a value, in structs and maps within it by a path with dots: `order.customer.id`. */
export class FieldPath {
  readonly #name: string
  readonly #steps: readonly string[]

  constructor(name: string) {
    this.#name = name
    this.#steps = name.split('.')
  }

  /** @throws DataError where the value has no such field; a struct on the way that is null makes the field null */
  read(value: unknown, schema: Schema | undefined): Found {
    let found: Found = { value, schema }
    for (const step of this.#steps) {
      found = schema === undefined ? this.#schemaless(found, step) : this.#inStruct(found, step)
      if (found.value === null || found.value === undefined) return { ...found, value: null }
    }
    return found
  }

  #inStruct({ value, schema }: Found, step: string): Found {
    const field = schema?.type === 'struct' ? schema.fields?.find(({ name }) => name === step) : undefined
    if (field === undefined) throw new DataError(`the value's schema has no field "${this.#name}"`)
    return { value: (value as Readonly<Record<string, unknown>>)[step], schema: field.schema }
  }

  #schemaless({ value }: Found, step: string): Found {
    if (value instanceof Map) {
      if (value.has(step)) return { value: value.get(step) as unknown, schema: undefined }
    } else if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, step)) {
      return { value: (value as Readonly<Record<string, unknown>>)[step], schema: undefined }
    }
    throw new DataError(`the value has no field "${this.#name}"`)
  }
}
