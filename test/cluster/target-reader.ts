import { join } from 'node:path'
import { LineFollower } from './line-follower.ts'
import type { SequenceJudge } from './sequence-judge.ts'

/** Follows what the checked sinks have written: lines of `offset value writer`, a file for each topic partition. */
export class TargetReader {
  readonly #judge: SequenceJudge
  readonly #files: readonly { readonly name: string; readonly follower: LineFollower }[]

  constructor(folder: string, topic: string, partitions: number, judge: SequenceJudge) {
    this.#judge = judge
    this.#files = Array.from({ length: partitions }, (_, partition) => {
      const name = `${topic}-${partition}`
      return { name, follower: new LineFollower(join(folder, name)) }
    })
  }

  async look(): Promise<void> {
    for (const { name, follower } of this.#files) {
      for (const line of await follower.next()) {
        const [offset, value = '', writer = ''] = line.split(' ')
        this.#judge.take(value, writer, `${name}@${offset}`)
      }
    }
  }
}
