import { expect, test } from 'vitest'
import { Output, stateStyle, type OutputStream } from './output.ts'

interface Recorded extends OutputStream {
  text: string
}

function stream(isTTY: boolean): Recorded {
  return {
    text: '',
    isTTY,
    columns: 80,
    once: () => undefined,
    write(text) {
      this.text += text
      return true
    },
  }
}

const rows = [['a', 'FAILED']]
const show = async (out: Output) =>
  out.show([{ name: 'a', state: 'FAILED' }], () => out.table(['NAME', 'STATE'], rows, { STATE: stateStyle }))

test('a table on a terminal has colours, elsewhere and with NO_COLOR none', async () => {
  const terminal = stream(true)
  await show(new Output({ format: 'table', stdout: terminal, env: {} }))
  expect(terminal.text).toContain('\u001b[31mFAILED')
  for (const [isTTY, env] of [
    [false, {}],
    [true, { NO_COLOR: '1' }],
    [true, { TERM: 'dumb' }],
  ] as const) {
    const plain = stream(isTTY)
    await show(new Output({ format: 'table', stdout: plain, env }))
    expect(plain.text).toBe('NAME  STATE\na     FAILED\n')
  }
})

test('JSON is JSON, on a terminal too: whole, or a line for each item', async () => {
  const terminal = stream(true)
  const out = new Output({ format: 'json', stdout: terminal, env: {} })
  await show(out)
  expect(JSON.parse(terminal.text)).toEqual([{ name: 'a', state: 'FAILED' }])
  terminal.text = ''
  await out.item({ a: 1 }, () => 'x')
  await out.item({ a: 2 }, () => 'x')
  expect(terminal.text).toBe('{"a":1}\n{"a":2}\n')
})

test('progress is seen on a terminal alone, and is gone before anything else is said', async () => {
  const stdout = stream(true)
  const stderr = stream(true)
  const out = new Output({ format: 'table', stdout, stderr, env: {} })
  out.progress('1 of 2')
  out.progress('2 of\u001b[2J 2')
  out.warn('odd')
  out.settle()
  expect(stderr.text.split('\r\u001b[2K')).toEqual([
    '1 of 2',
    '2 of\\u001b[2J 2',
    'tidewire: odd\n2 of\\u001b[2J 2',
    '',
  ])

  const file = stream(false)
  const quiet = new Output({ format: 'table', stdout, stderr: file, env: {} })
  quiet.progress('1 of 2')
  quiet.warn('odd')
  expect(file.text).toBe('tidewire: odd\n')
})

test('a slow reader is waited for', async () => {
  let drained: (() => void) | undefined
  const slow: OutputStream = { write: () => false, once: (_, listener) => (drained = listener) }
  let done = false
  const writing = new Output({ format: 'table', stdout: slow, env: {} }).line('x').then(() => (done = true))
  await Promise.resolve()
  expect(done).toBe(false)
  drained!()
  await writing
})
