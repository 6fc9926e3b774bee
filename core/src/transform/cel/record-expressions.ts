/** What expressions know of a record's schemas, compiled once for each pair of them. */
import type { ConnectRecord, Schema } from '@tidewire/sdk'
import { perSchema } from '../struct-values.ts'
import { scopeOf, type CelExpression, type Scope } from './cel-expression.ts'
import { variableTypes, type Types } from './cel-schema.ts'
import { compileCompletion } from './complete-structs.ts'

/** Stands for a schema that is not there. */
const none: Schema = { type: 'string', optional: true }

/** The types of the variables of records with these schemas. */
export function typesOf(valueSchema: Schema | undefined, keySchema: Schema | undefined): Types {
  return new Map([...variableTypes, ['value', valueSchema], ['key', keySchema]])
}

/** Compiles once for each pair of schemas. */
export function perRecordSchemas<T>(
  compile: (valueSchema: Schema | undefined, keySchema: Schema | undefined) => T,
): (record: ConnectRecord) => T {
  const given = (schema: Schema): Schema | undefined => (schema === none ? undefined : schema)
  const byValue = perSchema((value) => perSchema((key) => compile(given(value), given(key))))
  return ({ valueSchema = none, keySchema = none }) => byValue(valueSchema)(keySchema)
}

/** Makes the scopes of records for some expressions. */
export function scopeReader(expressions: readonly CelExpression[]): (record: ConnectRecord) => Scope {
  const hasHeaders = expressions.some((each) => each.uses('headers'))
  const completions = perRecordSchemas((valueSchema, keySchema) => ({
    ofValue: valueSchema && compileCompletion(valueSchema),
    ofKey: keySchema && compileCompletion(keySchema),
  }))
  return (record) => {
    const { ofValue, ofKey } = completions(record)
    const value = ofValue === undefined ? record.value : ofValue(record.value)
    const key = ofKey === undefined ? record.key : ofKey(record.key)
    return scopeOf(record, value, key, hasHeaders)
  }
}

/** What is wrong with settings that are expressions. */
export function checkExpressions(
  texts: Readonly<Record<string, string | undefined>>,
  compile: (text: string) => CelExpression,
): Record<string, string> {
  const problems: Record<string, string> = {}
  for (const [setting, text] of Object.entries(texts)) {
    if (text === undefined) continue
    try {
      compile(text)
    } catch (error) {
      problems[setting] = (error as Error).message
    }
  }
  return problems
}
