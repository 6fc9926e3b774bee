import type { Converter } from '@tidewire/sdk'

/** A converter with the name that errors call it by. */
interface NamedConverter {
  readonly name: string
  readonly converter: Converter
}

/** The converters of one task. */
export interface RecordConverters {
  readonly key: NamedConverter
  readonly value: NamedConverter
  readonly header: NamedConverter
}

/**
 * Whether a converter's answer is still to come. It is nobody's then: whoever can wait asks again, and what becomes of the
 * first answer must not count as an error that nobody caught.
 */
export function isPending<T>(answer: T | Promise<T>): answer is Promise<T> {
  if (!(answer instanceof Promise)) return false
  answer.catch(() => undefined)
  return true
}

/** Converts one after the other for as long as answers come at once, else waits for all. */
export function convertEach<T, R, N>(
  items: readonly T[],
  convert: (item: T) => R | Promise<R>,
  name: (converted: R, item: T) => N,
): N[] | Promise<N[]> {
  const named: N[] = []
  for (const item of items) {
    const answer = convert(item)
    if (isPending(answer)) {
      return Promise.all(items.map(async (each) => name(await convert(each), each)))
    }
    named.push(name(answer, item))
  }
  return named
}
