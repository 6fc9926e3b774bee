import { expect, test } from 'vitest'
import { ActiveTopics } from './active-topics.ts'

test('each topic is told once, and again after it was forgotten', () => {
  const told: string[] = []
  const topics = new ActiveTopics((topic) => told.push(topic))
  for (const topic of ['a', 'b', 'a']) topics.note(topic)
  expect(told).toEqual(['a', 'b'])
  topics.forget()
  topics.note('a')
  expect(told).toEqual(['a', 'b', 'a'])
})

test('nobody need be told', () => {
  const topics = new ActiveTopics()
  topics.note('a')
  topics.forget()
})
