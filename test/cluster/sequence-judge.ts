/** Judges sequences by what arrived of them: nothing missing, nothing doubled, nobody who writes after his successor. */

/** `once`: every record once, in order. `often`: a record may come again, but none is left out. */
export type Delivery = 'once' | 'often'

interface Sequence {
  next: number
  writer: string | undefined
  readonly earlierWriters: Set<string>
}

/** One place where sequences arrive: a topic, or the target of a sink. */
export class SequenceJudge {
  readonly violations: string[] = []
  /** Records that came again, where they may. */
  repeated = 0
  readonly #where: string
  readonly #promise: Delivery
  readonly #mayWriteLate: (instance: string) => boolean
  readonly #sequences = new Map<string, Sequence>()

  /** @param mayWriteLate whether this instance may write something after its successor has */
  constructor(where: string, promise: Delivery, mayWriteLate: (instance: string) => boolean = () => false) {
    this.#where = where
    this.#promise = promise
    this.#mayWriteLate = mayWriteLate
  }

  /** What has arrived, by sequence: how many records without a gap. */
  get progress(): ReadonlyMap<string, number> {
    return new Map([...this.#sequences].map(([name, { next }]) => [name, next]))
  }

  /** @param value `sequence:number`, as the counted source makes it */
  take(value: string, instance: string, at: string): void {
    const [name = '', text] = value.split(':')
    const number = Number(text)
    let sequence = this.#sequences.get(name)
    if (sequence === undefined) {
      sequence = { next: 0, writer: undefined, earlierWriters: new Set() }
      this.#sequences.set(name, sequence)
    }
    if (number > sequence.next) this.#report(`${sequence.next} to ${number - 1} are missing`, value, instance, at)
    else if (number < sequence.next) {
      if (this.#promise === 'once') this.#report('came again', value, instance, at)
      this.repeated++
    }
    sequence.next = Math.max(sequence.next, number + 1)
    if (sequence.writer === instance) return
    if (sequence.earlierWriters.has(instance)) {
      if (!this.#mayWriteLate(instance))
        this.#report(`was written after ${sequence.writer} had begun`, value, instance, at)
      return
    }
    if (sequence.writer !== undefined) sequence.earlierWriters.add(sequence.writer)
    sequence.writer = instance
  }

  #report(what: string, value: string, instance: string, at: string): void {
    this.violations.push(`${this.#where}: ${value} by ${instance} at ${at}: ${what}`)
  }
}
