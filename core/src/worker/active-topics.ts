/** The topics that one task has produced to or consumed from, each told once (KIP-558). */
export class ActiveTopics {
  readonly #tell: ((topic: string) => void) | undefined
  readonly #told = new Set<string>()

  /** @param tell left out: nobody wants to know (`topic.tracking.enable=false`, previews) */
  constructor(tell?: (topic: string) => void) {
    this.#tell = tell
  }

  /** To be called once for each batch and topic. */
  note(topic: string): void {
    if (this.#tell === undefined || this.#told.has(topic)) return
    this.#told.add(topic)
    this.#tell(topic)
  }

  /** Topics are told again when they are next used: somebody reset what is known of them. */
  forget(): void {
    this.#told.clear()
  }
}
