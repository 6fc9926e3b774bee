import { expect, test } from 'vitest'
import { CelExpression, scopeOf } from './cel-expression.ts'

test.each(['{"x": 1}[value.text]', 'decimal(value.text)', 'value.text.matches(value.text)'])(
  '%s: what is said of a long value is short',
  (text) => {
    const value = { text: 'x('.repeat(1_000_000) }
    const expression = new CelExpression(text)
    let message = ''
    try {
      expression.evaluate(scopeOf({ topic: 't', value }, value, null, false))
    } catch (error) {
      message = (error as Error).message
    }
    expect(message).toContain(`expression ${text}: `)
    expect(message.length).toBeLessThan(300)
  },
)

test('a variable that there is not: those that there are', () => {
  expect(() => new CelExpression('temperature > 20')).toThrow(
    'expression temperature > 20: Unknown variable: temperature; there are value, key, headers, topic, partition, offset, timestamp',
  )
})
