import { ConfigError, ConnectError, RetriableError } from '@tidewire/sdk'

/** Codes of the errors that {@link problemOf} gives; any other is `PG_` with the SQLSTATE, or `PG_ERROR`. */
export const codes = {
  loginRefused: 'PG_LOGIN_REFUSED',
  noDatabase: 'PG_NO_DATABASE',
  privilegeMissing: 'PG_PRIVILEGE_MISSING',
  unreachable: 'PG_UNREACHABLE',
  tls: 'PG_TLS',
  /** Another session holds the slot. */
  slotActive: 'PG_SLOT_ACTIVE',
  /** The slot cannot give all changes since its position any more: a new slot and a new snapshot are needed. */
  slotLost: 'PG_SLOT_LOST',
  slotMissing: 'PG_SLOT_MISSING',
  publicationMissing: 'PG_PUBLICATION_MISSING',
  serverSetting: 'PG_SERVER_SETTING',
  /** It may be promoted. */
  serverStandby: 'PG_SERVER_STANDBY',
} as const

/** The way out of a lost slot, in the words of every message that tells of one. */
export const snapshotAgain =
  'Changes since the stored position cannot be had from the server any more. To go on with nothing missing, drop the slot ' +
  'if it is still there and start with snapshot.mode=when_needed, which makes a new slot and takes a new snapshot'

/** What the server, the driver or the socket says of a failure. */
interface Reason {
  /** A server's SQLSTATE, or the name that Node gives: `ECONNREFUSED`. Empty where there is none. */
  readonly code: string
  /** The server's function that gave up: unlike the message, it is never translated. */
  readonly routine: string
  readonly message: string
  /** What a person needs of message, detail and hint. */
  readonly text: string
}

/** Gives the error to throw; `said` is what was done, and what was said of it. */
type Verdict = (said: string, reason: Reason, cause: unknown) => ConnectError

/**
 * The SDK's error for what `pg`, its socket or the server threw: RetriableError where it may pass by itself,
 * ConfigError where somebody has to change something, and which thing. What is a ConnectError already is given back.
 * `what` says what was being done, as in `reading the publication "p"`.
 */
export function problemOf(error: unknown, what: string): ConnectError {
  if (error instanceof ConnectError) return error
  const reason = reasonOf(error)
  const subject = `${reason.code} ${reason.routine}: ${reason.message}`
  const verdict = bySubject.find(([pattern]) => pattern.test(subject))?.[1] ?? verdictOfCode(reason.code)
  return verdict(`${what}: ${reason.text}`, reason, error)
}

/** The SQLSTATE of a server's error; undefined for any other. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code } = reasonOf(error)
  return isSqlState(code) ? code : undefined
}

function retry(advice = '', code?: string): Verdict {
  return (said, reason, cause) =>
    new RetriableError(sentence(said, advice), {
      code: code ?? (isSqlState(reason.code) ? `PG_${reason.code}` : codes.unreachable),
      cause,
    })
}

function permanent(code: string, advice: string | ((reason: Reason) => string)): Verdict {
  return (said, reason, cause) =>
    new ConfigError(sentence(said, typeof advice === 'string' ? advice : advice(reason)), { code, cause })
}

const unexpected: Verdict = (said, reason, cause) =>
  new ConnectError(said, { code: isSqlState(reason.code) ? `PG_${reason.code}` : 'PG_ERROR', cause })

/** Where one code stands for several things. Matched against `SQLSTATE routine: message`. */
const bySubject: readonly (readonly [RegExp, Verdict])[] = [
  [
    /^58P01 (WalSndSegmentOpen|wal_segment_open)|requested WAL segment .* removed/,
    permanent(codes.slotLost, snapshotAgain),
  ],
  [
    /^55000 (CheckLogicalDecodingRequirements)|logical decoding requires .*wal_level/,
    permanent(codes.serverSetting, 'Set wal_level=logical on the server and restart it'),
  ],
  [
    /^55000 (StartLogicalReplication|CreateDecodingContext|ReplicationSlotAcquire|RaiseSlotInvalidationError)/,
    permanent(codes.slotLost, snapshotAgain),
  ],
  [/^42704 (ReplicationSlotAcquire|SearchNamedReplicationSlot)/, permanent(codes.slotMissing, snapshotAgain)],
  [
    /^(42704 (get_publication_oid|GetPublicationByName)|55000 LoadPublications)/,
    permanent(
      codes.publicationMissing,
      "Create it, or let publication.autocreate.mode do so. A slot sees the catalog as it was at the slot's position: for " +
        'a publication made after that, by hand or anew, the slot has to be made anew too',
    ),
  ],
  [
    /^53400 ReplicationSlotCreate/,
    permanent(
      codes.serverSetting,
      'Drop a slot that nobody needs, or raise max_replication_slots and restart the server',
    ),
  ],
  [
    /^53300 InitWalSnd|max_wal_senders/,
    retry('Unless a connection that is about to end holds the place, raise max_wal_senders and restart the server'),
  ],
  [
    /^(0A000|55000) .*while in recovery/,
    retry('This server is a standby: connect to the primary if it stays so', codes.serverStandby),
  ],
  [
    /: The server does not support SSL connections/,
    permanent(codes.tls, 'Set ssl=on at the server, or sslmode to prefer or disable'),
  ],
  [/: SASL/, permanent(codes.loginRefused, 'Check user and password')],
  [
    /^ : (Connection terminated|timeout expired|Query read timeout|Client (has encountered|was closed)|There was an error establishing an SSL)/,
    retry(),
  ],
]

