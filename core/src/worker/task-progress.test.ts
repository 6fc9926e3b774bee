import { describe, expect, test } from 'vitest'
import { parseProgress, ProgressNews } from './task-progress.ts'

const as = (text: string): string => text

describe('what a task says of how it gets on', () => {
  test('is told once, as it was said last', () => {
    const news = new ProgressNews()
    expect(news.take(as)).toBeUndefined()
    news.tell({ text: 'one', figures: { rows_done: 1 } })
    news.tell({ text: 'two', figures: { rows_done: 2 } })
    expect(news.take(as)).toMatchObject({ text: 'two', figures: { rows_done: 2 } })
    expect(news.take(as)).toBeUndefined()
    news.tell({ text: 'two', figures: { rows_done: 2 } })
    expect(news.take(as)).toBeUndefined()
    news.tell({ text: 'two', figures: { rows_done: 2, lag_bytes: 0 } })
    expect(news.take(as)).toMatchObject({ figures: { rows_done: 2, lag_bytes: 0 } })
  })

  test('is bounded, and without secrets', () => {
    const news = new ProgressNews()
    const figures = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`figure_${i}`, i]))
    news.tell({ text: `hunter2\n ${'x'.repeat(400)}`, figures: { 'not a name': 1, nothing: NaN, Big: 1, ...figures } })
    const told = news.take((text) => text.replace('hunter2', '***'))!
    expect(told.text).toMatch(/^\*\*\* x+…$/)
    expect(told.text.length).toBeLessThanOrEqual(300)
    expect(Object.keys(told.figures)).toHaveLength(50)
    expect(told.figures).not.toHaveProperty('nothing')
    expect(told.figures).not.toHaveProperty('Big')
  })

  test('may come from plain JavaScript', () => {
    const news = new ProgressNews()
    news.tell({} as never)
    expect(news.take(as)).toMatchObject({ text: '', figures: {} })
  })

  test('is read as it was written, and what is none is not taken', () => {
    const shown = { text: 'x', figures: { a: 1 }, at: '2026-01-01T00:00:00.000Z' }
    expect(parseProgress(JSON.parse(JSON.stringify(shown)))).toEqual(shown)
    for (const other of [undefined, null, 7, 'x', { text: 'x' }, { ...shown, figures: 3 }, { ...shown, at: 1 }]) {
      expect(parseProgress(other)).toBeUndefined()
    }
    expect(parseProgress({ ...shown, figures: { a: 'many' } })).toEqual({ ...shown, figures: {} })
  })
})
