/** The broker could not start; the message is one line for the user. */
export class BrokerStartError extends Error {
  override readonly name = 'BrokerStartError'
  /** `EADDRINUSE`, `EACCES`, `DATA_DIRECTORY`, … */
  readonly code: string

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
