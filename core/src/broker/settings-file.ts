import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isNotFound, nodeFileSystem, writeFileAtomically } from '../log/file-system.ts'
import { messageOf } from '../logging/message-of.ts'
import { BrokerStartError } from './broker-start-error.ts'
import { RequestError } from './kafka-error.ts'

/** Of the form of these files. */
const fileVersion = 1

/** A file in the data directory with settings that clients have changed: JSON, with the version of its form in front. */
export class SettingsFile<Content extends object> {
  readonly path: string
  readonly #dataDir: string
  readonly #name: string

  constructor(dataDir: string, name: string) {
    this.path = join(dataDir, name)
    this.#dataDir = dataDir
    this.#name = name
  }

  /**
   * Undefined where there is no file.
   * @param use makes something of the content, which nobody has checked
   * @throws BrokerStartError where it does not read, or `use` throws
   */
  load<T>(use: (content: Content) => T): T | undefined {
    try {
      const { version, ...content } = JSON.parse(readFileSync(this.path, 'utf8')) as { version: number } & Content
      if (version !== fileVersion) throw new Error(`version ${version}; this version reads up to ${fileVersion}`)
      return use(content as unknown as Content)
    } catch (error) {
      if (isNotFound(error)) return undefined
      const reason = messageOf(error)
      throw new BrokerStartError('SETTINGS', `${this.path} cannot be read: ${reason}`, { cause: error })
    }
  }

  /**
   * On disk when it returns.
   * @throws RequestError KAFKA_STORAGE_ERROR; the file is as it was then
   */
  save(content: Content): void {
    try {
      const text = JSON.stringify({ version: fileVersion, ...content })
      writeFileAtomically(nodeFileSystem, this.#dataDir, this.#name, `${text}\n`)
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? String(error)
      throw new RequestError('KAFKA_STORAGE_ERROR', `The settings could not be written: ${reason}`)
    }
  }
}
