/** Follows a topic from the outside with kcat: what a consumer that reads committed records gets, and nothing else. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { SequenceJudge } from './sequence-judge.ts'

export class TopicReader {
  readonly #judge: SequenceJudge
  readonly #topic: string
  readonly #kcat: ChildProcess
  #rest = ''
  #complaints = ''

  /** Reads from the beginning, through restarts of the log too. */
  constructor(address: string, topic: string, judge: SequenceJudge) {
    this.#judge = judge
    this.#topic = topic
    const settings = ['isolation.level=read_committed', 'reconnect.backoff.max.ms=500', 'auto.offset.reset=error']
    this.#kcat = spawn(
      'kcat',
      [
        ...['-b', address, '-C', '-t', topic, '-o', 'beginning', '-u', '-q', '-E', '-f', '%p %o %s %h\n'],
        ...settings.flatMap((setting) => ['-X', setting]),
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    this.#kcat.stdout!.setEncoding('utf8').on('data', (text: string) => this.#take(text))
    this.#kcat.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#complaints = text))
  }

  /** @throws Error where it reads no longer */
  async look(): Promise<void> {
    if (this.#hasEnded) throw new Error(`kcat reads ${this.#topic} no longer: ${this.#complaints}`)
  }

  async close(): Promise<void> {
    if (this.#hasEnded) return
    this.#kcat.kill('SIGKILL')
    await once(this.#kcat, 'exit')
  }

  get #hasEnded(): boolean {
    return this.#kcat.exitCode !== null || this.#kcat.signalCode !== null
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const [partition = '', offset = '', value = '', headers = ''] = line.split(' ')
      this.#judge.take(value, headers.replace(/^instance=/, ''), `${this.#topic}-${partition}@${offset}`)
    }
  }
}
