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

/** Whether a converter's answer is still to come. */
export function isPending<T>(answer: T | Promise<T>): answer is Promise<T> {
  return typeof answer === 'object' && answer !== null && 'then' in answer
}
