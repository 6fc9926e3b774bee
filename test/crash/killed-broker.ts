/** A broker of its own for a test that kills it again and again, and what such tests wait by. */
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll } from 'vitest'
import { brokerProcess, temporaryFolder, type BrokerProcess } from '../support/broker.ts'
import { freePorts } from '../support/tidewire.ts'

/** `TIDEWIRE_SOAK=1` makes it 50 instead of 5. */
export const kills = process.env['TIDEWIRE_SOAK'] === undefined ? 5 : 50

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Both ends included. */
export const random = (from: number, to: number): number => from + Math.floor(Math.random() * (to - from + 1))

export interface KilledBroker {
  readonly address: string
  readonly port: number
  /** `kill -9`, and a start on the same data and port. */
  killAndRestart(): Promise<void>
}

/** Starts it before the tests of the file, and removes it after them. */
export function killedBroker(): KilledBroker {
  let dataDir: string
  let broker: BrokerProcess
  beforeAll(async () => {
    dataDir = await temporaryFolder()
    broker = await brokerProcess(dataDir, (await freePorts(1))[0])
  })
  afterAll(async () => {
    await broker.stop()
    await rm(dataDir, { recursive: true, force: true })
  })
  return {
    get address() {
      return broker.address
    },
    get port() {
      return broker.port
    },
    killAndRestart: async () => {
      await broker.kill()
      broker = await brokerProcess(dataDir, broker.port)
    },
  }
}
