/** What registries say of themselves in their group: in the words of the Confluent registry, so that both can be in one. */
import { errors } from './registry-error.ts'

export interface RegistryIdentity {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  /** `leader.eligibility` */
  readonly eligible: boolean
  /** What it signs with when it speaks for who has asked it; Confluent's registries have none. */
  readonly key?: string | undefined
}

export interface RegistryMember {
  readonly memberId: string
  readonly metadata: Buffer
}

/** Who leads, as the member that the group has chosen for it has decided. */
export interface Assignment {
  /** Undefined: none of the members may lead. */
  readonly leader: { readonly memberId: string; readonly url: string; readonly key: string | undefined } | undefined
  /** Two members go by one address: what is forwarded would get lost. */
  readonly isAmbiguous: boolean
  /** Of all members; none where the member that has decided knows nothing of keys. */
  readonly keys: ReadonlySet<string>
}

interface IdentityJson {
  readonly version: number
  readonly host: string
  readonly port: number
  readonly master_eligibility: boolean
  readonly scheme?: string
  readonly leader?: boolean
  /** Ours alone: Confluent's passes over names that it does not know. */
  readonly tidewire_key?: string
}

interface AssignmentJson {
  readonly version: number
  readonly error: number
  readonly master?: string | null
  readonly master_identity?: IdentityJson | null
  readonly tidewire_keys?: readonly string[]
}

const VERSION = 1
const DUPLICATE_URLS = 1

export function encodeIdentity({ scheme, host, port, eligible, key }: RegistryIdentity, leads: boolean): Buffer {
  const json: IdentityJson = { version: VERSION, host, port, master_eligibility: eligible, scheme, leader: leads }
  return Buffer.from(JSON.stringify(key === undefined ? json : { ...json, tidewire_key: key }))
}

function urlOf({ scheme, host, port }: Pick<RegistryIdentity, 'scheme' | 'host' | 'port'>): string {
  return `${scheme}://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`
}

/** Who leads stays the leader; else it is the one whose address comes first. */
export function chooseLeader(members: readonly RegistryMember[]): Buffer {
  const known = members.map(({ memberId, metadata }) => {
    const json = JSON.parse(metadata.toString()) as IdentityJson
    return { memberId, json, url: urlOfJson(json) }
  })
  const eligible = known
    .filter(({ json }) => json.master_eligibility)
    .sort((one, other) => (one.url < other.url ? -1 : 1))
  const leading = eligible.filter(({ json }) => json.leader === true)
  const leader = leading.length === 1 ? leading[0] : eligible[0]
  const error = new Set(known.map(({ url }) => url)).size < known.length ? DUPLICATE_URLS : 0
  const chosen = leader && { master: leader.memberId, master_identity: leader.json }
  const keys = known.flatMap(({ json }) => json.tidewire_key ?? [])
  return Buffer.from(
    JSON.stringify({ version: VERSION, error, ...chosen, tidewire_keys: keys } satisfies AssignmentJson),
  )
}

/** @throws Error where it is none */
export function parseAssignment(assignment: Buffer): Assignment {
  const json = JSON.parse(assignment.toString()) as AssignmentJson
  const { error, master, master_identity: identity, tidewire_keys: keys } = json
  const leader =
    master && identity ? { memberId: master, url: urlOfJson(identity), key: identity.tidewire_key } : undefined
  return { leader, isAmbiguous: error === DUPLICATE_URLS, keys: new Set(keys) }
}

function urlOfJson({ scheme, host, port }: IdentityJson): string {
  return urlOf({ scheme: scheme === 'https' ? 'https' : 'http', host, port })
}

/** Something was to be written, and this registry does not lead (any more). */
export class NotLeadingError extends Error {
  override readonly name = 'NotLeadingError'

  constructor() {
    super(errors.leaderUnknown().message)
  }
}
