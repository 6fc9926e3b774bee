/** What the API answers when it cannot do what it was asked for: the HTTP status, and a code that says more. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  readonly status: number
  /** `error_code` of the answer. */
  readonly code: number

  constructor(status: number, code: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
    this.code = code
  }
}

const notFound = (code: number, message: string): RegistryError => new RegistryError(404, code, message)
const refused = (code: number, message: string): RegistryError => new RegistryError(422, code, message)
const failed = (code: number, message: string, cause?: unknown): RegistryError =>
  new RegistryError(500, code, message, cause === undefined ? undefined : { cause })

/** Codes are those of the Confluent Schema Registry, which clients look at; wording too, where it says what is meant. */
export const errors = {
  subjectNotFound: (subject: string | null) => notFound(40401, `Subject '${subject ?? 'null'}' not found.`),
  versionNotFound: (version: number) => notFound(40402, `Version ${version} not found.`),
  schemaNotFound: (which?: string | number) =>
    notFound(40403, which === undefined ? 'Schema not found' : `Schema ${which} not found`),
  subjectSoftDeleted: (subject: string) =>
    notFound(40404, `Subject '${subject}' was soft deleted. Set permanent=true to delete permanently`),
  subjectNotSoftDeleted: (subject: string) =>
    notFound(40405, `Subject '${subject}' was not deleted first before being permanently deleted`),
  versionSoftDeleted: (subject: string, version: number) =>
    notFound(
      40406,
      `Subject '${subject}' Version ${version} was soft deleted. Set permanent=true to delete permanently`,
    ),
  versionNotSoftDeleted: (subject: string, version: number) =>
    notFound(40407, `Subject '${subject}' Version ${version} was not deleted first before being permanently deleted`),
  noCompatibilityOfItsOwn: (subject: string) =>
    notFound(40408, `Subject '${subject}' does not have subject-level compatibility configured`),
  noModeOfItsOwn: (subject: string) =>
    notFound(40409, `Subject '${subject}' does not have subject-level mode configured`),

  incompatibleSchema: (subject: string, messages: readonly string[]) =>
    new RegistryError(
      409,
      40901,
      `Schema being registered is incompatible with an earlier schema for subject "${subject}", details: [${messages.join(', ')}]`,
    ),

  invalidBody: (message: string) => refused(422, message),
  invalidSchema: (message: string) => refused(42201, message),
  invalidVersion: (version: string | number) =>
    refused(
      42202,
      `The specified version '${version}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string "latest"`,
    ),
  invalidCompatibility: () =>
    refused(
      42203,
      'Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive',
    ),
  invalidMode: (message = 'Invalid mode. Valid values are READWRITE, READONLY, IMPORT and FORWARD.') =>
    refused(42204, message),
  notPermitted: (message: string) => refused(42205, message),
  referenceExists: (subject: string, version: number) =>
    refused(
      42206,
      `One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=${subject},version=${version}}.`,
    ),
  invalidSubject: (subject: string) => refused(42208, `The specified subject '${subject}' is not a valid.`),
  schemaTooLarge: () => refused(42209, 'Register operation failed because schema is too large'),
  invalidRuleSet: (message: string) => refused(42210, message),
  contextNotEmpty: (context: string) => refused(42211, `The specified context '${context}' is not empty.`),

  storeFailed: (message: string, cause?: unknown) => failed(50001, message, cause),
  timedOut: (message: string, cause?: unknown) => failed(50002, message, cause),
  forwardingFailed: (message: string, cause?: unknown) => failed(50003, message, cause),
  leaderUnknown: () => failed(50004, 'Leader not known.'),
} as const
