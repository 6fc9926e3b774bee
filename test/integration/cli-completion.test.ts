/** What the scripts of `tidewire completion` do in the shells that they are for, each installed as `--help` says. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missingProgram } from '../support/programs.ts'
import { runTidewire } from '../support/tidewire.ts'

const run = promisify(execFile)
const entry = resolve(import.meta.dirname, '../../core/src/main/tidewire.mjs')

let home: string
let worker: Server
let env: Record<string, string>

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'completion-'))
  worker = createServer((_, response) => response.end('["orders","two words","urn:a:1"]')).listen(0, '127.0.0.1')
  await once(worker, 'listening')
  await mkdir(join(home, 'bin'))
  await writeFile(join(home, 'bin/tidewire'), `#!/bin/sh\nexec '${process.execPath}' '${entry}' "$@"\n`)
  await chmod(join(home, 'bin/tidewire'), 0o755)
  await writeFile(join(home, 'in the folder.json'), '')
  env = {
    ...(process.env as Record<string, string>),
    HOME: home,
    ZDOTDIR: home,
    XDG_CONFIG_HOME: join(home, '.config'),
    TERM: 'xterm',
    PATH: [join(home, 'bin'), process.env['PATH']].join(delimiter),
  }
})
afterAll(async () => {
  worker.close()
  await rm(home, { recursive: true, force: true })
})

async function install(shell: string, path: string): Promise<void> {
  const { stdout } = await runTidewire(['completion', shell])
  await mkdir(dirname(join(home, path)), { recursive: true })
  await writeFile(join(home, path), stdout)
}

/** In each of the shells: what is typed, and what the line is after Tab. `URL` is a worker's. */
const lines: readonly (readonly [typed: string, completed: string])[] = [
  ['tidewire conn', 'tidewire connector'],
  ['tidewire connector resta', 'tidewire connector restart'],
  ['tidewire topic tail --fol', 'tidewire topic tail --follow'],
  ['tidewire topic tail -o js', 'tidewire topic tail -o json'],
  ['tidewire completion fi', 'tidewire completion fish'],
  ['tidewire connector describe --url URL or', 'tidewire connector describe --url URL orders'],
  ['tidewire connector pause --url URL orders tw', 'tidewire connector pause --url URL orders two\\ words'],
  ['tidewire connector create in', 'tidewire connector create in\\ the\\ folder.json'],
  ['tidewire connector stop --url URL urn:a', 'tidewire connector stop --url URL urn:a:1'],
]
const url = (): string => `http://127.0.0.1:${(worker.address() as AddressInfo).port}`
const withUrl = (line: string): string => line.replace('URL', url())

const noBash = await missingProgram(['bash', '--version'], ['python3', '--version'])
describe.skipIf(noBash !== undefined)(`bash${noBash === undefined ? '' : ` (${noBash})`}`, () => {
  beforeAll(async () => install('bash', '.bashrc'))

  test.each(lines)('%s', async (typed, completed) => {
    // Typed into an interactive shell, with a key that tells what the line has become.
    const script = `
import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp('bash', ['bash', '--rcfile', os.environ['HOME'] + '/.bashrc', '-i'])
os.write(fd, b"tell() { printf '<<%s>>' \\"$READLINE_LINE\\"; }; bind -x '\\"\\\\C-g\\": tell'; echo be''gun\\n")
seen = b''
while b'begun' not in seen: seen += os.read(fd, 65536)
seen = b''
os.write(fd, sys.argv[1].encode() + b'\\t\\x07')
while b'>>' not in seen: seen += os.read(fd, 65536)
print(seen.decode().split('<<')[1].split('>>')[0])
os.kill(pid, 9)
`
    const { stdout } = await run('python3', ['-c', script, withUrl(typed)], { env, cwd: home, timeout: 60_000 })
    expect(stdout.trim()).toBe(withUrl(completed))
  })
})

const noZsh = await missingProgram(['zsh', '--version'])
describe.skipIf(noZsh !== undefined)(`zsh${noZsh === undefined ? '' : ` (${noZsh})`}`, () => {
  beforeAll(async () => install('zsh', '.zfunc/_tidewire'))

  test.each(lines)('%s', async (typed, completed) => {
    const setUp = `fpath=(~/.zfunc $fpath); autoload -Uz compinit; compinit -u -D; tell() { print -r -- "<<$BUFFER>>" }; zle -N tell; bindkey '^G' tell; print be''gun`
    const script = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "$2"
zpty -r shell seen '*begun*'
zpty -w -n shell "$1"$'\\t\\a'
zpty -r shell seen '*>>*'
print -r -- "$seen"
zpty -d shell
`
    const args = ['-f', '-c', script, 'zsh', withUrl(typed), setUp]
    const { stdout } = await run('zsh', args, { env, cwd: home, timeout: 60_000 })
    expect(/<<(.*)>>/s.exec(stdout)![1]!.trim()).toBe(withUrl(completed))
  })
})

const noFish = await missingProgram(['fish', '--version'])
describe.skipIf(noFish !== undefined)(`fish${noFish === undefined ? '' : ` (${noFish})`}`, () => {
  beforeAll(async () => install('fish', '.config/fish/completions/tidewire.fish'))

  test.each(lines)('%s', async (typed, completed) => {
    const { stdout } = await run('fish', ['-c', 'complete -C $argv[1]', withUrl(typed)], { env, cwd: home })
    // The candidates, with what they are after a tab.
    const last = completed.slice(completed.search(/(\\ |\S)*$/)).replaceAll('\\ ', ' ')
    expect(stdout.split('\n').map((line) => line.split('\t')[0]!.replaceAll('\\ ', ' '))).toContain(last)
  })
})
