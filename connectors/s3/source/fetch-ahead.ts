import type { ReadableObject } from '../formats/index.ts'
import type { Bucket } from './bucket.ts'
import type { FoundObject } from './object-names.ts'
import type { Work } from './work.ts'

/** Up to that size objects are fetched ahead: what takes long with small ones is to ask for them. */
const smallBytes = 256 * 1024
/** How many works ahead. With the size, that bounds the memory. */
export const worksAhead = 8

/** Small objects, asked for before it is their turn. */
export class FetchAhead {
  readonly #bucket: Bucket
  readonly #fetched = new Map<FoundObject, Promise<Uint8Array>>()

  constructor(bucket: Bucket) {
    this.#bucket = bucket
  }

  /** Asks for the objects of what is to be read next; what else was asked for is given up. */
  begin(works: readonly Work[]): void {
    const objects = works.flatMap(({ family: { value, keys, headers } }) =>
      [value, keys, headers].flatMap((part) => (part === undefined ? [] : [part.object])),
    )
    const wanted = new Set(objects.filter(({ size }) => size <= smallBytes))
    for (const object of this.#fetched.keys()) if (!wanted.has(object)) this.#fetched.delete(object)
    for (const object of wanted) {
      if (this.#fetched.has(object)) continue
      const fetching = this.#fetch(object)
      // Its failure is told when it is read.
      fetching.catch(() => undefined)
      this.#fetched.set(object, fetching)
    }
  }

  /** An object, of which all is there already, or is on its way, if it was asked for. */
  open(object: FoundObject): ReadableObject {
    const fetching = this.#fetched.get(object)
    if (fetching === undefined) return this.#bucket.open(object)
    return {
      ...{ name: object.key, size: object.size },
      async *stream() {
        yield await fetching
      },
      range: async (start, end) => (await fetching).subarray(start, end),
    }
  }

  async #fetch(object: FoundObject): Promise<Uint8Array> {
    return this.#bucket.open(object).range(0, object.size)
  }
}
