/** Debezium's transforms with a script: here the script is an expression in CEL, as everywhere. */
import {
  DataError,
  changed,
  defineConfig,
  defineTransform,
  type ConnectRecord,
  type Setting,
  type Transform,
} from '@tidewire/sdk'
import { CelExpression } from './cel/cel-expression.ts'
import { checkExpressions, scopeReader } from './cel/record-expressions.ts'
import { JavaRegex } from './java-regex.ts'
import { memoByTopic } from './topic-memo.ts'

const shared = {
  language: {
    type: 'string',
    required: true,
    importance: 'high',
    doc: "The language of the expression: `cel`. Debezium's are scripts of the Java virtual machine, which there is none of here.",
  },
  'topic.regex': {
    type: 'string',
    importance: 'low',
    doc: 'What a topic must match as a whole for its records to be looked at; the others pass. Left out: all.',
  },
  'null.handling.mode': {
    type: 'string',
    enum: ['keep', 'drop', 'evaluate'],
    default: 'keep',
    importance: 'low',
    doc: 'What becomes of records without a value: they pass, are dropped, or are looked at like the others.',
  },
} as const satisfies Record<string, Setting>

interface Shared {
  readonly language: string
  readonly 'topic.regex': string | undefined
  readonly 'null.handling.mode': 'keep' | 'drop' | 'evaluate'
}

function checkShared(settings: Shared, setting: string, text: string): Record<string, string> {
  const { language, 'topic.regex': regex } = settings
  const problems: Record<string, string> = {}
  if (language.toLowerCase() !== 'cel') {
    problems['language'] =
      `${language} does not run here: set language to cel and write ${setting} in CEL, ` +
      `such as value.op == 'u' && value.before.id == 2 (docs/transforms.md)`
  } else
    Object.assign(
      problems,
      checkExpressions({ [setting]: text }, (each) => new CelExpression(each)),
    )
  try {
    patternOf(regex)
  } catch (error) {
    problems['topic.regex'] = (error as Error).message
  }
  return problems
}

/** @throws RangeError */
function patternOf(regex: string | undefined): JavaRegex | undefined {
  return regex === undefined ? undefined : new JavaRegex(regex)
}

/** Applies what an expression gives to the records that are to be looked at. */
function byExpression(
  settings: Shared,
  text: string,
  decide: <R extends ConnectRecord>(record: R, result: unknown) => R | null,
): Transform {
  const { 'topic.regex': regex, 'null.handling.mode': nullHandling } = settings
  const expression = new CelExpression(text)
  const readScope = scopeReader([expression])
  const pattern = patternOf(regex)
  const isMeant = memoByTopic((topic) => pattern?.matches(topic) ?? true)
  return {
    apply<R extends ConnectRecord>(record: R): R | null {
      if (!isMeant(record.topic)) return record
      if (nullHandling !== 'evaluate' && (record.value === null || record.value === undefined)) {
        return nullHandling === 'keep' ? record : null
      }
      return decide(record, expression.evaluate(readScope(record)))
    },
  }
}

const routerConfig = defineConfig({
  'topic.expression': {
    type: 'string',
    required: true,
    importance: 'high',
    doc: 'An expression that gives the topic that the record goes to; null: the one that it has.',
  },
  ...shared,
})

export const contentBasedRouter = defineTransform({
  name: 'content-based-router',
  aliases: ['io.debezium.transforms.ContentBasedRouter'],
  doc: 'Sends records to the topic that an expression gives.',
  config: routerConfig,
  check: (settings) => checkShared(settings, 'topic.expression', settings['topic.expression']),
  create: (settings) =>
    byExpression(settings, settings['topic.expression'], (record, topic) => {
      if (topic === null) return record
      if (typeof topic !== 'string' || topic === '') throw new DataError('topic.expression gives no text')
      return changed(record, { topic })
    }),
})

const filterConfig = defineConfig({
  condition: {
    type: 'string',
    required: true,
    importance: 'high',
    doc: 'An expression: records for which it is true are kept, the others dropped.',
  },
  ...shared,
})

export const expressionFilter = defineTransform({
  name: 'expression-filter',
  aliases: ['io.debezium.transforms.Filter'],
  doc: 'Keeps the records for which an expression is true.',
  config: filterConfig,
  check: (settings) => checkShared(settings, 'condition', settings.condition),
  create: (settings) =>
    byExpression(settings, settings.condition, (record, isKept) => {
      if (typeof isKept !== 'boolean') throw new DataError('condition gives no true or false')
      return isKept ? record : null
    }),
})
