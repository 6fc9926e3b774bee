import assert from 'node:assert/strict'
import type { Settings } from '../config.ts'
import type { Sink, Source } from '../connector.ts'
import { parseConfig, type RawConfig } from './parse-config.ts'

/**
 * One thing that a connector has to do. Hand it to any test runner:
 * `for (const { name, run } of sourceConformance({ … })) test(name, run)`.
 */
export interface ConformanceCase {
  readonly name: string
  /** @throws AssertionError, or what the connector threw, when it does not conform */
  readonly run: () => Promise<void>
}

/** The external system that a case works with; made anew for each. */
export interface ConformanceSystem {
  /** All settings that the connector needs to work with this system. */
  readonly config: RawConfig
  /** Removes it again. */
  dispose?(): void | Promise<void>
}

/** A case that makes its system, and takes down the runs it started and the system whatever happens. */
export function conformanceCase<Y extends ConformanceSystem>(
  name: string,
  system: () => Y | Promise<Y>,
  body: (system: Y, stopLater: <R extends { stop(): Promise<void> }>(run: R) => R) => Promise<void>,
): ConformanceCase {
  const run = async () => {
    const made = await system()
    const runs: { stop(): Promise<void> }[] = []
    try {
      await body(made, (started) => {
        runs.push(started)
        return started
      })
    } finally {
      for (const started of runs) await started.stop().catch(() => undefined)
      await made.dispose?.()
    }
  }
  return { name, run }
}

/** Each setting without which the connector cannot work has to be reported by its name when it is missing. */
export function reportsMissingSettings<S extends Settings>(
  connector: Source<S> | Sink<S>,
  system: () => ConformanceSystem | Promise<ConformanceSystem>,
): ConformanceCase {
  return conformanceCase('reports each required setting that is missing', system, async ({ config }) => {
    for (const [name, { required }] of Object.entries(connector.config)) {
      if (required !== true) continue
      const without = Object.fromEntries(Object.entries(config).filter(([key]) => key !== name))
      assert.throws(
        () => parseConfig(connector, without),
        (error: Error) => error.message.includes(`${name}: is required`),
        `a config without ${name} is taken`,
      )
    }
    parseConfig(connector, config)
  })
}
