import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'

const support = new URL('../support/end-with-test.ts', import.meta.url).href

/** A test process that starts something with its own standard output, and ends. */
const source = (end: string) => `
  import { spawn } from 'node:child_process'
  import { endWithTest } from '${support}'
  const child = spawn('sh', ['-c', 'sleep 600 & echo up; wait'], { stdio: ['ignore', 'inherit', 'ignore'], detached: true })
  endWithTest(child, { detached: true })
  process.stdin.once('data', () => ${end})
`

test.each(['process.exit(0)', 'process.kill(process.pid, "SIGKILL")'])(
  'what a test has started does not outlive its process: %s',
  async (end) => {
    const tester = spawn(process.execPath, ['--input-type=module', '-e', source(end)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const [line] = (await once(tester.stdout.setEncoding('utf8'), 'data')) as [string]
    expect(line).toBe('up\n')
    tester.stdin.write('end\n')
    // The output ends when all who hold it have ended.
    expect(await text(tester.stdout)).toBe('')
  },
)