const bySqlState: Readonly<Record<string, Verdict>> = {
  '28P01': permanent(codes.loginRefused, 'Check user and password'),
  '3D000': permanent(codes.noDatabase, 'Check the name of the database'),
  '42501': permanent(codes.privilegeMissing, missingPrivilege),
  '55006': retry('', codes.slotActive),
  '25006': retry(
    'The server takes no writes: it is a standby, or has become one. Connect to the primary if it stays so',
  ),
  '53400': permanent(codes.serverSetting, 'A limit of the server is reached, which its administrator can raise'),
  '40001': retry(),
  '40P01': retry(),
  '55P03': retry('Another session holds a lock on it'),
  '57014': retry('Somebody cancelled the statement, or it took longer than the query timeout'),
  '58030': retry(),
}

const bySqlStateClass: Readonly<Record<string, Verdict>> = {
  '08': retry(),
  '28': permanent(codes.loginRefused, "Check user, password, sslmode and the server's pg_hba.conf"),
  // Out of connections, memory or disk.
  '53': retry(),
  // Shut down, crashed, starting up, or told to end this session.
  '57': retry(),
}

const tlsCodes =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|EPROTO$|CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA)/

function verdictOfCode(code: string): Verdict {
  if (isSqlState(code)) return bySqlState[code] ?? bySqlStateClass[code.slice(0, 2)] ?? unexpected
  if (tlsCodes.test(code)) {
    return permanent(codes.tls, 'Check sslmode, and that the root certificate file holds the authority of the server')
  }
  return /^E[A-Z]+(_[A-Z]+)?$/.test(code) ? retry('Check host and port if it stays so') : unexpected
}

/** Which command gives what is missing, where the server says so in English; what to look for otherwise. */
function missingPrivilege({ message }: Reason): string {
  const object = /^permission denied for (\w+) (.+)$/.exec(message)
  const name = object?.[2] ?? ''
  switch (object?.[1]) {
    case 'table':
    case 'view':
      return `Its owner can: GRANT SELECT ON ${name} TO this user (a sink needs INSERT, UPDATE and DELETE as well)`
    case 'sequence':
      return `Its owner can: GRANT USAGE ON SEQUENCE ${name} TO this user`
    case 'schema':
      return `Its owner can: GRANT USAGE ON SCHEMA ${name} TO this user (a sink that makes tables needs CREATE as well)`
    case 'database':
      return `Its owner can: GRANT CREATE ON DATABASE ${name} TO this user, or make the publication and set publication.autocreate.mode=disabled`
    default:
  }
  if (/FOR ALL TABLES|FOR TABLES IN SCHEMA/.test(message)) {
    return 'Have a superuser create the publication, or set publication.autocreate.mode=filtered'
  }
  if (message.startsWith('must be owner of')) {
    return 'Make this user a member of the role that owns it, or have its owner do what was tried'
  }
  if (/replication|walsender|WAL sender/i.test(message)) {
    return 'A superuser can: ALTER ROLE this user REPLICATION (on Amazon RDS: GRANT rds_replication TO this user)'
  }
  return 'Have an administrator grant this user what it lacks'
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E')
}

function reasonOf(error: unknown): Reason {
  if (!(error instanceof Error)) return { code: '', routine: '', message: String(error), text: String(error) }
  const fields = error as Error & { code?: unknown; routine?: unknown; detail?: unknown; hint?: unknown }
  const code = typeof fields.code === 'string' ? fields.code : ''
  const routine = typeof fields.routine === 'string' ? fields.routine : ''
  const message = messageOf(error)
  // Details of refused data (classes 22 and 23) quote the data.
  const further = /^2[23]/.test(code) ? [] : [fields.detail, fields.hint].filter((part) => typeof part === 'string')
  return { code, routine, message, text: [message, ...further].map((part) => part.replace(/\.$/, '')).join('. ') }
}

function messageOf(error: Error): string {
  // Where a name has several addresses and none answers, only the parts have a message.
  if (error.message === '' && error instanceof AggregateError) {
    return error.errors.map((part) => (part instanceof Error ? part.message : String(part))).join('; ')
  }
  return error.message
}

function sentence(said: string, advice: string): string {
  return advice === '' ? said : `${said}. ${advice}`
}
