/** Where the `$ref`s of a schema lead: inside of it, or to the schemas that it refers to by their names. */
import { InvalidSchemaError, type ResolvedReference } from '../schema-format.ts'
import { isJsonObject, parseJson, type Json, type JsonObject } from './json-text.ts'

/** The URI of a schema that does not say its own, as relative references need one to begin with. */
const nameless = 'mem://input/'

/** A schema (or a part of one) with the URI that references in it are relative to, and the text that it is in. */
export interface Place {
  readonly json: Json
  readonly base: string
  readonly root: Json
}

const metaSchema = /^https?:\/\/json-schema\.org\/(draft-0[467]|draft\/(2019-09|2020-12))\/schema#?$/

export class References {
  readonly root: Place
  /** By URI, with the fragment of an anchor. */
  readonly #places = new Map<string, Place>()
  /** By the names as the references have them. */
  readonly #named = new Map<string, Place>()
  readonly #idKeyword: '$id' | 'id'

  constructor(json: Json, references: readonly ResolvedReference[], idKeyword: '$id' | 'id') {
    this.#idKeyword = idKeyword
    const own = isJsonObject(json) ? json.get(idKeyword) : undefined
    const base = typeof own === 'string' ? resolveUri(nameless, own) : nameless
    this.root = { json, base: withoutFragment(base), root: json }
    this.#places.set(nameless, this.root)
    for (const { name, schema } of references) {
      const text = parseJson(schema)
      const uri = withoutFragment(resolveUri(base, name))
      const place = { json: text, base: uri, root: text }
      this.#named.set(name, place)
      this.#places.set(uri, place).set(withoutFragment(resolveUri(nameless, name)), place)
    }
    for (const place of [this.root, ...this.#named.values()]) this.#index(place)
  }

  /**
   * What a reference refers to; `true` for the meta-schemas of the drafts, of which it only matters that nearly every schema
   * is valid by them.
   * @throws InvalidSchemaError where there is nothing
   */
  resolve(reference: string, from: Place): Place {
    const uri = resolveUri(from.base, reference)
    const place = this.#places.get(uri.endsWith('#') ? uri.slice(0, -1) : uri) ?? this.#byPointer(reference, uri, from)
    if (place !== undefined && (isJsonObject(place.json) || typeof place.json === 'boolean')) return place
    if (place === undefined && metaSchema.test(uri)) return { json: true, base: uri, root: true }
    throw new InvalidSchemaError(`Unresolved $ref '${reference}'`)
  }

  /** The base of what stands inside of a place, which may have a URI of its own. */
  within(place: Place, json: Json): Place {
    const id = isJsonObject(json) ? json.get(this.#idKeyword) : undefined
    const isUri = typeof id === 'string' && !id.startsWith('#')
    return { json, base: isUri ? withoutFragment(resolveUri(place.base, id)) : place.base, root: place.root }
  }

  #byPointer(reference: string, uri: string, from: Place): Place | undefined {
    const hash = uri.indexOf('#')
    const pointer = hash < 0 ? '' : uri.slice(hash + 1)
    const name = withoutFragment(reference)
    const start = this.#places.get(withoutFragment(uri)) ?? this.#named.get(name)
    const found = start === undefined ? undefined : this.#follow(start, pointer)
    if (found !== undefined || name !== '') return found
    return this.#follow({ ...from, json: from.root }, pointer)
  }

  #follow(start: Place, pointer: string): Place | undefined {
    let place = start
    if (pointer === '') return place
    if (!pointer.startsWith('/')) return undefined
    for (const token of pointer.slice(1).split('/')) {
      const name = decoded(token).replaceAll('~1', '/').replaceAll('~0', '~')
      const json = step(place, name)
      if (json === undefined) return undefined
      place = this.within(place, json)
    }
    return place
  }

  /** All parts that have a URI or an anchor. */
  #index(start: Place): void {
    const stack: Place[] = [start]
    for (let place = stack.pop(); place !== undefined; place = stack.pop()) {
      const { json } = place
      if (isJsonObject(json)) this.#indexOne(place, json)
      const inner = isJsonObject(json) ? json.values() : Array.isArray(json) ? (json as readonly Json[]) : []
      for (const part of inner) if (typeof part === 'object' && part !== null) stack.push(this.within(place, part))
    }
  }

  #indexOne(place: Place, json: JsonObject): void {
    const id = json.get(this.#idKeyword)
    if (typeof id === 'string') this.#add(id.startsWith('#') ? place.base + id : place.base, place)
    for (const keyword of ['$anchor', '$dynamicAnchor']) {
      const anchor = json.get(keyword)
      if (typeof anchor === 'string') this.#add(`${place.base}#${anchor}`, place)
    }
  }

  #add(uri: string, place: Place): void {
    if (!this.#places.has(uri)) this.#places.set(uri, place)
  }
}

/** A top-level `#/$defs/X` may be written in `definitions`. */
function step({ json, root }: Place, name: string): Json | undefined {
  if (Array.isArray(json)) return /^\d+$/.test(name) ? (json as readonly Json[])[Number(name)] : undefined
  if (!isJsonObject(json)) return undefined
  if (name !== '$defs' || json !== root) return json.get(name)
  let merged = mergedDefinitions.get(json)
  if (merged === undefined) mergedDefinitions.set(json, (merged = definitionsOf(json)))
  return merged
}

/** Of the schemas that have been looked at: there may be as many references as definitions. */
const mergedDefinitions = new WeakMap<JsonObject, Json | undefined>()

function definitionsOf(json: JsonObject): Json | undefined {
  const definitions = json.get('definitions')
  const own = json.get('$defs')
  if (!isJsonObject(definitions)) return own
  return new Map([...definitions, ...(isJsonObject(own) ? own : [])])
}

function resolveUri(base: string, reference: string): string {
  if (reference.startsWith('#')) return withoutFragment(base) + reference
  return URL.parse(reference, base)?.href ?? reference
}

function withoutFragment(uri: string): string {
  const hash = uri.indexOf('#')
  return hash < 0 ? uri : uri.slice(0, hash)
}

function decoded(token: string): string {
  try {
    return decodeURIComponent(token)
  } catch {
    return token
  }
}
